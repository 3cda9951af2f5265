"""Tune a qubit's frequency, its DRAG pulses, and characterise what they and its coherence are worth."""

from __future__ import annotations

import math
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from qctrl.calibration import PulseGate
from qctrl.errors import CalibrationError
from qctrl.routines import fidelity
from qctrl.routines.bench import Bench, Path

_RAMSEY_DELAYS_S: Final = (16e-9, 128e-9, 1024e-9, 8192e-9)
"""Each resolves what the one before left over; the first is unambiguous within 31 MHz."""
_COHERENCE_DELAY_S: Final = 2e-5
_BETA_SCALE_S: Final = 1e-10
_Gate: TypeAlias = Literal["sx", "x"]
_GATES: Final[tuple[_Gate, ...]] = ("sx", "x")


def tune_frequency(bench: Bench, qubit: int) -> Bench:
    """Return a bench whose frame follows the qubit: a Ramsey experiment with longer and longer delays."""
    frequency_hz = bench.frequency_hz(qubit)
    for delay_s in _RAMSEY_DELAYS_S:
        channel = _idle(bench, qubit, delay_s, noise=False)
        frequency_hz -= fidelity.coherence_phase(channel, 1, 0) / (2 * math.pi * delay_s)
        bench = bench.changed({("qubits", bench.name(qubit), "frequency"): bench.measured(frequency_hz)})
    return bench


def tune_gate(bench: Bench, qubit: int, gate: _Gate) -> Bench:
    """Return a bench whose ``sx`` or ``x`` has the amplitude and DRAG term of highest fidelity, noise off."""
    place = ("qubits", bench.name(qubit), "gates", gate, "waveform")
    start = _rough_amplitude(bench, qubit, gate)

    def cost(point: NDArray[np.float64]) -> float:
        trial = bench.changed(_pulse(place, start * float(point[0]), float(point[1]) * _BETA_SCALE_S))
        return 1 - _fidelity(trial, qubit, gate, noise=False)

    simplex = np.array([[1.0, 0.0], [1.02, 0.0], [1.0, 2.0]])
    options = {"initial_simplex": simplex, "xatol": 1e-5, "fatol": 1e-10, "maxfev": 120}
    best = minimize(cost, simplex[0], method="Nelder-Mead", options=options)
    amplitude, beta_s = start * float(best.x[0]), float(best.x[1]) * _BETA_SCALE_S
    return bench.changed(_pulse(place, bench.measured(amplitude), bench.measured(beta_s)))


def characterise(bench: Bench, qubit: int) -> Bench:
    """Return a bench with T1, T2 and the gate errors that the physics shows."""
    name = bench.name(qubit)
    channel = _idle(bench, qubit, _COHERENCE_DELAY_S, noise=True)
    # From 0 and from 1 the same equilibrium is reached, so their difference decays with T1 alone.
    decay = _COHERENCE_DELAY_S / -math.log((channel[1, 1, 1, 1] - channel[0, 0, 1, 1]).real)
    dephasing = _COHERENCE_DELAY_S / -math.log(abs(channel[1, 0, 1, 0]))
    values: dict[Path, Any] = {
        ("qubits", name, "t1"): bench.measured(decay),
        ("qubits", name, "t2_echo"): bench.measured(dephasing),
    }
    for gate in _GATES:
        error = 1 - _fidelity(bench, qubit, gate, noise=True)
        values["qubits", name, "gates", gate, "error"] = bench.measured(error)
    return bench.changed(values)


def _idle(bench: Bench, qubit: int, delay_s: float, *, noise: bool) -> NDArray[np.complex128]:
    circuit = bench.circuit()
    circuit.delay(delay_s, qubit, unit="s")
    return bench.channel(circuit, [qubit], noise=noise)


def _play(bench: Bench, qubit: int, gate: _Gate, *, noise: bool) -> NDArray[np.complex128]:
    circuit = bench.circuit()
    getattr(circuit, gate)(qubit)
    return bench.channel(circuit, [qubit], noise=noise)


def _fidelity(bench: Bench, qubit: int, gate: _Gate, *, noise: bool) -> float:
    """Return the fidelity of a gate about the axis that the line's own phase gives.

    The phase of a drive line turns X and Y of all its pulses alike and commutes with a CZ: it cannot be observed.
    """
    channel = _play(bench, qubit, gate, noise=noise)
    axis_rad = drive_axis(channel) if gate == "sx" else drive_axis(_play(bench, qubit, "sx", noise=False))
    turn = np.diag(np.exp(1j * np.array([0, axis_rad])))
    ideal = fidelity.SX if gate == "sx" else fidelity.X
    turned = np.asarray(turn @ ideal @ turn.conj(), dtype=np.complex128)
    return fidelity.average_fidelity(channel, turned)


def drive_axis(channel: NDArray[np.complex128]) -> float:
    """Return the angle in rad between the axis of an ``sx`` pulse and X."""
    return fidelity.phase_of(channel[0, 0, 1, 0]) + math.pi / 2


def _rough_amplitude(bench: Bench, qubit: int, gate: _Gate) -> float:
    """Return the amplitude that one pulse at the nominal amplitude suggests, by the angle it turned."""
    place = ("qubits", bench.name(qubit), "gates", gate, "waveform")
    played = bench.calibration.live_qubit(qubit).gates[gate]
    if not isinstance(played, PulseGate):
        raise CalibrationError(f"{'.'.join(place[:-1])} is of kind {played.kind}; only a pulse can be tuned")
    nominal = played.waveform.amp.value
    # Half the amplitude stays on the monotonic flank of sin^2 however far off the nominal value is.
    trial = bench.changed(_pulse(place, nominal / 2, 0.0))
    excited = _play(trial, qubit, gate, noise=False)[0, 0, 1, 1].real
    angle_rad = 2 * math.asin(math.sqrt(min(max(excited, 0.0), 1.0)))
    wanted_rad = math.pi / 2 if gate == "sx" else math.pi
    return nominal / 2 * wanted_rad / angle_rad


def _pulse(place: Path, amplitude: object, beta_s: object) -> dict[Path, object]:
    return {(*place, "amp"): amplitude, (*place, "beta"): beta_s}
