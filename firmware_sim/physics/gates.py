"""Operators of a cluster as the tree applies them: sector by sector, with the phases of their drives left open."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from firmware_sim.physics.propagators import occupations

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ZERO = 1e-14
_SAME = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """An operator on some qubits; see ``_gate_kernels.dress`` for the meaning of drive phases."""

    qubits: tuple[int, ...]
    """Chip indices, ascending."""
    sources: tuple[int, ...]
    """By qubit, the chip index of the qubit whose drive phase turns it; -1 for none."""
    drives: tuple[int, int]
    """Positions of the two drives on whose phase difference the entries depend; (0, 0) if there is none."""
    states: NDArray[np.int64]
    """Basis states sorted by sector; the operator joins no two sectors."""
    sectors: NDArray[np.int64]
    """Where each sector begins, and the end."""
    table: NDArray[np.complex128]
    """Entries sector by sector, shape ``(n_harmonics, n_entries)``."""
    steps: NDArray[np.int64]
    """Level of the row minus that of the column, by entry and qubit, shape ``(n_entries, n_qubits)``."""
    lost: float
    """Most norm that the operator takes from a basis state."""

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self.states.nbytes + self.table.nbytes + self.steps.nbytes


@dataclass(frozen=True, slots=True)
class Turning:
    """How drive phases turn a gate."""

    qubits: tuple[int, ...]
    sources: tuple[int, ...]
    drives: tuple[int, int]


def make_gate(turning: Turning, matrices: NDArray[np.complex128], levels: int, lost: float) -> Gate:
    """Return the gate of an operator at equally spaced phase differences of its two drives.

    Args:
        turning: Its qubits and the phases that turn them.
        matrices: Shape ``(n_differences, dim, dim)``.
        levels: Levels per qubit.
        lost: Most norm that it takes from a basis state.
    """
    harmonics = np.fft.fft(matrices, axis=0) / len(matrices)
    if len(matrices) > 1 and np.abs(harmonics[1:]).max() < _SAME:
        harmonics = harmonics[:1]
    states, sectors = sectors_of(np.abs(harmonics).max(axis=0) > _ZERO)
    rows, columns = _entries(states, sectors)
    occupation = occupations(levels, len(turning.qubits))
    steps = np.ascontiguousarray((occupation[:, rows] - occupation[:, columns]).T)
    table = np.ascontiguousarray(harmonics[:, rows, columns])
    return Gate(turning.qubits, turning.sources, turning.drives, states, sectors, table, steps, lost)


def turn_gates(qubits: tuple[int, ...], angles: NDArray[np.float64], levels: int) -> tuple[Gate, ...]:
    """Return gates that turn level n of each qubit by ``exp(-i n angle)``."""
    level = np.arange(levels)
    states, sectors = level.astype(np.int64), np.arange(levels + 1, dtype=np.int64)
    still = np.zeros((levels, 1), dtype=np.int64)
    return tuple(
        Gate((qubit,), (-1,), (0, 0), states, sectors, np.exp(-1j * level * angle)[None], still, 0.0)
        for qubit, angle in zip(qubits, angles.tolist(), strict=True)
        if angle
    )


def sectors_of(pattern: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the basis states sorted by sector, and the sectors' borders, of a matrix that is zero where not set."""
    _, label = connected_components(csr_array(pattern), directed=False)
    order = np.argsort(label, kind="stable")
    borders = np.concatenate([[0], np.cumsum(np.bincount(label))])
    return order.astype(np.int64), borders.astype(np.int64)


@lru_cache(maxsize=64)
def two_lowest(n_qubits: int) -> NDArray[np.intp]:
    """Return the basis states of three-level qubits in which none is in level 2."""
    return np.flatnonzero(occupations(3, n_qubits).max(axis=0) < 2)


def _entries(states: NDArray[np.int64], sectors: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows: list[NDArray[np.int64]] = []
    columns: list[NDArray[np.int64]] = []
    for first, last in itertools.pairwise(sectors):
        sector = states[first:last]
        rows.append(np.repeat(sector, len(sector)))
        columns.append(np.tile(sector, len(sector)))
    return np.concatenate(rows), np.concatenate(columns)
