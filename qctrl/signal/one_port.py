"""Plays one port over one block: which kernel takes which events."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qctrl.signal import _dense_kernels, _kernels, _line_kernels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qctrl.signal._kernels import Line
    from qctrl.signal._line_kernels import Bank, State


class Stretch(NamedTuple):
    """The events of one port in one block, and the place for its samples."""

    events: NDArray[np.void]
    slot_of: NDArray[np.int32]
    words: NDArray[np.uint32]
    frames: NDArray[np.int64]
    """Registers, moved on."""
    start_tick: int
    out: NDArray[np.float64]


def play_stretch(line: Line, state: State, bank: Bank, stretch: Stretch) -> int:
    """Write all samples of a port in a block; return the index of one that is out of range, or -1.

    The inner loops take what they can: plays that do not overlap, from responses that are ready, well within range.
    They stop at what is left to ``play_line``, and at responses that are still to be worked out.
    """
    events, slot_of, words, frames, start_tick, out = stretch
    k, end, bad, n_samples = 0, 0, -1, out.size // line.width
    is_plain = not state.sections.size and not state.tail.size
    shared = events, slot_of, words, frames, bank.envelopes, bank.slots, bank.peaks, bank.store, line.numbers
    filters = line.modes, line.reach, line.powers, state.sections, state.flags, state.factor
    while bad < 0 and (k < len(events) or end < n_samples):
        if is_plain:
            k, end = _dense_kernels.play_plain((k, end, start_tick), (line.width, line.ticks), *shared, out)
        else:
            shape = line.width, line.ticks, state.tail.size
            k, end = _dense_kernels.play_filtered((k, end, start_tick), shape, *shared, *filters, out)
        done = k == len(events) and end == n_samples
        if done or (k < len(events) and _renew_stale(line, state, bank, stretch, k)):
            continue
        k, end, bad = _line_kernels.play_line(
            (k, end, start_tick), events, slot_of, words, frames, line, bank, state, out
        )
    _line_kernels.owe(line, state, bank.store)
    return bad


def _renew_stale(line: Line, state: State, bank: Bank, stretch: Stretch, k: int) -> bool:
    """Work out the response to play ``k`` if it is not there; return whether it was not."""
    event, slot = stretch.events[k], int(stretch.slot_of[k])
    ftw = int(stretch.frames[event["frame"], _kernels.F_FTW]) if line.width == 2 else 0
    if slot == _dense_kernels.SCRATCH or bank.slots[slot, _dense_kernels.FTW] == ftw:
        return False
    _line_kernels.renew(line, state, bank, slot, int(event["target"]), ftw)
    return True
