"""Quantum jumps of one shot at a time, with dense matrices: what the tree plays on columns of many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Placed = tuple[tuple[int, ...], np.ndarray]
"""Positions of some digits, ascending, and an operator on them (or several, stacked)."""


@dataclass(frozen=True)
class Step:
    """Gates of one segment, and its channels: "no jump" followed by the jump operators."""

    gates: list[Placed]
    channels: list[Placed]


@dataclass
class Shot:
    """A ket whose norm is the chance not to have jumped since the last jump."""

    ket: np.ndarray
    threshold: float
    leaked: bool = False


def embed(operator: np.ndarray, positions: tuple[int, ...], levels: int, n_qubits: int) -> np.ndarray:
    """Return an operator on some digits as one on all."""
    rest = [q for q in range(n_qubits) if q not in positions]
    whole = np.kron(operator, np.eye(levels ** len(rest))).reshape((levels,) * 2 * n_qubits)
    back = np.argsort([*positions, *rest])
    return whole.transpose([*back, *(n_qubits + back)]).reshape(levels**n_qubits, -1)


def turn(operator: np.ndarray, angles: tuple[float, ...], levels: int) -> np.ndarray:
    """Return ``D A D^dag`` with ``D = exp(-i sum angle n)``."""
    level = np.indices((levels,) * len(angles)).reshape(len(angles), -1)
    phase = np.exp(-1j * np.array(angles) @ level)
    return phase[:, None] * operator * phase.conj()


def uniforms(key: np.ndarray, binding: int, number: int) -> Iterator[float]:
    """Yield the thresholds of a shot: NumPy's Philox, counted by draw."""
    draw = 0
    while True:
        # NumPy counts up before it draws, the whole 256 bits.
        words = draw + (binding << 64) + (number << 128) + (2 << 192) - 1
        yield (int(np.random.Philox(counter=words, key=key).random_raw(1)[0]) >> 11) * 2.0**-53
        draw += 1


def play(steps: list[Step], levels: int, n_qubits: int, numbers: Iterator[float]) -> Shot:
    """Return a shot that began with all qubits in level 0."""
    shot = Shot(np.eye(levels**n_qubits)[0].astype(complex), next(numbers))
    for step in steps:
        for positions, operator in step.gates:
            shot.ket = embed(operator, positions, levels, n_qubits) @ shot.ket
        norm = np.vdot(shot.ket, shot.ket).real
        if shot.threshold > norm:
            shot.leaked, shot.threshold = True, next(numbers) * norm
        for positions, operators in step.channels:
            found = [embed(operator, positions, levels, n_qubits) @ shot.ket for operator in operators]
            before, after = np.vdot(shot.ket, shot.ket).real, np.vdot(found[0], found[0]).real
            shot.ket = found[0]
            if shot.threshold > after:
                weights = np.cumsum([np.vdot(ket, ket).real for ket in found[1:]])
                place = (before - shot.threshold) / (before - after) * weights[-1]
                kind = min(int(np.searchsorted(weights, place, side="right")), len(weights) - 1)
                shot.ket = found[1 + kind] / np.linalg.norm(found[1 + kind])
                shot.threshold = next(numbers)
    return shot


def mix(steps: list[Step], rho: np.ndarray, levels: int, n_qubits: int) -> np.ndarray:
    """Return a density matrix after all steps: the mean over all shots, leaked ones left out."""
    for step in steps:
        for positions, operator in step.gates:
            whole = embed(operator, positions, levels, n_qubits)
            rho = whole @ rho @ whole.conj().T
        for positions, operators in step.channels:
            kinds = [embed(operator, positions, levels, n_qubits) for operator in operators]
            rho = sum(kind @ rho @ kind.conj().T for kind in kinds)
    return rho
