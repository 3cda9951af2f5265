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


def _borders(row: NDArray[np.bool_]) -> list[int]:
    """Return starts and ends of acting, but not those of short gaps: an envelope may pass through zero."""
    padded = np.concatenate([[False], row, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return []
    gap = starts[1:] - ends[:-1] > _SHORT_GAP_SAMPLES
    return [int(starts[0]), *starts[1:][gap].tolist(), *ends[:-1][gap].tolist(), int(ends[-1])]
