"""Numba kernels of the tree: pure states that branch by quantum jumps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from firmware_sim.physics._gate_kernels import CHUNK, MOST
from firmware_sim.physics._group_kernels import LANES, apply_groups, measure_norms
from firmware_sim.physics._jump_kernels import load, settle, store
from qctrl.jit import JIT

if TYPE_CHECKING:
    from firmware_sim.physics.tables import (
        Book,
        Channels,
        Gates,
        Groups,
        Integers,
        Jumps,
        Kets,
        Layouts,
        Patterns,
        Reals,
        Shots,
    )


@njit(**JIT)
def close_gaps(kets: Kets, book: Book, free: Integers, n_free: int, width: int, work: tuple[Reals, Reals]) -> int:
    """Move the last columns into columns that lost all their shots; return how many are left."""
    head, norms, _, _ = book
    for f in range(n_free):
        while width > 0 and head[width - 1] < 0:
            width -= 1
        hole = free[f]
        if hole < width:
            width -= 1
            load(kets, width, work)
            store(kets, hole, work, 1.0)
            head[hole] = head[width]
            norms[hole] = norms[width]
            head[width] = -1
    while width > 0 and head[width - 1] < 0:
        width -= 1
    return width


@njit(**JIT)
def most_rows(groups: Groups, layouts: Layouts) -> int:
    """Return the rows of the largest group that does not take all digits."""
    most = 0
    for which in groups[2]:
        if which >= 0:
            most = max(most, int(layouts[0][which + 1] - layouts[0][which]))
    return most


@njit(**JIT)
def advance(
    where: tuple[int, int, int], kets: Kets, groups: Groups, gates: Gates, channels: Channels,
    layouts: tuple[Layouts, Layouts], patterns: Patterns, jumps: Jumps, book: Book, shots: Shots, truncated: bool,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Take all columns through segments until the last, or until there is no room for new columns.

    After the gates of a segment, which include "no jump" of each of its channels, a shot whose threshold lies above
    its column's norm jumped. For its column the channels are undone and gone through one by one, so that each shot
    jumps where its norm first fell below the threshold, and its child goes on through the channels that follow: exact,
    with any number of jumps.

    Args:
        where: Segment to begin with, 1 if its gates were applied already, columns in use.
        kets: Real and imaginary parts, flat ``(n_sheets, dim, sheet)``, and the last two.
        groups: By segment, first group; by group, first gate and layout of its digits, -1 for all digits.
        gates: By gate, layout within its group, pattern, place of its entries; entries, real and imaginary.
        channels: By segment, first channel; by channel, layout, jump set, angle of its drive.
        layouts: Of groups and channels among all digits, and of gates in their groups, each as places of offsets;
            offsets; places of bases; bases; inner rows; excitations of each offset.
        patterns: Places of states; states sorted by sector; places of sectors; sectors.
        jumps: By set, first operator; jump operators K, weights K^dag K, "no jump", its inverse; padded squares.
        book: By column: first shot, squared norm, first channel to go through; by kind of jump: first shot.
        shots: Key, binding, shot numbers, thresholds, draws used, leaked flags, next shot of the same column.
        truncated: Whether gates lose norm to levels that are not there.

    Returns:
        The segment reached (their number at the end), whether its gates were applied, columns in use, and columns
        needed to go on.
    """
    segment, ready, width = where
    head, norms, start, _ = book
    threshold, after = shots[3], shots[6]
    dim = kets[2]
    capacity = kets[0].shape[0] // dim
    dtype = kets[0].dtype
    scratch = (np.empty((MOST, CHUNK), dtype), np.empty((MOST, CHUNK), dtype))
    # A group's rows times its lanes; a layout of all digits needs none.
    room = LANES * most_rows(groups, layouts[0])
    lanes = (scratch[0], scratch[1], np.empty(room, dtype), np.empty(room, dtype))
    todo = np.empty(capacity, dtype=np.int64)
    free = np.empty(capacity, dtype=np.int64)
    here = (np.empty(dim, dtype), np.empty(dim, dtype))
    there = (np.empty(dim, dtype), np.empty(dim, dtype))
    entries = (np.empty(MOST, dtype), np.empty(MOST, dtype))
    work = np.empty((2, 9, 9), dtype=np.complex128)
    weights = np.empty(jumps[1].shape[0] + 1)
    random = (np.zeros(4, dtype=np.uint64), np.empty(4, dtype=np.uint64))
    memory = (todo, free, here, there, scratch, entries, work, weights, random, (np.arange(9), np.zeros(2, np.int64)))
    while segment < groups[0].shape[0] - 1:
        if ready == 0:
            span = (groups[0][segment], groups[0][segment + 1])
            apply_groups(span, kets, width, groups, gates, layouts, patterns, lanes)
        first, last = channels[0][segment], channels[0][segment + 1]
        if last > first or truncated:
            measure_norms(kets, width, norms)
            n_jumping = 0
            n_todo = 0
            for c in range(width):
                shot = head[c]
                if threshold[shot] > norms[c]:
                    start[c] = first
                    todo[n_todo] = c
                    n_todo += 1
                while shot >= 0 and threshold[shot] > norms[c]:
                    n_jumping += 1
                    shot = after[shot]
            if n_jumping > 0 and width + n_jumping + 1 > capacity:
                return segment, 1, width, width + n_jumping + 1
            n_free = int(np.int64(0))  # Not a literal, of which Numba would make a second `settle`.
            while n_todo > 0:
                counts = (width, n_todo - 1, n_free)
                bounds = (first, last, truncated)
                width, n_todo, n_free = settle(
                    todo[n_todo - 1], bounds, counts, kets, channels, layouts[0], jumps, book, shots, memory
                )
            width = close_gaps(kets, book, free, n_free, width, here)
        segment += 1
        ready = 0
    return segment, 0, width, width
