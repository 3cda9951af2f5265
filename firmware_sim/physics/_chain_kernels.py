"""Numba kernels: which shots are in which column, and the random thresholds at which they jump.

The shots of a column are a chain by falling threshold, so that those who jump are always at its head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from firmware_sim.physics._kernels import philox, uniform
from qctrl.jit import JIT

if TYPE_CHECKING:
    from firmware_sim.physics.tables import Book, Integers, Reals, Shots, Words

_U64 = np.uint64
_JUMP_STREAM: Final = _U64(2)
"""Fourth word of the counter; 0 and 1 belong to the readout."""
_LEAST: Final = 1e-300


@njit(**JIT)
def fresh(shots: Shots, shot: int, counter: Words, words: Words) -> float:
    """Return the next threshold of a shot: a number in [0, 1) that only seed, binding, shot and count decide."""
    key, binding, numbers, _, draws, _, _ = shots
    counter[0] = draws[shot]
    counter[1] = binding
    counter[2] = numbers[shot]
    counter[3] = _JUMP_STREAM
    philox(counter, key, words)
    draws[shot] += _U64(1)
    return uniform(words[0])


@njit(**JIT)
def draw_thresholds(shots: Shots) -> None:
    """Give every shot its first threshold."""
    counter = np.zeros(4, dtype=np.uint64)
    words = np.empty(4, dtype=np.uint64)
    for shot in range(shots[3].shape[0]):
        shots[3][shot] = fresh(shots, shot, counter, words)


@njit(**JIT)
def merge(first: int, second: int, after: Integers, threshold: Reals) -> int:
    """Join two chains of shots of falling threshold into one; return its head."""
    if first < 0:
        return second
    if second < 0:
        return first
    if threshold[second] > threshold[first]:
        first, second = second, first
    head = first
    while second >= 0:
        following = after[first]
        if following < 0 or threshold[second] > threshold[following]:
            after[first] = second
            second = following
            first = after[first]
        else:
            first = following
    return head


@njit(**JIT)
def sort_chain(head: int, after: Integers, threshold: Reals) -> int:
    """Sort a chain by falling threshold (merge sort, bottom up); return its head."""
    runs = np.full(48, -1, dtype=np.int64)
    while head >= 0:
        following = after[head]
        after[head] = -1
        run = head
        level = 0
        while runs[level] >= 0:
            run = merge(runs[level], run, after, threshold)
            runs[level] = -1
            level += 1
        runs[level] = run
        head = following
    for level in range(runs.shape[0]):
        head = merge(runs[level], head, after, threshold)
    return head


@njit(**JIT)
def chain_shots(column: Integers, rising: Integers, after: Integers, head: Integers) -> None:
    """Chain the shots of each column by falling threshold.

    Args:
        column: Column of each shot.
        rising: All shots by rising threshold.
        after: Next shot of the same column, -1 for none; written.
        head: First shot of each column, -1 for none; written.
    """
    head[:] = -1
    for shot in rising:
        c = column[shot]
        after[shot] = head[c]
        head[c] = shot


@njit(**JIT)
def unchain_shots(column: Integers, width: int, shots: Shots, head: Integers) -> None:
    """Write the column of each shot from the chains."""
    after = shots[6]
    for c in range(width):
        shot = head[c]
        while shot >= 0:
            column[shot] = c
            shot = after[shot]


@njit(**JIT)
def cut(c: int, norm: float, book: Book, shots: Shots) -> int:
    """Take the shots whose threshold is above a norm off a column's chain; return them as a chain that rises."""
    head = book[0]
    threshold, after = shots[3], shots[6]
    rising = -1
    shot = head[c]
    while shot >= 0 and threshold[shot] > norm:
        following = after[shot]
        after[shot] = rising
        rising = int(shot)
        shot = following
    head[c] = shot
    return rising


@njit(**JIT)
def peel(first: int, norms: tuple[float, float, float], cumulative: Reals, taken: Integers, shots: Shots) -> int:
    """Take the shots that jump off a rising chain, and chain them by kind of jump; return the rest.

    A threshold is uniform between the norms before and after the channel, so its place there chooses the kind without
    another draw.

    Args:
        first: First shot of the chain.
        norms: Squared norm before and after "no jump", and the highest threshold that jumps.
        cumulative: Weights of the kinds.
        taken: By kind of jump, first shot; written.
        shots: As in :func:`chain_shots`.
    """
    before, after_norm, limit = norms
    threshold, after = shots[3], shots[6]
    last = cumulative.shape[0] - 1
    taken[: last + 1] = -1
    spread = max(before - after_norm, _LEAST)
    shot = first
    while shot >= 0 and threshold[shot] <= limit:
        place = min(max(before - threshold[shot], 0.0) / spread, 1.0) * cumulative[last]
        kind = 0
        while kind < last and cumulative[kind] <= place:
            kind += 1
        following = after[shot]
        after[shot] = taken[kind]
        taken[kind] = shot
        shot = following
    return shot


@njit(**JIT)
def redraw(first: int, scale: float, shots: Shots, random: tuple[Words, Words]) -> int:
    """Give the shots of a chain fresh thresholds below ``scale``; return the head of the sorted chain."""
    _, _, _, threshold, _, _, after = shots
    shot = first
    while shot >= 0:
        threshold[shot] = fresh(shots, shot, random[0], random[1]) * scale
        shot = after[shot]
    return sort_chain(first, after, threshold)


@njit(**JIT)
def leak(c: int, lost: int, norm: float, book: Book, shots: Shots, random: tuple[Words, Words]) -> None:
    """Mark the shots of a chain, lost by a truncated gate; they stay in the column, with thresholds within its norm."""
    head = book[0]
    threshold, leaked, after = shots[3], shots[5], shots[6]
    shot = lost
    while shot >= 0:
        leaked[shot] = True
        shot = after[shot]
    head[c] = merge(redraw(lost, norm, shots, random), head[c], after, threshold)


@njit(**JIT)
def draw_column_outcomes(header: tuple[Words, np.uint64, np.uint64], shots: Words, column: Integers,
                         cumulative: Reals, outcomes: Integers) -> None:  # fmt: skip
    """Write the basis state that each shot finds in its column.

    Args:
        header: Key of two words, binding, draw block of this measurement; all uint64.
        shots: uint64, shape (n_shots,).
        column: Column of each shot, int64, shape (n_shots,).
        cumulative: Cumulative probabilities, last entry 1, shape (n_columns, n_states).
        outcomes: int64, shape (n_shots,), written.
    """
    key, binding, block = header
    counter = np.zeros(4, dtype=np.uint64)
    words = np.empty(4, dtype=np.uint64)
    counter[0] = block
    counter[1] = binding
    for shot in range(shots.shape[0]):
        counter[2] = shots[shot]
        philox(counter, key, words)
        value = uniform(words[0])
        row = cumulative[column[shot]]
        low = 0
        high = row.shape[0] - 1
        while low < high:
            middle = (low + high) // 2
            if value < row[middle]:
                high = middle
            else:
                low = middle + 1
        outcomes[shot] = low
