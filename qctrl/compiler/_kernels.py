"""Numba kernels of scheduling and binding. Arrays in, arrays written in place; the neighbours check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import njit

from qctrl.jit import JIT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PLAY = 0
"""Takes the phase that its group has reached."""
SHIFT = 1
"""Adds a word to its group."""
ROW = 2
"""Opens the next row of its group."""


@njit(**JIT)
def place_alap(
    pointer: NDArray[np.int64],
    resource: NDArray[np.int64],
    duration: NDArray[np.int64],
    alignment: NDArray[np.int64],
    clock: NDArray[np.int64],
    start: NDArray[np.int64],
) -> int:
    """Place instructions of one block as late as possible, measured backwards from the block's end.

    Args:
        pointer: Instruction i uses ``resource[pointer[i] : pointer[i + 1]]``; shape ``(n + 1,)``.
        resource: Indices of qubits and frames.
        duration: Ticks per instruction, shape ``(n,)``.
        alignment: Instruction i ends a multiple of this before the block's end, shape ``(n,)``.
        clock: Scratch, one per resource.
        start: Out: ticks from the end of the instruction to the end of the block, shape ``(n,)``.

    Returns:
        Ticks that the block needs.
    """
    clock[:] = 0
    longest = 0
    for i in range(duration.shape[0] - 1, -1, -1):
        t = 0
        for k in range(pointer[i], pointer[i + 1]):
            t = max(t, clock[resource[k]])
        t = -(-t // alignment[i]) * alignment[i]
        start[i] = t
        t += duration[i]
        for k in range(pointer[i], pointer[i + 1]):
            clock[resource[k]] = t
        if pointer[i] != pointer[i + 1]:
            longest = max(longest, t)
    return longest


@njit(**JIT)
def fold_phases(  # noqa: PLR0917  (arrays in, arrays out)
    kind: NDArray[np.uint8],
    group: NDArray[np.int64],
    word: NDArray[np.int64],
    reached: NDArray[np.int64],
    row_of: NDArray[np.int64],
    next_row: int,
    phase: NDArray[np.uint32],
    row: NDArray[np.int64],
) -> int:
    """Fold virtual Z of one block into the plays that follow them.

    Args:
        kind: ``PLAY``, ``SHIFT`` or ``ROW``, in circuit order, shape ``(n,)``.
        group: Phase group, -1 for none.
        word: Own phase of a play, or what a shift adds, in 2**-32 turn.
        reached: In and out: phase of each group since block entry.
        row_of: In and out: latest row of each group since block entry, 0 for none.
        next_row: First free row.
        phase: Out: phase word of each play, shape ``(n,)``.
        row: Out: row of each play; for ``ROW`` the row before it.

    Returns:
        The next free row.
    """
    for i in range(kind.shape[0]):
        g = group[i]
        if kind[i] == PLAY:
            if g < 0:
                phase[i] = word[i] & 0xFFFFFFFF
                row[i] = 0
            else:
                phase[i] = (word[i] + reached[g]) & 0xFFFFFFFF
                row[i] = row_of[g]
        elif kind[i] == SHIFT:
            reached[g] = (reached[g] + word[i]) & 0xFFFFFFFF
        else:
            row[i] = row_of[g]
            row_of[g] = next_row
            next_row += 1
    return next_row


@njit(**JIT)
def sum_rows(
    words: NDArray[np.uint32], expression: NDArray[np.int64], previous: NDArray[np.int64], out: NDArray[np.uint32]
) -> None:
    """Sum quantised expressions along each row's chain of predecessors.

    Args:
        words: Word of each expression for each binding, shape ``(n_bindings, n_expressions)``.
        expression: Expression of each row; row 0 is skipped.
        previous: Row that each row continues; always an earlier one.
        out: Out: words, shape ``(n_bindings, n_rows)``.
    """
    for b in range(out.shape[0]):
        out[b, 0] = 0
        for r in range(1, out.shape[1]):
            total = int(out[b, previous[r]]) + int(words[b, expression[r]])
            out[b, r] = total & 0xFFFFFFFF
