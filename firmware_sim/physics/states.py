"""Kets and density matrices of the touched qubits, and the application of small operators to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.random import Draws


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """State of some qubits of the chip; the others are in level 0."""

    qubits: tuple[int, ...]
    """Chip indices, ascending; the first is the most significant digit of a basis index."""
    levels: int
    data: NDArray[np.complex128]
    """Ket, shape ``(dim,)``, or density matrix, shape ``(dim, dim)``."""

    @property
    def mixed(self) -> bool:
        """Whether this is a density matrix."""
        return self.data.ndim == 2

    def populations(self) -> NDArray[np.float64]:
        """Return the probability of each basis state, shape ``(levels,) * n_qubits``."""
        values = np.real(np.diagonal(self.data)) if self.mixed else np.abs(self.data) ** 2
        return np.maximum(values, 0.0).reshape((self.levels,) * len(self.qubits))

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> State:  # noqa: ARG002 (all shots share one state)
        """Return the state of some of the shots in it."""
        return self

    def draw(self, draws: Draws, block: int, qubits: Sequence[int]) -> NDArray[np.uint8]:
        """Return the levels that each shot finds, shape ``(n_shots, n_qubits)``; takes one draw block."""
        probabilities = self.marginal(qubits)
        outcomes = draws.outcomes(block, probabilities.ravel())
        return np.stack(np.unravel_index(outcomes, probabilities.shape), axis=1).astype(np.uint8)

    def marginal(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        """Return the joint probability of the levels of ``qubits``, one axis each, in their order."""
        kept = [self.qubits.index(qubit) for qubit in qubits]
        others = tuple(axis for axis in range(len(self.qubits)) if axis not in kept)
        summed = self.populations().sum(axis=others)
        order = np.argsort(np.argsort(kept))
        return summed.transpose(order)


def ground(levels: int, *, mixed: bool) -> State:
    """Return the state of no qubit at all, to be extended."""
    return State((), levels, np.ones((1, 1) if mixed else (1,), dtype=np.complex128))


def extend(state: State, qubits: Sequence[int], populations: Mapping[int, Sequence[float]] | None = None) -> State:
    """Return the state with more qubits.

    Args:
        state: Ket or density matrix of other qubits.
        qubits: Chip indices; those that the state has already stay as they are.
        populations: Of the levels of each qubit, for density matrices; level 0 unless given.
    """
    for qubit in sorted(set(qubits) - set(state.qubits)):
        position = sum(other < qubit for other in state.qubits)
        before = state.levels**position
        after = state.levels ** (len(state.qubits) - position)
        shape = (before, state.levels, after)
        size = before * state.levels * after
        if state.mixed:
            grown = np.zeros(shape + shape, dtype=np.complex128)
            shares = (1.0,) if populations is None else populations[qubit][: state.levels]
            for level, share in enumerate(shares):
                part = share / sum(shares) * state.data
                grown[:, level, :, :, level, :] = part.reshape(before, after, before, after)
            data = grown.reshape(size, size)
        else:
            ket = np.zeros(shape, dtype=np.complex128)
            ket[:, 0, :] = state.data.reshape(before, after)
            data = ket.reshape(size)
        state = State((*state.qubits[:position], qubit, *state.qubits[position:]), state.levels, data)
    return state


def left_multiply(
    matrix: NDArray[Any], array: NDArray[np.complex128], positions: Sequence[int], levels: int, n_qubits: int
) -> NDArray[np.complex128]:
    """Return ``array`` with an operator applied to some digits of its first index.

    Args:
        matrix: Shape ``(levels**k, levels**k)``.
        array: Shape ``(levels**n_qubits, ...)``.
        positions: The k digits that the operator acts on, ascending.
        levels: Levels per digit.
        n_qubits: Digits of the first index.
    """
    size, first = len(matrix), positions[0]
    if list(positions) == list(range(first, first + len(positions))):
        parts = array.reshape(levels**first, size, -1)
        return np.matmul(matrix, parts).reshape(array.shape)
    axes = list(positions) + [axis for axis in range(n_qubits) if axis not in positions]
    parts = array.reshape((levels,) * n_qubits + (-1,)).transpose([*axes, n_qubits])
    moved = (matrix @ parts.reshape(size, -1)).reshape(parts.shape)
    return moved.transpose([*np.argsort(axes), n_qubits]).reshape(array.shape)


def apply_superoperator(
    matrix: NDArray[Any], data: NDArray[np.complex128], positions: Sequence[int], levels: int, n_qubits: int
) -> NDArray[np.complex128]:
    """Return a density matrix after a superoperator on some qubits.

    Args:
        matrix: Shape ``(levels**(2 k), levels**(2 k))``, on row-major vectors.
        data: Density matrix, or any operator, shape ``(dim, dim)``.
        positions: The k qubits, ascending.
        levels: Levels per qubit.
        n_qubits: Qubits of the state.
    """
    both = [*positions, *(n_qubits + position for position in positions)]
    return left_multiply(matrix, data.reshape(-1), both, levels, 2 * n_qubits).reshape(data.shape)


def project(state: State, qubits: Sequence[int], before: Sequence[int], after: Sequence[int]) -> State:
    """Return the normalised state of shots that found ``qubits`` in levels ``before`` and left them in ``after``."""
    n_qubits = len(state.qubits)
    data = state.data.copy()
    for qubit, old, new in zip(qubits, before, after, strict=True):
        position = state.qubits.index(qubit)
        shape = (state.levels**position, state.levels, state.levels ** (n_qubits - 1 - position))
        view = data.reshape(shape + shape if state.mixed else shape)
        moved = np.zeros_like(view)
        if state.mixed:
            moved[:, new, :, :, new, :] = view[:, old, :, :, old, :]
        else:
            moved[:, new, :] = view[:, old, :]
        data = moved.reshape(state.data.shape)
    weight = float(np.real(np.trace(data))) if state.mixed else float(np.linalg.norm(data))
    return State(state.qubits, state.levels, data / weight)
