"""Numba kernels of scheduling. Arrays in, arrays written in place; the neighbours check."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numba import njit

from qctrl.ir.gate_program import Opcode
from qctrl.jit import JIT
from qctrl.units import TURN

if TYPE_CHECKING:
    from numpy.typing import NDArray

Records: TypeAlias = Any
"""A structured array; Numba reads fields as attributes, which NumPy's types do not know."""

# Columns of the table of sites.
DURATION, ALIGNMENT, FIRST_RESOURCE, LAST_RESOURCE, FIRST_ACTION, LAST_ACTION, N_PLAYS, N_CAPTURES = range(8)
# Columns of the table of actions, and the kinds of actions.
KIND, FRAME, GROUP, SHAPE, OFFSET, LENGTH, WORD = range(7)
PLAY, SHIFT, CAPTURE, OPEN_SHIFT, CLEAR = range(5)

FIRST_OF_SITES: Final = -2
"""Rows that sites open name their expression so far below this; the scheduler puts them behind the circuit's own."""

_RZ, _DELAY, _BARRIER = int(Opcode.RZ), int(Opcode.DELAY), int(Opcode.BARRIER)
_WORD: Final = TURN - 1
_TURN_RAD: Final = 2 * math.pi


@njit(**JIT)
def round_up(ticks: Any, grid: Any) -> Any:
    """Return ticks, rounded up to a multiple of ``grid``, which is 1 or more."""
    if grid & (grid - 1) == 0:  # nearly every grid is a power of two, and a division takes as long as all else
        return (ticks + grid - 1) & -grid
    return -(-ticks // grid) * grid


@njit(**JIT)
def count_actions(rows: Records, sites: NDArray[np.int64]) -> tuple[Any, Any, Any]:
    """Return how many plays, captures and open rows a program has.

    Args:
        rows: dtype ``qctrl.ir.INSTRUCTION``.
        sites: Table of sites.
    """
    n_plays = n_captures = n_open = np.int64(0)
    for i in range(rows.shape[0]):
        site = rows[i].site
        if site >= 0:
            n_plays += sites[site, N_PLAYS]
            n_captures += sites[site, N_CAPTURES]
            if rows[i].expression >= 0:
                n_open += 1
    return n_plays, n_captures, n_open


@njit(**JIT)
def fold_block(
    rows: Records,
    inside: tuple[np.int64, np.int64, np.int64],
    sites: NDArray[np.int64],
    actions: NDArray[np.int64],
    amplitudes: NDArray[np.float64],
    reached: NDArray[np.int64],
    row_of: NDArray[np.int64],
    plays: Records,
    captures: Records,
    open_rows: Records,
    counts: NDArray[np.int64],
) -> None:
    """Write what a block plays and captures, virtual Z folded into the plays that follow them.

    Starts are written relative to those of their instructions.

    Args:
        rows: dtype ``qctrl.ir.INSTRUCTION``.
        inside: First and last of the block's rows, and its number.
        sites: Table of sites.
        actions: Table of actions.
        amplitudes: By action.
        reached: In and out: phase of each group since block entry.
        row_of: In and out: latest row of each group since block entry, 0 for none.
        plays: Out: dtype ``qctrl.ir.PLAY``.
        captures: Out: dtype ``qctrl.ir.CAPTURE``.
        open_rows: Out: dtype ``qctrl.ir.ROW``.
        counts: In and out: plays, captures, open rows so far.
    """
    p, c, r = counts[0], counts[1], counts[2]
    block = inside[2]
    for i in range(inside[0], inside[1]):
        row = rows[i]
        site = row.site
        if site < 0:
            continue
        if row.opcode == _RZ:
            g = np.int64(row.qubit)
            if row.expression >= 0:
                open_rows[r].previous = row_of[g]
                open_rows[r].expression = row.expression
                row_of[g] = r
                r += 1
            else:
                reached[g] = (reached[g] + np.int64(np.rint(row.angle_rad / _TURN_RAD * TURN))) & _WORD
            continue
        for a in range(sites[site, FIRST_ACTION], sites[site, LAST_ACTION]):
            g = actions[a, GROUP]
            if actions[a, KIND] == SHIFT:
                reached[g] = (reached[g] + actions[a, WORD]) & _WORD
            elif actions[a, KIND] == PLAY:
                play = plays[p]
                p += 1
                phase, open_row = actions[a, WORD], np.int64(0)
                if g >= 0:
                    phase, open_row = phase + reached[g], row_of[g]
                play.block = block
                play.frame = actions[a, FRAME]
                play.start_ticks = actions[a, OFFSET]
                play.length_ticks = actions[a, LENGTH]
                play.amplitude = amplitudes[a]
                play.envelope = actions[a, SHAPE]
                play.phase = phase & _WORD
                play.phase_row = open_row
                play.source = row.source
            elif actions[a, KIND] == CAPTURE:
                capture = captures[c]
                c += 1
                capture.block = block
                capture.frame = actions[a, FRAME]
                capture.start_ticks = actions[a, OFFSET]
                capture.length_ticks = actions[a, LENGTH]
                capture.discriminator = actions[a, SHAPE]
                capture.clbit = row.clbit
                capture.weights = -1
                capture.source = row.source
            elif actions[a, KIND] == OPEN_SHIFT:
                open_rows[r].previous = row_of[g]
                open_rows[r].expression = FIRST_OF_SITES - actions[a, SHAPE]
                row_of[g] = r
                r += 1
            else:
                reached[g], row_of[g] = 0, 0
    counts[0], counts[1], counts[2] = p, c, r


@njit(**JIT)
def place_block(
    rows: Records,
    inside: tuple[np.int64, np.int64, np.int64],
    is_late: bool,
    sites: NDArray[np.int64],
    resources: NDArray[np.int64],
    barrier_qubits: NDArray[np.int32],
    clock: NDArray[np.int64],
    plays: Records,
    captures: Records,
    counts: NDArray[np.int64],
) -> np.int64:
    """Place the instructions of one block, as late as possible or as soon as possible.

    Late, the clocks run backwards from the block's end, soon, forwards from its start.

    Args:
        rows: dtype ``qctrl.ir.INSTRUCTION``.
        inside: First and last of the block's rows, and its grid in ticks.
        is_late: Whether as late as possible.
        sites: Table of sites.
        resources: Qubits, then frames, that sites keep busy.
        barrier_qubits: What barriers refer to.
        clock: Scratch, one per resource.
        plays: In and out: starts become those in the block.
        captures: In and out: likewise.
        counts: Plays and captures up to the end of this block, then up to its beginning.

    Returns:
        Length of the block in ticks, on its grid.
    """
    clock[:] = 0
    longest = np.int64(0)
    p, c = (counts[0], counts[1]) if is_late else (counts[3], counts[4])
    for step in range(inside[1] - inside[0]):
        i = inside[1] - 1 - step if is_late else inside[0] + step
        row = rows[i]
        site = row.site
        t = np.int64(0)
        if site >= 0:
            if row.opcode == _RZ:  # takes no time and waits for nobody
                continue
            first, last = sites[site, FIRST_RESOURCE], sites[site, LAST_RESOURCE]
            for k in range(first, last):
                t = max(t, clock[resources[k]])
            start = round_up(t, sites[site, ALIGNMENT])
            t = start + sites[site, DURATION]
            for k in range(first, last):
                clock[resources[k]] = t
            n_plays, n_captures = sites[site, N_PLAYS], sites[site, N_CAPTURES]
            if is_late:
                start = -t
                p -= n_plays
                c -= n_captures
            for k in range(p, p + n_plays):
                plays[k].start_ticks += start
            for k in range(c, c + n_captures):
                captures[k].start_ticks += start
            if not is_late:
                p += n_plays
                c += n_captures
        elif row.opcode == _DELAY:
            t = clock[row.qubit] + row.ticks
            clock[row.qubit] = t
        elif row.opcode == _BARRIER:
            first, last = np.int64(row.first), np.int64(row.first) + np.int64(row.count)
            for k in range(first, last):
                t = max(t, clock[barrier_qubits[k]])
            if row.ticks > 0:
                t = round_up(t, row.ticks)
            for k in range(first, last):
                clock[barrier_qubits[k]] = t
        longest = max(longest, t)
    length = np.int64(round_up(longest, inside[2]))
    if is_late:
        for k in range(counts[3], counts[0]):
            plays[k].start_ticks += length
        for k in range(counts[4], counts[1]):
            captures[k].start_ticks += length
    return length


@njit(**JIT)
def carry_block(
    block: int,
    frame_group: NDArray[np.int64],
    reached: NDArray[np.int64],
    row_of: NDArray[np.int64],
    shifts: Records,
    n_shifts: int,
) -> int:
    """Write the shifts that a block leaves on the frames, dtype ``qctrl.ir.SHIFT``; return how many there are now."""
    for frame in range(frame_group.shape[0]):
        g = frame_group[frame]
        if g >= 0 and (reached[g] != 0 or row_of[g] != 0):
            shift = shifts[n_shifts]
            shift.block = block
            shift.frame = frame
            shift.phase = reached[g]
            shift.phase_row = row_of[g]
            n_shifts += 1
    return n_shifts


@njit(**JIT)
def schedule_blocks(
    rows: Records,
    bounds: NDArray[np.int64],
    n_open: int,
    grid: int,
    is_late: bool,
    sites: NDArray[np.int64],
    resources: NDArray[np.int64],
    actions: NDArray[np.int64],
    amplitudes: NDArray[np.float64],
    frame_group: NDArray[np.int64],
    barrier_qubits: NDArray[np.int32],
    n_resources: int,
    n_groups: int,
    plays: Records,
    captures: Records,
    open_rows: Records,
    shifts: Records,
    block_ticks: NDArray[np.int64],
) -> int:
    """Fold and place block by block; arguments as in ``fold_block`` and ``place_block``.

    Args:
        rows: dtype ``qctrl.ir.INSTRUCTION``.
        bounds: Rows of block k are ``bounds[k] : bounds[k + 1]``.
        n_open: Blocks before this one leave their shifts to the frames.
        grid: Grid of block lengths, in ticks.
        is_late: Whether instructions start as late as possible.
        sites: Table of sites.
        resources: Qubits, then frames, that sites keep busy.
        actions: Table of actions.
        amplitudes: By action.
        frame_group: Group of each frame.
        barrier_qubits: What barriers refer to.
        n_resources: How many there are.
        n_groups: Groups of frames that share their phase.
        plays: Out: dtype ``qctrl.ir.PLAY``.
        captures: Out: dtype ``qctrl.ir.CAPTURE``.
        open_rows: Out: dtype ``qctrl.ir.ROW``.
        shifts: Out: dtype ``qctrl.ir.SHIFT``; room for ``n_open`` times all frames.
        block_ticks: Out: length of each block.

    Returns:
        The number of shifts.
    """
    counts, clock, groups = np.zeros(5, np.int64), np.empty(n_resources, np.int64), np.empty((2, n_groups), np.int64)
    open_rows[0].previous = 0
    open_rows[0].expression = -1
    counts[2] = 1
    n_shifts = 0
    for block in range(bounds.shape[0] - 1):
        groups[:] = 0
        counts[3], counts[4] = counts[0], counts[1]
        first, last = bounds[block], bounds[block + 1]
        fold_block(
            rows,
            (first, last, np.int64(block)),
            sites,
            actions,
            amplitudes,
            groups[0],
            groups[1],
            plays,
            captures,
            open_rows,
            counts,
        )
        block_ticks[block] = place_block(
            rows,
            (first, last, np.int64(grid)),
            is_late,
            sites,
            resources,
            barrier_qubits,
            clock,
            plays,
            captures,
            counts,
        )
        if block < n_open:
            n_shifts = carry_block(block, frame_group, groups[0], groups[1], shifts, n_shifts)
    return n_shifts
