"""Pure states of many shots: one column per distinct history of jumps and records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.random import Draws
    from firmware_sim.physics.tables import Reals


SINGLE_FROM = 2**16
"""Amplitudes from which on numbers are single: such columns do not fit into the cache, and halved they take 0.6 times
as long. Decided by the state alone, so that shots do not depend on who plays them."""
NUMBERS_PER_AMPLITUDE = 4
"""Two parts, twice: while columns are added there is a copy."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Kets of some qubits, and for each shot the ket that it is in; the other qubits of the chip are in level 0.

    A ket loses norm as its shots survive without a jump; a shot jumps when the squared norm falls below its threshold.
    """

    qubits: tuple[int, ...]
    """Chip indices, ascending; the first is the most significant digit of a basis index."""
    levels: int
    real: Reals
    """Real parts, shape ``(dim, n_columns)``; single from ``SINGLE_FROM`` amplitudes on."""
    imag: Reals
    """Imaginary parts, same shape."""
    column: NDArray[np.int64]
    """Column of each shot, shape ``(n_shots,)``."""
    threshold: NDArray[np.float64]
    """Shape ``(n_shots,)``, at most the squared norm of the shot's column."""
    drawn: NDArray[np.uint64]
    """Thresholds that each shot has drawn so far, shape ``(n_shots,)``."""
    leaked: NDArray[np.bool_]
    """Whether a shot was in a level that the state does not hold, shape ``(n_shots,)``."""

    @property
    def n_columns(self) -> int:
        """Number of distinct histories."""
        return self.real.shape[1]

    def probabilities(self) -> NDArray[np.float64]:
        """Return the probability of each basis state in each column, shape ``(dim, n_columns)``."""
        weights = self.real**2 + self.imag**2
        return weights / weights.sum(axis=0, dtype=np.float64)

    def marginal(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        """Return the joint probability of the levels of ``qubits``, one axis each, as the mean over shots."""
        counts = np.bincount(self.column, minlength=self.n_columns)
        mean = self.outcome_table(qubits) @ counts / max(len(self.column), 1)
        return mean.reshape((self.levels,) * len(qubits))

    def outcome_table(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        """Return the joint probability of the levels of ``qubits``, in their order, by column.

        Shape ``(levels ** n, n_columns)``.
        """
        shape = (self.levels,) * len(self.qubits)
        kept = [self.qubits.index(qubit) for qubit in qubits]
        others = tuple(axis for axis in range(len(self.qubits)) if axis not in kept)
        summed = self.probabilities().reshape(*shape, -1).sum(axis=others)
        order = [*np.argsort(np.argsort(kept)).tolist(), len(kept)]
        return np.ascontiguousarray(summed.transpose(order)).reshape(-1, self.n_columns)

    def draw(self, draws: Draws, block: int, qubits: Sequence[int]) -> NDArray[np.uint8]:
        """Return the levels that each shot finds, shape ``(n_shots, n_qubits)``; takes one draw block."""
        table = self.outcome_table(qubits)
        outcomes = draws.column_outcomes(block, table, self.column)
        return np.stack(np.unravel_index(outcomes, (self.levels,) * len(qubits)), axis=1).astype(np.uint8)

    def collapse(self, qubits: Sequence[int], found: NDArray[np.uint8], left: NDArray[np.uint8]) -> Columns:
        """Return the columns after each shot found levels and its readout left others.

        Args:
            qubits: The measured qubits.
            found: Levels found, shape ``(n_shots, n_qubits)``.
            left: Levels afterwards, same shape.
        """
        size = self.levels ** len(qubits)
        strides = self.levels ** np.arange(len(qubits))[::-1]
        before, after = found.astype(np.int64) @ strides, left.astype(np.int64) @ strides
        # If every qubit was measured, only what the readout leaves behind tells histories apart.
        alone = len(qubits) == len(self.qubits)
        history = after if alone else (self.column * size + before) * size + after
        _, first, column = np.unique(history, return_index=True, return_inverse=True)
        kept = [self.qubits.index(qubit) for qubit in qubits]
        order = [*kept, *(axis for axis in range(len(self.qubits)) if axis not in kept)]
        source = (before[first], after[first], self.column[first])
        norms = (self.real**2 + self.imag**2).sum(axis=0, dtype=np.float64)
        real, imag = (self._project(part, order, size, source) for part in (self.real, self.imag))
        weight = np.sqrt((real**2 + imag**2).sum(axis=0, dtype=np.float64)).astype(real.dtype)
        threshold = self.threshold / norms[self.column]
        return replace(self, real=real / weight, imag=imag / weight, column=column.ravel(), threshold=threshold)

    def extend(self, qubits: Sequence[int], populations: Mapping[int, Sequence[float]] | None, draws: Draws) -> Columns:
        """Return the same with more qubits.

        Args:
            qubits: Chip indices; those that the state has already stay as they are.
            populations: Of the levels of each qubit, drawn for each shot; all in level 0 unless given.
            draws: The shots.
        """
        grown = self
        for qubit in sorted(set(qubits) - set(self.qubits)):
            shares = (1.0,) if populations is None else populations[qubit][: self.levels]
            grown = grown._enter(qubit, draws.levels(qubit, shares))
        return grown

    def _enter(self, qubit: int, level: NDArray[np.int64]) -> Columns:
        """Return the same with one more qubit, which each shot finds in a level of its own."""
        position = sum(other < qubit for other in self.qubits)
        before, after = self.levels**position, self.levels ** (len(self.qubits) - position)
        if level.any():
            history, column = np.unique(self.column * self.levels + level, return_inverse=True)
            source, entered = np.divmod(history, self.levels)
        else:
            # Nearly always: chips are cold.
            source, column, entered = np.arange(self.n_columns), self.column, None
        parts: list[Reals] = []
        dtype = real_type(before * self.levels * after)
        for part in (self.real, self.imag):
            whole, old = np.zeros((before, self.levels, after, len(source)), dtype), part.reshape(before, after, -1)
            if entered is None:
                whole[:, 0] = old
            else:
                whole[:, entered, :, np.arange(len(source))] = old[:, :, source].transpose(2, 0, 1)
            parts.append(whole.reshape(-1, len(source)))
        names = (*self.qubits[:position], qubit, *self.qubits[position:])
        return replace(self, qubits=names, real=parts[0], imag=parts[1], column=column.ravel())

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Columns:
        """Return some of the shots, with the columns that they are in."""
        column = self.column[rows]
        occurs = np.zeros(self.n_columns, dtype=np.bool_)
        occurs[column] = True
        used, place = np.flatnonzero(occurs), np.cumsum(occurs) - 1
        return Columns(
            self.qubits,
            self.levels,
            np.ascontiguousarray(self.real[:, used]),
            np.ascontiguousarray(self.imag[:, used]),
            place[column],
            self.threshold[rows],
            self.drawn[rows],
            self.leaked[rows],
        )

    def _project(self, part: Reals, order: list[int], size: int, source: tuple[NDArray[np.int64], ...]) -> Reals:
        before, after, column = source
        shape = (self.levels,) * len(self.qubits)
        moved = part.reshape(*shape, -1).transpose([*order, len(order)]).reshape(size, -1, self.n_columns)
        result = np.zeros((size, moved.shape[1], len(column)), part.dtype)
        result[after, :, np.arange(len(column))] = moved[before, :, column]
        back = result.reshape(*shape, -1).transpose([*np.argsort(order).tolist(), len(order)])
        return np.ascontiguousarray(back).reshape(-1, len(column))


def real_type(dim: int) -> np.dtype[np.float64] | np.dtype[np.float32]:
    """Return the type of the numbers of a column of ``dim`` amplitudes."""
    return np.dtype(np.float32) if dim >= SINGLE_FROM else np.dtype(np.float64)


def column_bytes(levels: int, n_qubits: int) -> int:
    """Return the memory of one column while it is played."""
    dim = levels**n_qubits
    return NUMBERS_PER_AMPLITUDE * real_type(dim).itemsize * dim


def join(parts: Sequence[Columns]) -> Columns:
    """Return the shots of several, all of the same qubits and levels, side by side."""
    starts = np.cumsum([0, *(part.n_columns for part in parts[:-1])])
    return Columns(
        parts[0].qubits,
        parts[0].levels,
        np.concatenate([part.real for part in parts], axis=1),
        np.concatenate([part.imag for part in parts], axis=1),
        np.concatenate([part.column + start for part, start in zip(parts, starts, strict=True)]),
        np.concatenate([part.threshold for part in parts]),
        np.concatenate([part.drawn for part in parts]),
        np.concatenate([part.leaked for part in parts]),
    )


def ground_columns(levels: int, draws: Draws) -> Columns:
    """Return all shots in the one column of no qubit at all, to be extended."""
    n_shots = len(draws.shots)
    threshold = np.empty(n_shots)
    drawn, leaked = np.zeros(n_shots, dtype=np.uint64), np.zeros(n_shots, dtype=np.bool_)
    draws.thresholds(threshold, drawn, leaked)
    column = np.zeros(n_shots, dtype=np.int64)
    return Columns((), levels, np.ones((1, 1)), np.zeros((1, 1)), column, threshold, drawn, leaked)
