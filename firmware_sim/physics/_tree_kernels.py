"""Numba kernels of the tree: pure states that branch by quantum jumps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from firmware_sim.physics._chain_kernels import leak, peel, redraw
from firmware_sim.physics._gate_kernels import CHUNK, MOST, apply_gates, layout_of, measure_norms
from qctrl.jit import JIT

if TYPE_CHECKING:
    from firmware_sim.physics.tables import (
        Book,
        Channels,
        Complexes,
        Gates,
        Integers,
        Jumps,
        Kets,
        Layouts,
        Memory,
        Patterns,
        Reals,
        Shots,
    )


@njit(**JIT)
def turned(operator: Complexes, angle: float, totals: Integers, out: Complexes) -> None:
    """Write ``D A D^dag``, ``D = exp(-i angle n)``, into the corner of ``out``."""
    dim = totals.shape[0]
    if angle == 0.0:
        for r in range(dim):
            for s in range(dim):
                out[r, s] = operator[r, s]
        return
    one = np.cos(angle) - 1j * np.sin(angle)
    for r in range(dim):
        for s in range(dim):
            factor = 1.0 + 0.0j
            for _ in range(abs(totals[r] - totals[s])):
                factor *= one
            out[r, s] = operator[r, s] * (factor if totals[r] > totals[s] else factor.conjugate())


@njit(**JIT)
def act(operator: Complexes, layout: tuple[Integers, Integers, int], source: tuple[Reals, Reals],
        target: tuple[Reals, Reals]) -> float:  # fmt: skip
    """Write an operator times one ket, and return the squared norm of the result."""
    offsets, bases, inner = layout
    xr, xi = source
    yr, yi = target
    dim = offsets.shape[0]
    norm = 0.0
    for b in range(bases.shape[0]):
        for i in range(bases[b], bases[b] + inner):
            for r in range(dim):
                a = 0.0
                c = 0.0
                for s in range(dim):
                    g = operator[r, s].real
                    h = operator[r, s].imag
                    u = xr[i + offsets[s]]
                    v = xi[i + offsets[s]]
                    a += g * u - h * v
                    c += g * v + h * u
                yr[i + offsets[r]] = a
                yi[i + offsets[r]] = c
                norm += a * a + c * c
    return norm


@njit(**JIT)
def reduce(layout: tuple[Integers, Integers, int], source: tuple[Reals, Reals], rho: Complexes) -> None:
    """Write the density matrix of some digits of one ket into the corner of ``rho``."""
    offsets, bases, inner = layout
    xr, xi = source
    dim = offsets.shape[0]
    for r in range(dim):
        for s in range(r + 1):
            a = 0.0
            c = 0.0
            for b in range(bases.shape[0]):
                for i in range(bases[b], bases[b] + inner):
                    u = i + offsets[r]
                    v = i + offsets[s]
                    a += xr[u] * xr[v] + xi[u] * xi[v]
                    c += xi[u] * xr[v] - xr[u] * xi[v]
            rho[r, s] = a + 1j * c
            rho[s, r] = a - 1j * c


@njit(**JIT)
def load(kets: Kets, c: int, out: tuple[Reals, Reals]) -> None:
    """Copy a column out."""
    real, imag, dim, sheet = kets
    begin = c // sheet * dim * sheet + c % sheet
    for i in range(dim):
        out[0][i] = real[begin + i * sheet]
        out[1][i] = imag[begin + i * sheet]


@njit(**JIT)
def store(kets: Kets, c: int, values: tuple[Reals, Reals], scale: float) -> None:
    """Write a column."""
    real, imag, dim, sheet = kets
    begin = c // sheet * dim * sheet + c % sheet
    for i in range(dim):
        real[begin + i * sheet] = values[0][i] * scale
        imag[begin + i * sheet] = values[1][i] * scale


@njit(**JIT)
def weigh(jumps: Jumps, which: int, angle: float, totals: Integers, rho: Complexes, operator: Complexes,
          cumulative: Reals) -> None:  # fmt: skip
    """Write the cumulative weights ``tr(K^dag K rho)`` of the jumps of a set."""
    first_operator, _, weights, _, _ = jumps
    total = 0.0
    for t in range(first_operator[which], first_operator[which + 1]):
        turned(weights[t], angle, totals, operator)
        for r in range(totals.shape[0]):
            for s in range(totals.shape[0]):
                total += operator[r, s].real * rho[s, r].real - operator[r, s].imag * rho[s, r].imag
        cumulative[t - first_operator[which]] = total


@njit(**JIT)
def settle(
    c: int, span: tuple[int, int, bool], counts: tuple[int, int, int], kets: Kets, channels: Channels,
    layouts: Layouts, jumps: Jumps, book: Book, shots: Shots, memory: Memory,
) -> tuple[int, int, int]:  # fmt: skip
    """Take one column through the channels of a segment one by one, and let its shots jump.

    Args:
        c: The column.
        span: First and one past the last channel of the segment, whether the segment's gates were truncated.
        counts: Columns in use, columns still to settle, free columns.
        kets: Real and imaginary parts, flat ``(n_sheets, dim, sheet)``, and the last two.
        channels: As in :func:`advance`; likewise the others.
        layouts: ...
        jumps: ...
        book: ...
        shots: ...
        memory: Columns to settle, free columns, two kets, two small matrices, weights, counter and words of draws.

    Returns:
        The counts afterwards.
    """
    first_channel, last_channel, truncated = span
    width, n_todo, n_free = counts
    _, chan_layout, chan_jumps, chan_angle = channels
    first_operator, operators, _, keep, undo = jumps
    head, norms, start, taken = book
    todo, free, here, there, rho, operator, weights, random = memory
    threshold = shots[3]
    load(kets, c, here)
    is_child = start[c] > first_channel
    norm = norms[c]
    if not is_child:
        for k in range(last_channel - 1, first_channel - 1, -1):
            which = chan_layout[k]
            turned(undo[chan_jumps[k]], chan_angle[k], layouts[5][layouts[0][which] : layouts[0][which + 1]], operator)
            norm = act(operator, layout_of(layouts, which), here, there)
            here, there = there, here
        if truncated:
            leak(c, norm, book, shots, random)
    for k in range(start[c], last_channel):
        layout = layout_of(layouts, chan_layout[k])
        totals = layouts[5][layouts[0][chan_layout[k]] : layouts[0][chan_layout[k] + 1]]
        angle = chan_angle[k]
        turned(keep[chan_jumps[k]], angle, totals, operator)
        after_norm = act(operator, layout, here, there)
        lowest = first_operator[chan_jumps[k]]
        n_kinds = first_operator[chan_jumps[k] + 1] - lowest
        if n_kinds > 0 and head[c] >= 0 and threshold[head[c]] > after_norm:
            reduce(layout, here, rho)
            weigh(jumps, chan_jumps[k], angle, totals, rho, operator, weights)
            peel(c, (norm, after_norm), weights[:n_kinds], book, shots)
            for t in range(n_kinds):
                if taken[t] < 0:
                    continue
                child = width
                if n_free > 0:
                    n_free -= 1
                    child = free[n_free]
                else:
                    width += 1
                turned(operators[lowest + t], angle, totals, operator)
                store(kets, child, there, 1.0 / np.sqrt(act(operator, layout, here, there)))
                head[child] = redraw(taken[t], 1.0, shots, random)
                norms[child] = 1.0
                start[child] = k + 1
                todo[n_todo] = child
                n_todo += 1
            # The children were made in the place of the ket that did not jump.
            turned(keep[chan_jumps[k]], angle, totals, operator)
            act(operator, layout, here, there)
        here, there = there, here
        norm = after_norm
    norms[c] = norm
    if head[c] < 0:
        free[n_free] = c
        n_free += 1
    elif is_child:
        store(kets, c, here, 1.0)
    return width, n_todo, n_free


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
def advance(
    where: tuple[int, int, int], kets: Kets, gates: Gates, channels: Channels, layouts: Layouts, patterns: Patterns,
    jumps: Jumps, book: Book, shots: Shots, truncated: bool,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Take all columns through segments until the last, or until there is no room for new columns.

    After the gates of a segment, which include "no jump" of each of its channels, a shot whose threshold lies above
    its column's norm jumped. For its column the channels are undone and gone through one by one, so that each shot
    jumps where its norm first fell below the threshold, and its child goes on through the channels that follow: exact,
    with any number of jumps.

    Args:
        where: Segment to begin with, 1 if its gates were applied already, columns in use.
        kets: Real and imaginary parts, flat ``(n_sheets, dim, sheet)``, and the last two.
        gates: By segment, first gate; by gate, layout, pattern, place of its entries; entries, real and imaginary.
        channels: By segment, first channel; by channel, layout, jump set, angle of its drive.
        layouts: Places of offsets; offsets; places of bases; bases; inner rows; excitations of each offset.
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
    scratch = (np.empty((MOST, CHUNK)), np.empty((MOST, CHUNK)))
    here = (np.empty(dim), np.empty(dim))
    todo = np.empty(capacity, dtype=np.int64)
    free = np.empty(capacity, dtype=np.int64)
    random = (np.zeros(4, dtype=np.uint64), np.empty(4, dtype=np.uint64))
    small = (np.empty((9, 9), dtype=np.complex128), np.empty((9, 9), dtype=np.complex128))
    weights = np.empty(jumps[1].shape[0] + 1)
    memory = (todo, free, here, (np.empty(dim), np.empty(dim)), small[0], small[1], weights, random)
    while segment < gates[0].shape[0] - 1:
        if ready == 0:
            apply_gates((gates[0][segment], gates[0][segment + 1]), kets, width, gates, layouts, patterns, scratch)
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
                span = (first, last, truncated)
                width, n_todo, n_free = settle(
                    todo[n_todo - 1], span, counts, kets, channels, layouts, jumps, book, shots, memory
                )
            width = close_gaps(kets, book, free, n_free, width, here)
        segment += 1
        ready = 0
    return segment, 0, width, width
