"""Numba kernels of packing: events in the order of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numba import njit

from qctrl.compiler._kernels import round_up
from qctrl.compiler._order_kernels import look_through, peak_of_port, sort_events
from qctrl.jit import JIT
from qctrl.protocol import EventOp, RowField
from qctrl.units import GAIN_ONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

Records: TypeAlias = Any
"""A structured array; Numba reads fields as attributes, which NumPy's types do not know."""

_PLAY_EVENT, _CAPTURE_EVENT, _SHIFT_EVENT = int(EventOp.PLAY), int(EventOp.CAPTURE), int(EventOp.SHIFT_PHASE)
_TUNE_EVENT, _BY_GAIN, _BY_FREQUENCY = int(EventOp.SET_FREQUENCY), int(RowField.GAIN), int(RowField.FREQUENCY)
_SLACK: Final = 1e-9


@njit(**JIT)
def _count(rows: Records, first: int, block: int, frame_port: NDArray[np.int64], count: NDArray[np.int64]) -> int:
    """Count a block's rows by port; return the first row behind it."""
    k = first
    while k < rows.shape[0] and rows[k].block == block:
        count[frame_port[rows[k].frame]] += 1
        k += 1
    return k


@njit(**JIT)
def _begin(event: Any, op: int, row: Any, start: Any) -> None:
    """Write what all events have, and zeros for the rest."""
    event.start_ticks = start
    event.length_ticks = 0
    event.op = op
    event.row_field = 0
    event.frame = row.frame
    event.target = 0
    event.gain = 0
    event.phase = 0
    event.phase_row = 0
    event.value_row = 0


@njit(**JIT)
def _put_tunes(
    tunes: Records, first: int, last: int, frame_port: NDArray[np.int64], cursor: NDArray[np.int64], events: Records
) -> None:
    for k in range(first, last):
        tune = tunes[k]
        port = frame_port[tune.frame]
        event = events[cursor[port]]
        cursor[port] += 1
        _begin(event, _TUNE_EVENT, tune, tune.start_ticks)
        event.row_field = _BY_FREQUENCY if tune.row != 0 else 0
        event.gain = np.int32(np.uint32(tune.word & 0xFFFFFFFF))
        event.phase = np.uint32((tune.word >> 32) & 0xFFFFFFFF)
        event.value_row = tune.row


@njit(**JIT)
def _put_plays(
    plays: Records,
    first: int,
    last: int,
    play_rows: NDArray[np.uint32],
    ratio: int,
    frame_port: NDArray[np.int64],
    frame_rate: NDArray[np.int64],
    port_grid: NDArray[np.int64],
    envelope_of: NDArray[np.int64],
    cursor: NDArray[np.int64],
    events: Records,
) -> bool:
    """Write the plays of a block; return whether they start on their grids, at amplitudes up to 1."""
    has_rows, is_good = play_rows.shape[0] > 0, True
    for k in range(first, last):
        play = plays[k]
        port = frame_port[play.frame]
        grid, start = port_grid[port], play.start_ticks * ratio
        is_good &= round_up(start, grid) == start
        is_good &= abs(play.amplitude) <= 1.0  # false for NaN
        event = events[cursor[port]]
        cursor[port] += 1
        _begin(event, _PLAY_EVENT, play, start)
        event.length_ticks = round_up(play.length_ticks * ratio, grid)
        event.target = envelope_of[play.envelope, frame_rate[play.frame]]
        event.gain = np.int64(np.rint(play.amplitude * GAIN_ONE))
        event.phase = play.phase
        event.phase_row = play.phase_row
        if has_rows and play_rows[k] != 0:
            event.row_field = _BY_GAIN
            event.value_row = play_rows[k]
    return is_good


@njit(**JIT)
def _put_captures(
    captures: Records,
    first: int,
    last: int,
    ratio: int,
    frame_port: NDArray[np.int64],
    port_grid: NDArray[np.int64],
    cursor: NDArray[np.int64],
    events: Records,
    windows: Records,
) -> bool:
    """Write the captures of a block; return whether they start on their grids."""
    is_good = True
    for k in range(first, last):
        capture = captures[k]
        port = frame_port[capture.frame]
        grid, start = port_grid[port], capture.start_ticks * ratio
        is_good &= round_up(start, grid) == start
        event = events[cursor[port]]
        cursor[port] += 1
        _begin(event, _CAPTURE_EVENT, capture, start)
        event.length_ticks = round_up(capture.length_ticks * ratio, grid)
        event.target = k
        window = windows[k]
        window.frame = capture.frame
        window.weights = capture.weights
        window.discriminator = capture.discriminator
        window.clbit = capture.clbit
        window.index = k
        window.zero = 0
    return is_good


@njit(**JIT)
def _put_shifts(
    shifts: Records,
    first: int,
    last: int,
    end_ticks: int,
    frame_port: NDArray[np.int64],
    cursor: NDArray[np.int64],
    events: Records,
) -> None:
    for k in range(first, last):
        shift = shifts[k]
        port = frame_port[shift.frame]
        event = events[cursor[port]]
        cursor[port] += 1
        _begin(event, _SHIFT_EVENT, shift, end_ticks)
        event.phase = shift.phase
        event.phase_row = shift.phase_row


@njit(**JIT)
def _is_within(port_peak: NDArray[np.float64], port_limit: NDArray[np.float64]) -> bool:
    """Return whether no port may go beyond its limit."""
    for port in range(port_peak.shape[0]):
        # A port that plays nothing is not looked at: its idle level was checked with the setup.
        need = max(
            port_limit[port, 0] * port_peak[port] + port_limit[port, 1],
            port_limit[port, 2] * port_peak[port] + port_limit[port, 3],
        )
        if port_peak[port] > 0 and not need <= port_limit[port, 4] + _SLACK:
            return False
    return True


@njit(**JIT)
def pack_events(
    plays: Records,
    captures: Records,
    shifts: Records,
    tunes: Records,
    play_rows: NDArray[np.uint32],
    ratio: int,
    frame_port: NDArray[np.int64],
    frame_rate: NDArray[np.int64],
    port_grid: NDArray[np.int64],
    port_limit: NDArray[np.float64],
    envelope_of: NDArray[np.int64],
    peaks: NDArray[np.float64],
    block_ticks: NDArray[np.int64],
    events: Records,
    blocks: Records,
    windows: Records,
) -> bool:
    """Pack a pulse program's events in the order of the wire: block, port, start, shifts first, frame.

    Events of one port come nearly sorted, so a counting sort by port is nearly all.

    Args:
        plays: dtype ``qctrl.ir.PLAY``, like the next two in the order of blocks.
        captures: dtype ``qctrl.ir.CAPTURE``.
        shifts: dtype ``qctrl.ir.SHIFT``.
        tunes: dtype ``RETUNE``, in the order of blocks.
        play_rows: Row that replaces each play's gain, 0 for none; may be empty.
        ratio: Setup's ticks per tick of the pulses.
        frame_port: Port of each frame.
        frame_rate: Number of the sample rate of each frame's port.
        port_grid: Granularity of each port, in ticks.
        port_limit: Per port what the peak is multiplied with and what is added, for I and for Q; then the limit.
        envelope_of: Packed envelope by envelope and rate.
        peaks: Largest magnitude of each packed envelope.
        block_ticks: Length of each block in the setup's ticks.
        events: Out: dtype ``qctrl.protocol.EVENT``.
        blocks: Out: dtype ``qctrl.protocol.BLOCK``.
        windows: Out: dtype ``qctrl.protocol.CAPTURE``.

    Returns:
        Whether all starts are on their grids, all amplitudes and ports within their limits, and all events in order.
    """
    n_ports = port_grid.shape[0]
    count, cursor, port_peak = np.zeros(n_ports, np.int64), np.empty(n_ports, np.int64), np.zeros(n_ports)
    active = np.empty((2, frame_port.shape[0] + 1), np.float64)
    budget = np.int64(64) * events.shape[0] + 1_000_000
    p = c = s = u = done = 0
    is_good = True
    for block in range(blocks.shape[0]):
        p_end = _count(plays, p, block, frame_port, count)
        c_end = _count(captures, c, block, frame_port, count)
        s_end = _count(shifts, s, block, frame_port, count)
        u_end = _count(tunes, u, block, frame_port, count)
        first = done
        for port in range(count.shape[0]):
            cursor[port] = done
            done += count[port]
        _put_tunes(tunes, u, u_end, frame_port, cursor, events)
        is_good &= _put_plays(
            plays, p, p_end, play_rows, ratio, frame_port, frame_rate, port_grid, envelope_of, cursor, events
        )
        is_good &= _put_captures(captures, c, c_end, ratio, frame_port, port_grid, cursor, events, windows)
        _put_shifts(shifts, s, s_end, block_ticks[block], frame_port, cursor, events)
        for port in range(count.shape[0]):
            start, end = cursor[port] - count[port], cursor[port]
            peak, is_neat = look_through(events, start, end, peaks)
            if not is_neat:
                budget = sort_events(events, start, end, budget)
                if budget < 0:
                    is_good = False
                else:
                    peak = peak_of_port(events, start, end, peaks, active)
            port_peak[port] = max(port_peak[port], peak)
            count[port] = 0
        blocks[block].first_event = first
        blocks[block].n_events = done - first
        blocks[block].length_ticks = block_ticks[block]
        p, c, s, u = p_end, c_end, s_end, u_end
    return is_good and _is_within(port_peak, port_limit)
