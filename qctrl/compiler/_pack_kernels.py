"""Numba kernels of packing: events in the order of the wire, and a bound on every port's output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numba import njit

from qctrl.jit import JIT
from qctrl.protocol import EventOp, RowField
from qctrl.units import GAIN_ONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

Records: TypeAlias = Any
"""A structured array; Numba reads fields as attributes, which NumPy's types do not know."""

# What the packer reports.
PLAY_OFF_GRID, CAPTURE_OFF_GRID, BAD_AMPLITUDE, BEYOND_PEAK, UNSORTED = range(5)

_PLAY_EVENT, _CAPTURE_EVENT, _SHIFT_EVENT = int(EventOp.PLAY), int(EventOp.CAPTURE), int(EventOp.SHIFT_PHASE)
_TUNE_EVENT, _BY_GAIN, _BY_FREQUENCY = int(EventOp.SET_FREQUENCY), int(RowField.GAIN), int(RowField.FREQUENCY)
_SLACK: Final = 1e-9


@njit(**JIT)
def _order_key(start: Any, is_timed: int, frame: Any) -> np.int64:
    """Return a number that sorts the events of one port: start, then shifts before plays, then frame."""
    return (np.int64(start) << 20) | (np.int64(is_timed) << 16) | np.int64(frame)


@njit(**JIT)
def _event_key(event: Any) -> np.int64:
    return _order_key(event.start_ticks, 1 if event.op <= _CAPTURE_EVENT else 0, event.frame)


@njit(**JIT)
def sort_events(events: Records, first: int, last: int, budget: int) -> int:
    """Sort the events of one port in place by insertion; they nearly are, since a frame's events come in order.

    Returns:
        What is left of the budget of moves; negative if it did not suffice.
    """
    moved = events[0:1].copy()
    for k in range(first + 1, last):
        key = _event_key(events[k])
        if _event_key(events[k - 1]) <= key:
            continue
        moved[0] = events[k]
        at = k
        while at > first and _event_key(events[at - 1]) > key:
            events[at] = events[at - 1]
            at -= 1
            budget -= 1
        events[at] = moved[0]
        if budget < 0:
            return budget
    return budget


@njit(**JIT)
def peak_of_port(
    events: Records, first: int, last: int, peaks: NDArray[np.float64], active: NDArray[np.float64]
) -> float:
    """Return the largest sum of the peaks of plays that overlap, for the sorted events of one port.

    Args:
        events: dtype ``qctrl.protocol.EVENT``.
        first: First event of the port.
        last: Event behind its last one.
        peaks: Largest magnitude of each envelope.
        active: Scratch, shape ``(2, n)`` for up to n plays at a time: ends and peaks.
    """
    n = 0
    worst = 0.0
    for k in range(first, last):
        if events[k].op != _PLAY_EVENT:
            continue
        start = float(events[k].start_ticks)
        kept, level = 0, 0.0
        for j in range(n):
            if active[0, j] > start:
                active[0, kept], active[1, kept] = active[0, j], active[1, j]
                level += active[1, j]
                kept += 1
        active[0, kept] = start + float(events[k].length_ticks)
        active[1, kept] = abs(float(events[k].gain)) * peaks[events[k].target] / GAIN_ONE
        worst = max(worst, level + active[1, kept])
        n = kept + 1
    return worst


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
    ports: NDArray[np.int64],
    port_peak: NDArray[np.float64],
    faults: NDArray[np.int64],
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
        ports: Scratch, shape ``(5, n_ports)``.
        port_peak: Scratch, shape ``(n_ports,)``.
        faults: Out: first play and first capture off their grid, first bad amplitude, first port beyond its limit,
            whether the events are left unsorted; -1 for none.

    Returns:
        Whether there is no fault.
    """
    faults[:] = -1
    port_peak[:] = 0.0
    count, cursor, last_key, last_end, rough = ports[0], ports[1], ports[2], ports[3], ports[4]
    count[:] = 0
    active = np.empty((2, frame_port.shape[0] + 1), np.float64)
    budget = np.int64(64) * events.shape[0] + 1_000_000
    has_rows = play_rows.shape[0] > 0
    p = c = s = u = done = 0
    for block in range(blocks.shape[0]):
        p_end, c_end, s_end, u_end = p, c, s, u
        while p_end < plays.shape[0] and plays[p_end].block == block:
            count[frame_port[plays[p_end].frame]] += 1
            p_end += 1
        while c_end < captures.shape[0] and captures[c_end].block == block:
            count[frame_port[captures[c_end].frame]] += 1
            c_end += 1
        while s_end < shifts.shape[0] and shifts[s_end].block == block:
            count[frame_port[shifts[s_end].frame]] += 1
            s_end += 1
        while u_end < tunes.shape[0] and tunes[u_end].block == block:
            count[frame_port[tunes[u_end].frame]] += 1
            u_end += 1
        n = 0
        for port in range(count.shape[0]):
            cursor[port] = done + n
            n += count[port]
            last_key[port], last_end[port], rough[port] = -1, 0, 0
        for k in range(u, u_end):
            tune = tunes[k]
            port = frame_port[tune.frame]
            event = events[cursor[port]]
            cursor[port] += 1
            event.start_ticks = tune.start_ticks
            event.length_ticks = 0
            event.op = _TUNE_EVENT
            event.row_field = _BY_FREQUENCY if tune.row != 0 else 0
            event.frame = tune.frame
            event.target = 0
            event.gain = np.int32(np.uint32(tune.word & 0xFFFFFFFF))
            event.phase = np.uint32((tune.word >> 32) & 0xFFFFFFFF)
            event.phase_row = 0
            event.value_row = tune.row
            key = _order_key(tune.start_ticks, 0, tune.frame)
            if key < last_key[port]:
                rough[port] = 1
            last_key[port] = key
        for k in range(p, p_end):
            play = plays[k]
            port = frame_port[play.frame]
            grid = port_grid[port]
            start = play.start_ticks * ratio
            length = -(-(play.length_ticks * ratio) // grid) * grid
            if start % grid != 0 and faults[PLAY_OFF_GRID] < 0:
                faults[PLAY_OFF_GRID] = k
            if not abs(play.amplitude) <= 1.0 and faults[BAD_AMPLITUDE] < 0:
                faults[BAD_AMPLITUDE] = k
            gain = np.int64(np.rint(play.amplitude * GAIN_ONE))
            target = envelope_of[play.envelope, frame_rate[play.frame]]
            event = events[cursor[port]]
            cursor[port] += 1
            event.start_ticks = start
            event.length_ticks = length
            event.op = _PLAY_EVENT
            event.row_field = 0
            event.frame = play.frame
            event.target = target
            event.gain = gain
            event.phase = play.phase
            event.phase_row = play.phase_row
            event.value_row = 0
            if has_rows and play_rows[k] != 0:
                event.row_field = _BY_GAIN
                event.value_row = play_rows[k]
            key = _order_key(start, 1, play.frame)
            if key < last_key[port] or start < last_end[port]:
                rough[port] = 1
            last_key[port] = key
            last_end[port] = start + length
            peak = abs(float(gain)) * peaks[target] / GAIN_ONE
            port_peak[port] = max(port_peak[port], peak)
        for k in range(c, c_end):
            capture = captures[k]
            port = frame_port[capture.frame]
            grid = port_grid[port]
            start = capture.start_ticks * ratio
            if start % grid != 0 and faults[CAPTURE_OFF_GRID] < 0:
                faults[CAPTURE_OFF_GRID] = k
            event = events[cursor[port]]
            cursor[port] += 1
            event.start_ticks = start
            event.length_ticks = -(-(capture.length_ticks * ratio) // grid) * grid
            event.op = _CAPTURE_EVENT
            event.row_field = 0
            event.frame = capture.frame
            event.target = k
            event.gain = 0
            event.phase = 0
            event.phase_row = 0
            event.value_row = 0
            key = _order_key(start, 1, capture.frame)
            if key < last_key[port]:
                rough[port] = 1
            last_key[port] = key
            window = windows[k]
            window.frame = capture.frame
            window.weights = capture.weights
            window.discriminator = capture.discriminator
            window.clbit = capture.clbit
            window.index = k
            window.zero = 0
        for k in range(s, s_end):
            shift = shifts[k]
            port = frame_port[shift.frame]
            event = events[cursor[port]]
            cursor[port] += 1
            event.start_ticks = block_ticks[block]
            event.length_ticks = 0
            event.op = _SHIFT_EVENT
            event.row_field = 0
            event.frame = shift.frame
            event.target = 0
            event.gain = 0
            event.phase = shift.phase
            event.phase_row = shift.phase_row
            event.value_row = 0
            key = _order_key(block_ticks[block], 0, shift.frame)
            if key < last_key[port]:
                rough[port] = 1
            last_key[port] = key
        for port in range(count.shape[0]):
            if rough[port] != 0:
                first = cursor[port] - count[port]
                budget = sort_events(events, first, cursor[port], budget)
                if budget < 0:
                    faults[UNSORTED] = 1
                else:
                    port_peak[port] = max(port_peak[port], peak_of_port(events, first, cursor[port], peaks, active))
            count[port] = 0
        blocks[block].first_event = done
        blocks[block].n_events = n
        blocks[block].length_ticks = block_ticks[block]
        done += n
        p, c, s, u = p_end, c_end, s_end, u_end
    for port in range(port_peak.shape[0]):
        # A port that plays nothing is not looked at: its idle level was checked with the setup.
        need = max(
            port_limit[port, 0] * port_peak[port] + port_limit[port, 1],
            port_limit[port, 2] * port_peak[port] + port_limit[port, 3],
        )
        if port_peak[port] > 0 and not need <= port_limit[port, 4] + _SLACK and faults[BEYOND_PEAK] < 0:
            faults[BEYOND_PEAK] = port
    return faults.max() < 0
