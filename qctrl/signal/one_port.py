"""Plays one port over one block: stage by stage, or from cached responses as far as they serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qctrl.protocol import EventOp
from qctrl.signal import _dense_kernels, _kernels
from qctrl.signal._dense_kernels import TAIL, USED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.signal.line import OutputLine
    from qctrl.signal.responses import Bank

CROWD = 256
"""Events that are played stage by stage at least, before cached responses are tried again."""


class Stretch(NamedTuple):
    """The events of one port in one block, and the place for its samples."""

    events: NDArray[np.void]
    slot_of: NDArray[np.int32]
    words: NDArray[np.uint32]
    frames: NDArray[np.int64]
    """Registers, moved on."""
    start_tick: int
    out: NDArray[np.float64]


def play_stages(
    line: OutputLine, bank: Bank, stretch: Stretch, events: slice = slice(None), span: slice = slice(None)
) -> None:
    """Superpose plays and correct them, one stage after the other, in the samples of ``span``.

    Raises:
        ResourceError: A sample is out of range or not a number.
    """
    width, ticks = line.width, line.port.sample_ticks
    first, last, _ = span.indices(stretch.out.size // width)
    part = stretch.out[width * first : width * last]
    superpose(line, bank, stretch, events, span)
    x = part if width == 1 else part.view(np.complex128)
    x[:] = line.apply(x, stretch.start_tick + first * ticks)


def superpose(
    line: OutputLine, bank: Bank, stretch: Stretch, events: slice = slice(None), span: slice = slice(None)
) -> None:
    """Write the sum of plays to the samples of ``span``, all within, and move the registers on."""
    width, ticks = line.width, line.port.sample_ticks
    first, last, _ = span.indices(stretch.out.size // width)
    stretch.out[width * first : width * last] = 0.0
    _kernels.superpose(
        stretch.events[events],
        stretch.words,
        stretch.start_tick,
        (width, ticks),
        stretch.frames,
        bank.envelopes,
        bank.samples,
        stretch.out,
    )


def play_dense(line: OutputLine, bank: Bank, stretch: Stretch) -> None:
    """Write all samples of a port in a block, from cached responses where these serve.

    They serve plays that do not overlap, well within range. At the first other play a stretch of many events is played
    stage by stage, up to one that starts when all before have ended.

    Raises:
        ResourceError: A sample is out of range or not a number.
    """
    n_events, n_samples = len(stretch.events), stretch.out.size // line.width
    k, end, free = 0, 0, None
    bank.slots[:, USED] = 0
    bank.owe_tail(line)
    while k < n_events or end < n_samples:
        k, end = _play_ready(line, bank, stretch, k, end)
        if k < n_events and _renew(line, bank, stretch, k):
            continue
        bank.settle_tail(line)
        if k == n_events and end == n_samples:
            return
        free = _free_plays(stretch.events) if free is None else free
        at = int(np.searchsorted(free, k + CROWD))
        until, last = n_events, n_samples
        if at < len(free):
            until = int(free[at])
            last = int(stretch.events["start_ticks"][until]) // line.port.sample_ticks
        play_stages(line, bank, stretch, slice(k, until), slice(end, last))
        k, end = until, last
        bank.owe_tail(line)


def _play_ready(line: OutputLine, bank: Bank, stretch: Stretch, k: int, end: int) -> tuple[int, int]:
    """Play from event ``k`` and sample ``end`` on what can be played; return the next event and sample."""
    events, slot_of, words, frames, start_tick, out = stretch
    numbers, state = line.numbers, line.state
    shared = events, slot_of, words, frames, bank.slots, bank.peaks, bank.store, numbers.numbers
    at = k, end, start_tick
    if not line.is_filtered:
        return _dense_kernels.play_plain(at, (line.width, numbers.ticks), *shared, out)
    filters = numbers.modes, numbers.reach, numbers.powers, state.sections, state.owing, state.factor
    k, end = _dense_kernels.play_filtered(at, (line.width, numbers.ticks, state.tail.size), *shared, *filters, out)
    return k, end


def _renew(line: OutputLine, bank: Bank, stretch: Stretch, k: int) -> bool:
    """Work out the response to play ``k`` if it is of another frequency; return whether it was.

    At most once in a block: of a frequency that keeps changing, each response would serve a single play.
    """
    event, slot = stretch.events[k], int(stretch.slot_of[k])
    ftw = int(stretch.frames[event["frame"], _kernels.F_FTW]) if line.width == 2 else 0
    if event["op"] != EventOp.PLAY or slot == TAIL or bank.slots[slot, USED]:
        return False
    if bank.slots[slot, _dense_kernels.FTW] == ftw:
        return False
    # A tail that is still owed is never of this response: the block has not played it.
    bank.renew(line, slot, int(event["target"]), ftw)
    return True


def _free_plays(events: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the plays that start when all before have ended."""
    is_play = events["op"] == EventOp.PLAY
    ends = np.maximum.accumulate(np.where(is_play, events["start_ticks"] + events["length_ticks"], 0))
    is_free = is_play.copy()
    is_free[1:] &= events["start_ticks"][1:] >= ends[:-1]
    return np.flatnonzero(is_free)
