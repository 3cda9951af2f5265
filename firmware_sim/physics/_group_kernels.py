"""Numba kernels: the gates of a segment on all columns, group by group of those that share the cache.

Columns are two real arrays, flat ``(n_sheets, dim, sheet)``. A sheet that the cache holds takes all gates at once. Of a
larger one, a group of gates on some of the digits takes as many lanes at once as the cache holds, one for each value of
the other digits, so that memory is passed once for a group and not for a gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from firmware_sim.physics._gate_kernels import apply_gate
from qctrl.jit import JIT

if TYPE_CHECKING:
    from firmware_sim.physics.tables import Gates, Groups, Integers, Kets, Layout, Layouts, Patterns, Reals

LANES: Final = 64
"""Values of the other digits that a group takes at once."""
_SUMS: Final = 32
"""Partial sums of norms, at least."""


@njit(**JIT)
def layout_of(layouts: Layouts, which: int) -> Layout:
    """Return offsets, bases and inner rows of a layout."""
    offset_places, offsets, base_places, bases, inner, _ = layouts
    return (
        offsets[offset_places[which] : offset_places[which + 1]],
        bases[base_places[which] : base_places[which + 1]],
        inner[which],
    )


@njit(**JIT)
def apply_span(
    span: tuple[int, int], sheet: tuple[Reals, Reals, int], gates: Gates, layouts: Layouts, patterns: Patterns,
    scratch: tuple[Reals, Reals],
) -> None:  # fmt: skip
    """Apply a range of gates to a sheet; tables as in ``_tree_kernels.advance``."""
    gate_layout, gate_pattern, first, value_real, value_imag = gates
    state_places, states, sector_places, sectors = patterns
    for g in range(span[0], span[1]):
        p = gate_pattern[g]
        pattern = (states[state_places[p] : state_places[p + 1]], sectors[sector_places[p] : sector_places[p + 1]])
        entries = (value_real[first[g] : first[g + 1]], value_imag[first[g] : first[g + 1]])
        apply_gate(sheet, layout_of(layouts, gate_layout[g]), pattern, entries, scratch)


@njit(**JIT)
def move_lanes(
    sheet: tuple[Reals, Reals], offsets: Integers, places: Integers, lanes: tuple[Reals, Reals], inward: bool
) -> None:
    """Copy some lanes of a sheet in, ``(n_offsets, n_places)``, or out.

    Args:
        sheet: Real and imaginary parts.
        offsets: Place of each value of the group's digits.
        places: Place of each lane.
        lanes: Real and imaginary parts.
        inward: Whether the lanes are written, not the sheet.
    """
    real, imag = sheet
    n = places.shape[0]
    beside = places[n - 1] - places[0] == n - 1
    for m in range(offsets.shape[0]):
        x = lanes[0][m * n : (m + 1) * n]
        y = lanes[1][m * n : (m + 1) * n]
        at = offsets[m] + places[0]
        if beside and inward:
            x[:] = real[at : at + n]
            y[:] = imag[at : at + n]
        elif beside:
            real[at : at + n] = x
            imag[at : at + n] = y
        elif inward:
            for j in range(n):
                x[j] = real[offsets[m] + places[j]]
                y[j] = imag[offsets[m] + places[j]]
        else:
            for j in range(n):
                real[offsets[m] + places[j]] = x[j]
                imag[offsets[m] + places[j]] = y[j]


@njit(**JIT)
def apply_groups(
    span: tuple[int, int], kets: Kets, width: int, groups: Groups, gates: Gates, layouts: tuple[Layouts, Layouts],
    patterns: Patterns, memory: tuple[Reals, Reals, Reals, Reals],
) -> None:  # fmt: skip
    """Apply a range of groups of gates to all columns; tables as in ``_tree_kernels.advance``."""
    real, imag, dim, sheet = kets
    _, group_gates, group_layout = groups
    scratch = (memory[0], memory[1])
    places = np.empty(LANES, dtype=np.int64)
    size = dim * sheet
    for begin in range(0, (width + sheet - 1) // sheet * size, size):
        whole = (real[begin : begin + size], imag[begin : begin + size])
        for group in range(span[0], span[1]):
            gate_span = (group_gates[group], group_gates[group + 1])
            if group_layout[group] < 0:
                apply_span(gate_span, (whole[0], whole[1], sheet), gates, layouts[1], patterns, scratch)
                continue
            rows, bases, inner = layout_of(layouts[0], group_layout[group])
            offsets = rows * sheet
            length = inner * sheet
            count = bases.shape[0] * length
            for lane in range(0, count, LANES):
                n = min(LANES, count - lane)
                for j in range(n):
                    places[j] = bases[(lane + j) // length] * sheet + (lane + j) % length
                some = (memory[2][: offsets.shape[0] * n], memory[3][: offsets.shape[0] * n])
                move_lanes(whole, offsets, places[:n], some, True)
                apply_span(gate_span, (some[0], some[1], n), gates, layouts[1], patterns, scratch)
                move_lanes(whole, offsets, places[:n], some, False)


@njit(**JIT)
def measure_norms(kets: Kets, width: int, norms: Reals) -> None:
    """Write the squared norm of each of the first ``width`` columns; those that share a sheet with them change too."""
    real, imag, dim, sheet = kets
    lanes = sheet * max(1, _SUMS // sheet)
    sums = np.empty(lanes)
    for k in range((width + sheet - 1) // sheet):
        sums[:] = 0.0
        last = (k + 1) * dim * sheet
        for i in range(k * dim * sheet, last, lanes):
            a = real[i : min(i + lanes, last)]
            b = imag[i : min(i + lanes, last)]
            for j in range(a.shape[0]):
                sums[j] += a[j] * a[j] + b[j] * b[j]
        for c in range(sheet):
            total = 0.0
            for j in range(c, lanes, sheet):
                total += sums[j]
            norms[k * sheet + c] = total
