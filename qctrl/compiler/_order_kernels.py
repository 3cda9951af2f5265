"""Numba kernels for the packed events of one port: their order, and how high its plays add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numba import njit

from qctrl.jit import JIT
from qctrl.protocol import EventOp
from qctrl.units import GAIN_ONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

Records: TypeAlias = Any
"""A structured array; Numba reads fields as attributes, which NumPy's types do not know."""

_PLAY_EVENT, _CAPTURE_EVENT = int(EventOp.PLAY), int(EventOp.CAPTURE)


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
def look_through(events: Records, first: int, last: int, peaks: NDArray[np.float64]) -> tuple[Any, Any]:
    """Return the largest peak of a play, and whether the events are in order and no two plays overlap."""
    highest, end, key, is_neat = 0.0, np.int64(0), np.int64(-1), True
    for k in range(first, last):
        event = events[k]
        before, key = key, _event_key(event)
        is_neat &= before <= key
        if event.op == _PLAY_EVENT:
            start = np.int64(event.start_ticks)
            is_neat &= end <= start
            end = start + np.int64(event.length_ticks)
            highest = max(highest, abs(float(event.gain)) * peaks[event.target] / GAIN_ONE)
    return highest, is_neat
