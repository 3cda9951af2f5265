"""Cut a block where any line starts or stops to act."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_SHORT_GAP_SAMPLES = 8


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a block during which no line starts or stops to act."""

    first: int
    """First sample."""
    last: int
    """One past the last sample."""


def cut(activity: NDArray[np.bool_], n_samples: int, marks: Iterable[int]) -> list[Segment]:
    """Return the segments of a block, first to last.

    Args:
        activity: When each line acts, shape ``(n_lines, n_samples)``.
        n_samples: Length of the block.
        marks: Further samples to cut at.
    """
    borders = {0, n_samples, *(mark for mark in marks if 0 < mark < n_samples)}
    for row in activity:
        borders.update(_borders(row))
    ordered = sorted(borders)
    return [Segment(first, last) for first, last in pairwise(ordered) if last > first]


def shorten(segments: Iterable[Segment], longest: int) -> list[Segment]:
    """Return the segments with long ones cut into parts of at most ``longest`` samples, a power of two but the last."""
    step = 1 << max(longest.bit_length() - 1, 0)
    found: list[Segment] = []
    for segment in segments:
        if segment.last - segment.first <= longest:
            found.append(segment)
            continue
        starts = range(segment.first, segment.last, step)
        found += [Segment(first, min(first + step, segment.last)) for first in starts]
    return found


def widen(row: NDArray[np.bool_], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> list[int]:
    """Let a line act throughout its plays, even where an envelope is zero; return where they start and end.

    Args:
        row: When the line acts, shape ``(n_samples,)``; written.
        starts: First sample of each play.
        ends: One past the last.
    """
    change = np.zeros(len(row) + 1, dtype=np.int64)
    np.add.at(change, starts, 1)
    np.add.at(change, ends, -1)
    row |= np.cumsum(change[:-1]) > 0
    return np.union1d(starts, ends).tolist()


def _borders(row: NDArray[np.bool_]) -> list[int]:
    """Return starts and ends of acting, but not those of short gaps: an envelope may pass through zero."""
    padded = np.concatenate([[False], row, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return []
    gap = starts[1:] - ends[:-1] > _SHORT_GAP_SAMPLES
    return [int(starts[0]), *starts[1:][gap].tolist(), *ends[:-1][gap].tolist(), int(ends[-1])]
