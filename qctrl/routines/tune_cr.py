"""Tune ``ecr``, an echoed cross-resonance gate: its tone, the cancellation on the target, and the virtual Z it leaves.

The tone turns the target about an axis that its line's phase gives; the gate must turn it about the axis of the
target's own ``sx``, and the echo must flip the control about that of the control's own. Both axes are read off first.
"""

from __future__ import annotations

import cmath
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from qctrl.calibration import CrossResonance
from qctrl.errors import CalibrationError
from qctrl.routines import fidelity
from qctrl.routines.bench import Bench, Path
from qctrl.routines.tune_qubit import drive_axis

_ROUGH_STEPS: Final = 3
_STEP: Final = 0.01
_MOST_TRIALS: Final = 12
"""Each costs one channel, and four more for its slopes."""
_LARGEST_STEP: Final = 1.6
"""Factor by which one rough step may change the amplitude."""


def tune_cr(bench: Bench, edge: str) -> Bench:
    """Return a bench whose cross-resonance gate has the tones that come nearest to it, noise off, and its virtual Z."""
    ideal = _ideal(bench, edge)
    tone = _rough_tone(bench, edge)

    def trial(point: NDArray[np.float64]) -> Bench:
        # Steps are relative, so every coordinate starts at 1.
        along, across, real, imaginary = (point - 1).tolist()
        return bench.changed(_tones(edge, tone * complex(1 + along, across), abs(tone) * complex(real, imaginary)))

    def missed(point: NDArray[np.float64]) -> NDArray[np.float64]:
        channel = _channel(trial(point), edge, noise=False)
        rest = fidelity.unitary_of(channel) @ _turned(ideal, *_local_phases(channel, ideal)).conj().T
        rest = rest * cmath.exp(-1j * cmath.phase(complex(rest.trace()))) - np.eye(4)
        return np.concatenate([rest.real.ravel(), rest.imag.ravel()])

    best = least_squares(missed, np.ones(4), diff_step=_STEP, bounds=(0.4, 1.6), xtol=1e-6, max_nfev=_MOST_TRIALS)
    return _with_virtual_z(_measured(trial(best.x), edge), edge)


def characterise_cr(bench: Bench, edge: str) -> Bench:
    """Return a bench with the error of the gate that the physics shows."""
    channel = _channel(bench, edge, noise=True)
    virtual_z = _gate(bench, edge).virtual_z
    left, right = (-virtual_z[end].value for end in _ends(bench, edge))
    ideal = _turned(_ideal(bench, edge), left, right)
    error = 1 - fidelity.average_fidelity(channel, ideal)
    return bench.changed({("edges", edge, "gates", "ecr", "error"): bench.measured(error)})


def _rough_tone(bench: Bench, edge: str) -> complex:
    """Return the tone without cancellation that turns the target by nearly the right angle about nearly its X.

    Found at half the amplitude, where the difference of the control's two states is a quarter turn, not an ambiguous
    half one.
    """
    gate = _gate(bench, edge)
    control, target = _qubits(bench, edge)
    tone = cmath.rect(gate.waveform.amp.value / 2, gate.waveform.phase)
    wanted = _axis(bench, target)
    for _ in range(_ROUGH_STEPS):
        unitary = fidelity.unitary_of(_channel(bench.changed(_tones(edge, tone, 0j)), edge, noise=False))
        blocks = unitary.reshape(2, 2, 2, 2)
        if control > target:
            blocks = blocks.transpose(1, 0, 3, 2)
        # The echo flips the control: what the target does while it goes from 0 to 1, and from 1 to 0.
        angle, axis = _rotation(blocks[0, :, 1, :].conj().T @ blocks[1, :, 0, :])
        scale = min(max(math.pi / 2 / max(angle, 1e-3), 1 / _LARGEST_STEP), _LARGEST_STEP)
        # A tone of phase p turns about cos p X - sin p Y.
        tone *= cmath.rect(scale, axis - wanted)
    return 2 * tone


def _rotation(unitary: NDArray[np.complex128]) -> tuple[float, float]:
    """Return the angle of a rotation of one qubit, and that of its axis from X towards Y, in rad."""
    special = unitary / cmath.sqrt(complex(np.linalg.det(unitary)))
    if special.trace().real < 0:
        special = -special
    # The rotation exp(-i a/2 (cos b X + sin b Y)) has the element -i sin(a/2) exp(i b).
    return 2 * math.asin(min(abs(special[1, 0]), 1.0)), cmath.phase(complex(1j * special[1, 0]))


def _axis(bench: Bench, qubit: int) -> float:
    circuit = bench.circuit()
    circuit.sx(qubit)
    return drive_axis(bench.channel(circuit, [qubit], noise=False))


def _ideal(bench: Bench, edge: str) -> NDArray[np.complex128]:
    """Return the gate about the axes of the two qubits' own pulses, left qubit first."""
    control, target = _qubits(bench, edge)
    turns = [np.diag([1, cmath.exp(1j * _axis(bench, qubit))]) for qubit in (control, target)]
    turn = np.kron(*turns)
    matrix = turn @ fidelity.ECR @ turn.conj()
    if control > target:
        matrix = matrix.reshape(2, 2, 2, 2).transpose(1, 0, 3, 2).reshape(4, 4)
    return np.asarray(matrix, dtype=np.complex128)


def _local_phases(channel: NDArray[np.complex128], ideal: NDArray[np.complex128]) -> tuple[float, float]:
    """Return the phases of ``exp(i phi |1><1|)`` on both qubits that the channel leaves after the ideal gate."""
    after = np.diagonal(fidelity.unitary_of(channel) @ ideal.conj().T)
    left = cmath.phase(complex(after[2] * after[0].conj() + after[3] * after[1].conj()))
    right = cmath.phase(complex(after[1] * after[0].conj() + after[3] * after[2].conj()))
    return left, right


def _turned(ideal: NDArray[np.complex128], left: float, right: float) -> NDArray[np.complex128]:
    phases = np.array([0.0, right, left, left + right])
    return np.asarray(np.exp(1j * phases)[:, None] * ideal, dtype=np.complex128)


def _with_virtual_z(bench: Bench, edge: str) -> Bench:
    channel = _channel(bench, edge, noise=False)
    phases = _local_phases(channel, _ideal(bench, edge))
    values = {end: bench.measured(-phase) for end, phase in zip(_ends(bench, edge), phases, strict=True)}
    return bench.changed({("edges", edge, "gates", "ecr", "virtual_z"): values})


def _tones(edge: str, tone: complex, cancel: complex) -> dict[Path, Any]:
    place = ("edges", edge, "gates", "ecr")
    values: dict[Path, Any] = {}
    for part, value in (("waveform", tone), ("cancel", cancel)):
        values[(*place, part, "amp")] = abs(value)
        values[(*place, part, "phase")] = cmath.phase(value)
    return values


def _measured(bench: Bench, edge: str) -> Bench:
    """Return the bench with the provenance of its tones' amplitudes."""
    gate, place = _gate(bench, edge), ("edges", edge, "gates", "ecr")
    values: dict[Path, Any] = {(*place, "waveform", "amp"): bench.measured(gate.waveform.amp.value)}
    if gate.cancel is not None:
        values[(*place, "cancel", "amp")] = bench.measured(gate.cancel.amp.value)
    return bench.changed(values)


def _gate(bench: Bench, edge: str) -> CrossResonance:
    gate = bench.document.edges[edge].gates.get("ecr")
    if not isinstance(gate, CrossResonance) or gate.cancel is None:
        raise CalibrationError(f"edges.{edge}.gates.ecr is no cr gate with a cancel tone; add one to the nominal file")
    return gate


def _qubits(bench: Bench, edge: str) -> tuple[int, int]:
    gate = _gate(bench, edge)
    return bench.document.qubits[gate.control].index, bench.document.qubits[gate.target].index


def _ends(bench: Bench, edge: str) -> list[str]:
    return sorted(edge.split("-"), key=lambda end: bench.document.qubits[end].index)


def _channel(bench: Bench, edge: str, *, noise: bool) -> NDArray[np.complex128]:
    circuit = bench.circuit()
    circuit.ecr(*_qubits(bench, edge))
    return bench.channel(circuit, [bench.document.qubits[end].index for end in _ends(bench, edge)], noise=noise)
