"""Numba kernels: the jumps of one column at the end of a segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from firmware_sim.physics._chain_kernels import cut, leak, merge, peel, redraw, sort_chain
from firmware_sim.physics._gate_kernels import CHUNK, apply_gate, apply_narrow
from firmware_sim.physics._group_kernels import layout_of
from qctrl.jit import JIT

if TYPE_CHECKING:
    from firmware_sim.physics.tables import (
        Book,
        Channels,
        Complexes,
        Integers,
        Jumps,
        Kets,
        Layout,
        Layouts,
        Memory,
        Reals,
        Shots,
        Work,
    )


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
def squared_norm(ket: Work) -> float:
    """Return the squared norm of a ket, in four sums that the processor takes at once."""
    real, imag = ket
    n = real.shape[0]
    s0 = 0.0
    s1 = 0.0
    s2 = 0.0
    s3 = 0.0
    for i in range(0, n - 3, 4):
        s0 += real[i] * real[i] + imag[i] * imag[i]
        s1 += real[i + 1] * real[i + 1] + imag[i + 1] * imag[i + 1]
        s2 += real[i + 2] * real[i + 2] + imag[i + 2] * imag[i + 2]
        s3 += real[i + 3] * real[i + 3] + imag[i + 3] * imag[i + 3]
    for i in range(n - n % 4, n):
        s0 += real[i] * real[i] + imag[i] * imag[i]
    return (s0 + s1) + (s2 + s3)


@njit(**JIT)
def turned(operator: Complexes, angle: float, totals: Integers, out: Complexes) -> None:
    """Write ``D A D^dag``, ``D = exp(-i angle n)``, into the corner of ``out``."""
    dim = totals.shape[0]
    one = np.cos(angle) - 1j * np.sin(angle)
    for r in range(dim):
        for s in range(dim):
            value = operator[r, s]
            for _ in range(abs(totals[r] - totals[s])):
                value *= one if totals[r] > totals[s] else one.conjugate()
            out[r, s] = value


@njit(**JIT)
def act(operator: Complexes, angle: float, ket: Work, place: tuple[Layout, Integers], memory: Memory) -> None:
    """Multiply one ket by an operator turned by the angle of its drive, in place.

    Args:
        operator: Padded square.
        angle: Phase of the drive.
        ket: Real and imaginary parts.
        place: Layout, and excitations of each basis state of the operator.
        memory: As in :func:`settle`.
    """
    layout, totals = place
    scratch, entries, work, dense = memory[4], memory[5], memory[6], memory[9]
    dim = totals.shape[0]
    turned(operator, angle, totals, work[0])
    for r in range(dim):
        for s in range(dim):
            entries[0][r * dim + s] = work[0, r, s].real
            entries[1][r * dim + s] = work[0, r, s].imag
    if 2 * layout[2] <= CHUNK:
        apply_narrow(ket, layout, entries, scratch)
        return
    dense[1][1] = dim
    apply_gate((ket[0], ket[1], int(np.int64(1))), layout, dense, entries, scratch)


@njit(**JIT)
def reduce(layout: Layout, source: tuple[Reals, Reals], rho: Complexes) -> None:
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
def weigh(jumps: Jumps, which: int, rho: Complexes, dim: int, cumulative: Reals) -> int:
    """Write the cumulative weights ``tr(K^dag K rho)`` of the jumps of a set, and return how many there are."""
    first_operator, _, weights, _, _ = jumps
    first = first_operator[which]
    n_kinds = first_operator[which + 1] - first
    total = 0.0
    for t in range(n_kinds):
        for r in range(dim):
            total += weights[first + t, r, r].real * rho[r, r].real
            for s in range(r):
                w = weights[first + t, r, s]
                total += 2.0 * (w.real * rho[s, r].real - w.imag * rho[s, r].imag)
        cumulative[t] = total
    return n_kinds


@njit(**JIT)
def settle(
    c: int, span: tuple[int, int, bool], counts: tuple[int, int, int], kets: Kets, channels: Channels,
    layouts: Layouts, jumps: Jumps, book: Book, shots: Shots, memory: Memory,
) -> tuple[int, int, int]:  # fmt: skip
    """Let the shots of one column jump whose thresholds lie above its norm at the end of a segment.

    The column's channels are undone one by one, the last first, until each shot is at the channel in which the norm
    fell below its threshold. Its child goes on from there to the end of the segment, where it may have jumped again.

    Args:
        c: The column.
        span: First and one past the last channel of the segment, whether the segment's gates were truncated.
        counts: Columns in use, columns still to settle, free columns.
        kets: Real and imaginary parts, flat ``(n_sheets, dim, sheet)``, and the last two.
        channels: As in ``_tree_kernels.advance``; likewise the others.
        layouts: ...
        jumps: ...
        book: ...
        shots: ...
        memory: Columns to settle, free columns, two kets, scratch of gates, entries, two small matrices, weights,
            counter and words of draws, pattern of one sector.

    Returns:
        The counts afterwards.
    """
    first_channel, last_channel, truncated = span
    width, n_todo, n_free = counts
    _, chan_layout, chan_jumps, chan_angle = channels
    first_operator, operators, _, keep, undo = jumps
    head, norms, start, taken = book
    todo, free, here, there, _, _, work, weights, random, _ = memory
    threshold = shots[3]
    load(kets, c, here)
    norm = norms[c]
    rising = cut(c, norm, book, shots)
    begin = start[c]
    leaks = truncated and begin == first_channel
    k = last_channel
    while rising >= 0 and k > begin:
        k -= 1
        which = chan_layout[k]
        totals = layouts[5][layouts[0][which] : layouts[0][which + 1]]
        place = (layout_of(layouts, which), totals)
        act(undo[chan_jumps[k]], chan_angle[k], here, place, memory)
        after_norm = norm
        norm = squared_norm(here)
        # What is left at the segment's beginning jumped in its first channel, but for rounding.
        limit = norm if k > begin or leaks else 1.0
        if threshold[rising] > limit or first_operator[chan_jumps[k]] == first_operator[chan_jumps[k] + 1]:
            continue
        dim = totals.shape[0]
        reduce(place[0], here, work[1])
        turned(work[1], -chan_angle[k], totals, work[0])
        n_kinds = weigh(jumps, chan_jumps[k], work[0], dim, weights)
        rising = peel(rising, (norm, after_norm, limit), weights[:n_kinds], taken, shots)
        for t in range(n_kinds):
            if taken[t] < 0:
                continue
            child = width
            if n_free > 0:
                n_free -= 1
                child = free[n_free]
            else:
                width += 1
            there[0][:] = here[0]
            there[1][:] = here[1]
            act(operators[first_operator[chan_jumps[k]] + t], chan_angle[k], there, place, memory)
            scale = 1.0 / np.sqrt(squared_norm(there))
            for later in range(k + 1, last_channel):
                which = chan_layout[later]
                totals = layouts[5][layouts[0][which] : layouts[0][which + 1]]
                act(keep[chan_jumps[later]], chan_angle[later], there, (layout_of(layouts, which), totals), memory)
            norms[child] = squared_norm(there) * scale * scale
            start[child] = k + 1
            store(kets, child, there, scale)
            head[child] = redraw(taken[t], 1.0, shots, random)
            if threshold[head[child]] > norms[child]:
                todo[n_todo] = child
                n_todo += 1
    if rising >= 0 and leaks:
        leak(c, rising, norm, book, shots, random)
        if threshold[head[c]] > norms[c]:
            todo[n_todo] = c
            n_todo += 1
    elif rising >= 0:
        head[c] = merge(sort_chain(rising, shots[6], threshold), head[c], shots[6], threshold)
    if head[c] < 0:
        free[n_free] = c
        n_free += 1
    return width, n_todo, n_free
