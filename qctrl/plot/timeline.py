"""From ticks to inches: linear, but for long stretches in which nothing changes, which are cut short."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from qctrl.plot.schedule import Block

_LONG: Final = 5.0
"""A stretch without change is cut if it is longer than this many reference lengths ..."""
_CUT: Final = 2.0
"""... to this many."""
_REFERENCE_QUANTILE: Final = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Where each tick of a block stands on the page."""

    ticks: NDArray[np.float64]
    """Ticks of the block between which the scale is constant, rising."""
    inches: NDArray[np.float64]
    """Where they stand, from the left edge of the block."""
    cuts: tuple[tuple[int, int], ...]
    """First and last tick of each stretch that is cut short."""

    @property
    def width_in(self) -> float:
        """Width of the block in inches."""
        return float(self.inches[-1])

    def place(self, ticks: ArrayLike) -> NDArray[np.float64]:
        """Return ticks as inches from the left edge of the block; those outside stand on its edge."""
        return np.interp(np.asarray(ticks, dtype=np.float64), self.ticks, self.inches)


def reference_ticks(blocks: Sequence[Block]) -> float:
    """Return a length that is to be legible: that of a short play, for the lower quarter of all plays are shorter."""
    lengths = (
        [play.length_ticks for block in blocks for play in block.plays]
        or [capture.length_ticks for block in blocks for capture in block.captures]
        or [block.last_ticks - block.first_ticks for block in blocks]
    )
    return max(1.0, float(np.quantile(lengths, _REFERENCE_QUANTILE, method="lower")))


def timeline(block: Block, reference: float, inches_per_tick: float) -> Timeline:
    """Return the timeline of a block.

    Args:
        block: The block.
        reference: Length in ticks, as ``reference_ticks`` gives it.
        inches_per_tick: Scale wherever nothing is cut.
    """
    changes = _changes(block)
    gaps = np.diff(changes)
    is_cut = gaps > _LONG * reference
    widths = np.where(is_cut, _CUT * reference, gaps) * inches_per_tick
    cuts = [(int(changes[k]), int(changes[k + 1])) for k in np.flatnonzero(is_cut)]
    return Timeline(changes.astype(np.float64), np.concatenate([[0.0], np.cumsum(widths)]), tuple(cuts))


def _changes(block: Block) -> NDArray[np.int64]:
    """Return all ticks at which something that is drawn changes, and both edges of the block."""
    parts = [np.array([block.first_ticks, block.last_ticks], dtype=np.int64)]
    for play in block.plays:
        parts += [play.edges_ticks, np.array([play.start_ticks + play.length_ticks])]
    parts += [np.array([capture.start_ticks, capture.start_ticks + capture.length_ticks]) for capture in block.captures]
    parts += [np.array([mark.start_ticks]) for mark in block.marks]
    return np.unique(np.clip(np.concatenate(parts), block.first_ticks, block.last_ticks))


def nice_step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, ... that is not below ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= least * (1 - 1e-9))
