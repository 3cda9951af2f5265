"""Cut a block where any line starts or stops to act."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

_SHORT_GAP_SAMPLES = 8


@dataclass(frozen=True, slots=True)
class Hold:
    """A pulse, or several that meet, of drives and couplers that act on some qubits alone."""

    qubits: tuple[int, ...]
    """Chip indices, ascending."""
    first: int
    """First sample."""
    last: int
    """One past the last sample."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a block during which no line starts or stops to act."""

    first: int
    """First sample."""
    last: int
    """One past the last sample."""
    holds: tuple[Hold, ...] = ()
    """Pulses of which the segment is only a part."""


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


def hold(segments: Sequence[Segment], pulses: Iterable[Hold]) -> list[Segment]:
    """Return the segments with the pulses that they cut.

    Args:
        segments: In order, with borders wherever a pulse begins or ends.
        pulses: Those that may not be cut; those that meet are one.
    """
    whole = {(segment.first, segment.last) for segment in segments}
    found = list(pulses)
    if all((pulse.first, pulse.last) in whole for pulse in found):
        return list(segments)
    number = {segment.first: k for k, segment in enumerate(segments)}
    holds: list[list[Hold]] = [[] for _ in segments]
    for one in _joined(found):
        if (one.first, one.last) not in whole:
            for k in range(number[one.first], number.get(one.last, len(segments))):
                holds[k].append(one)
    return [Segment(s.first, s.last, tuple(cut_up)) for s, cut_up in zip(segments, holds, strict=True)]


def _joined(pulses: Iterable[Hold]) -> list[Hold]:
    """Return pulses of which those that act on one qubit at a time are one."""
    of_qubit: defaultdict[int, list[Hold]] = defaultdict(list)
    for pulse in sorted(pulses, key=lambda pulse: pulse.first):
        one = pulse
        while met := {of_qubit[q][-1] for q in one.qubits if of_qubit[q] and of_qubit[q][-1].last > one.first}:
            parts = [one, *met]
            for other in met:
                for q in other.qubits:
                    of_qubit[q].remove(other)
            qubits = tuple(sorted({q for part in parts for q in part.qubits}))
            one = Hold(qubits, min(part.first for part in parts), max(part.last for part in parts))
        for q in one.qubits:
            of_qubit[q].append(one)
    return list(dict.fromkeys(one for holds in of_qubit.values() for one in holds))


def spans(row: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where a line acts, as first samples and one past the last; a short gap belongs to what is around it."""
    borders = _borders(row)
    half = len(borders) // 2
    return list(zip(borders[:half], borders[half:], strict=True))


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
    """Return all starts, then all ends of acting, but not those of short gaps: an envelope may pass through zero."""
    padded = np.concatenate([[False], row, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return []
    gap = starts[1:] - ends[:-1] > _SHORT_GAP_SAMPLES
    return [int(starts[0]), *starts[1:][gap].tolist(), *ends[:-1][gap].tolist(), int(ends[-1])]
