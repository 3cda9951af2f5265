"""Which captures a block opens, and the carriers they are demodulated with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qctrl.signal import _kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CaptureWindow:
    """One capture of a block with the carrier it is demodulated with."""

    capture: int
    """Index into the Program's captures."""
    first_tick: int
    """From the start of the shot."""
    length_ticks: int
    ftw: int
    """Tuning word, 2**-48 turn per tick."""
    phase_word: int
    """Sum of event phase, row word and phase register, 2**-32 turn."""


def capture_windows(
    events: NDArray[np.void], words: NDArray[np.uint32], frames: NDArray[np.int64], start_ticks: int
) -> Iterator[CaptureWindow]:
    """Yield the captures among the events of an acquire port in a block; move the registers to the block's end."""
    carriers = np.zeros((len(events), 2), dtype=np.int64)
    _kernels.open_captures(events, words, frames, carriers)
    for k in np.flatnonzero(events["op"] == _kernels.CAPTURE):
        yield CaptureWindow(
            capture=int(events["target"][k]),
            first_tick=start_ticks + int(events["start_ticks"][k]),
            length_ticks=int(events["length_ticks"][k]),
            ftw=int(carriers[k, 0]),
            phase_word=int(carriers[k, 1]),
        )
