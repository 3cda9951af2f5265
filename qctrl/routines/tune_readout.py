"""Tune readout: tone, decision and assignment matrix of every qubit, from shots over the ordinary wire."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qctrl.errors import CalibrationError
from qctrl.routines.bench import Bench, Path, significant

_SCAN_HZ: Final = np.linspace(-6e6, 6e6, 25)
"""Tones tried about the nominal one."""
_SCAN_SHOTS: Final = 2000
_DECISION_SHOTS: Final = 20_000
_ASSIGNMENT_SHOTS: Final = 250_000


def tune_readout(bench: Bench) -> Bench:
    """Return a bench whose readout tones separate the states best and whose decisions sit between them."""
    return _decide(_best_tones(bench))


def characterise_readout(bench: Bench) -> Bench:
    """Return a bench with the assignment matrix of every qubit, measured with all prepared alike or in alternation.

    Four preparations, so that neighbours are excited in half of each qubit's shots.
    """
    n_qubits = bench.calibration.num_qubits
    patterns = [np.full(n_qubits, 0), np.full(n_qubits, 1), np.arange(n_qubits) % 2, (np.arange(n_qubits) + 1) % 2]
    results = bench.shots([_prepared(bench, pattern) for pattern in patterns], _ASSIGNMENT_SHOTS, "bits")
    values: dict[Path, Any] = {}
    for qubit in bench.calibration.live_qubits:
        ones = np.zeros(2)
        total = np.zeros(2)
        for pattern, (_, result) in zip(patterns, results, strict=True):
            bits = result.bits[0, :, qubit >> 3] >> (qubit & 7) & 1
            ones[pattern[qubit]] += int(bits.sum())
            total[pattern[qubit]] += bits.size
        matrix, unc = _assignment(ones, total)
        place = ("qubits", bench.name(qubit), "readout", "assignment")
        values[place] = {"value": matrix, "unc": unc, "at": bench.stamp, "by": "bootstrap"}
    return bench.changed(values)


def _best_tones(bench: Bench) -> Bench:
    live = bench.calibration.live_qubits
    nominal = {qubit: _tone_hz(bench, qubit) for qubit in live}
    contrast = np.zeros((len(_SCAN_HZ), len(live)))
    for k, offset_hz in enumerate(_SCAN_HZ):
        trial = bench.changed(_tones(bench, {qubit: nominal[qubit] + float(offset_hz) for qubit in live}))
        ground, excited = _clouds(trial, _SCAN_SHOTS)
        contrast[k] = np.abs(_centre(excited) - _centre(ground))[list(live)]
    best = {qubit: nominal[qubit] + float(_peak(contrast[:, k])) for k, qubit in enumerate(live)}
    return bench.changed(_tones(bench, best, measured=True))


def _decide(bench: Bench) -> Bench:
    ground, excited = _clouds(bench, _DECISION_SHOTS)
    centres = _centre(ground), _centre(excited)
    values: dict[Path, Any] = {}
    for qubit in bench.calibration.live_qubits:
        low, high = complex(centres[0][qubit]), complex(centres[1][qubit])
        angle_rad = float(np.angle(high - low))
        middle = (low + high) / 2
        threshold = middle.real * math.cos(angle_rad) + middle.imag * math.sin(angle_rad)
        values["qubits", bench.name(qubit), "readout", "discriminator"] = {
            "kind": "linear",
            "angle": significant(angle_rad, 7),
            "threshold": significant(threshold, 7),
            "centroids": {str(k): [significant(c.real, 6), significant(c.imag, 6)] for k, c in enumerate((low, high))},
        }
    return bench.changed(values)


def _clouds(bench: Bench, shots: int) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
    """Return the integrated IQ ``(shots, qubits)`` with all qubits in 0, and with all in 1."""
    n_qubits = bench.calibration.num_qubits
    prepared = [_prepared(bench, np.full(n_qubits, bit)) for bit in (0, 1)]
    clouds: list[NDArray[np.complex64]] = []
    for compiled, result in bench.shots(prepared, shots, "iq"):
        if result.iq is None:
            raise CalibrationError("the firmware sent no IQ; this rack cannot tune readout")
        # Captures come in their own order; each names the bit that it writes, here the qubit.
        by_bit = np.zeros((shots, n_qubits), np.complex64)
        for capture in compiled.program.captures:
            by_bit[:, int(capture["clbit"])] = result.iq[0, :, int(capture["index"])]
        clouds.append(by_bit)
    return clouds[0], clouds[1]


def _prepared(bench: Bench, pattern: NDArray[np.int_]) -> QuantumCircuit:
    circuit = bench.circuit()
    for qubit in bench.calibration.live_qubits:
        if pattern[qubit]:
            circuit.x(qubit)
    circuit.barrier()
    for qubit in bench.calibration.live_qubits:
        circuit.measure(qubit, qubit)
    return circuit


def _centre(cloud: NDArray[np.complex64]) -> NDArray[np.complex128]:
    """Return the median point of each qubit's cloud; shots that decayed on the way pull a mean, not a median."""
    return np.median(cloud.real, axis=0) + 1j * np.median(cloud.imag, axis=0)


def _peak(contrast: NDArray[np.float64]) -> float:
    """Return the offset of highest contrast in Hz, by a parabola through the best point and its neighbours."""
    best = int(np.clip(np.argmax(contrast), 1, len(contrast) - 2))
    below, here, above = (float(contrast[best + k]) for k in (-1, 0, 1))
    bend = below - 2 * here + above
    shift = 0.5 * (below - above) / bend if bend < 0 else 0.0
    return float(_SCAN_HZ[best] + np.clip(shift, -1, 1) * (_SCAN_HZ[1] - _SCAN_HZ[0]))


def _assignment(ones: NDArray[np.float64], total: NDArray[np.float64]) -> tuple[list[list[float]], float]:
    """Return the matrix, and the standard deviation of its worse known column: of shots, one 1 more and one 0 more."""
    read_one = [significant(float(p), 6) for p in ones / total]
    likely = (ones + 1) / (total + 2)
    unc = float(np.sqrt(likely * (1 - likely) / total).max())
    return [[significant(1 - p, 8) for p in read_one], read_one], significant(unc, 3)


def _tone_hz(bench: Bench, qubit: int) -> float:
    readout = bench.calibration.live_qubit(qubit).readout
    if readout is None:
        raise CalibrationError(f"qubits.{bench.name(qubit)}.readout is missing; give the nominal one")
    return readout.frequency.value


def _tones(bench: Bench, tones_hz: dict[int, float], *, measured: bool = False) -> dict[Path, Any]:
    return {
        ("qubits", bench.name(qubit), "readout", "frequency"): bench.measured(tone_hz) if measured else tone_hz
        for qubit, tone_hz in tones_hz.items()
    }
