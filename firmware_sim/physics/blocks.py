"""A block of a program as the physics sees it: segments, windows, and what is touched when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_sim.physics.segments import Hold, Segment, cut, hold, spans, widen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.readout import Capture
    from firmware_sim.shapes import Plays
    from firmware_sim.signal_chain import SignalChain

    Played = tuple[Sequence[NDArray[Any]], int, tuple[Capture, ...], Plays | None]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One block, from ``start_ticks`` on."""

    lines: Sequence[NDArray[Any]]
    """What reaches the chip from each port."""
    start_ticks: int
    captures: tuple[Capture, ...]
    plays: Plays | None
    n_samples: int
    segments: list[Segment]
    touched: frozenset[int]
    """Qubits that a line acts on or a capture measures."""
    starts: dict[int, int]
    """Sample where each measured qubit's (last) capture begins."""
    first_touch: dict[int, int]
    """First sample where a line acts on each touched qubit, or its capture begins."""
    last_touch: dict[int, int]
    """Last sample where a line acts on each qubit, -1 for never."""
    activity: tuple[tuple[NDArray[np.bool_], tuple[int, ...]], ...]
    """For each line, when it acts, shape ``(n_samples,)``, and on which qubits."""
    pulses: tuple[list[tuple[int, int]], ...]
    """For each drive whose plays are known, and each coupler: first samples of its pulses, and one past their last."""

    @property
    def nbytes(self) -> int:
        """Size in memory beside the lines, about."""
        return sum(row.nbytes for row, _ in self.activity) + 128 * len(self.segments)

    def acted(self, segment: Segment) -> frozenset[int]:
        """Return the qubits that a line acts on in a segment."""
        span = slice(segment.first, segment.last)
        return frozenset(q for row, qubits in self.activity if row[span].any() for q in qubits)

    def holding(self, held: frozenset[int], longest: int) -> Block:
        """Return the same with segments that know which pulses they cut.

        Qubits that such a pulse joins are touched from its beginning. A pulse in which one of them is measured is cut.

        Args:
            held: Qubits of which pulses on one alone are among them; those on several are anyway.
            longest: Samples beyond which a pulse may be cut, 0 for none.
        """
        pulses = [
            Hold(tuple(sorted(qubits)), first, last)
            for (_, qubits), times in zip(self.activity, self.pulses, strict=True)
            if len(qubits) > 1 or held.issuperset(qubits)
            for first, last in times
            if (not longest or last - first <= longest)
            and not any(first < self.starts.get(q, -1) < last for q in qubits)
        ]
        segments = hold(self.segments, pulses)
        touch = dict(self.first_touch)
        for one in {one for segment in segments for one in segment.holds}:
            touch.update((q, min(touch[q], one.first)) for q in one.qubits)
        return replace(self, segments=segments, first_touch=touch)

    def stretches(self, marks: Iterable[int], end: int) -> list[list[Segment]]:
        """Return the segments that begin before a sample, in runs that begin at the first or at one of the marks."""
        borders = set(marks)
        found: list[list[Segment]] = []
        for segment in self.segments:
            if segment.first >= end:
                break
            if not found or segment.first in borders:
                found.append([])
            found[-1].append(segment)
        return found


def read_block(chain: SignalChain, played: Played, starts: Mapping[int, int], ends: Iterable[int]) -> Block:
    """Return a block cut into segments.

    Args:
        chain: The lines.
        played: Lines, first tick of the block, captures, and what the program plays if known.
        starts: Tick at which each measured qubit's window begins.
        ends: Ticks at which a window ends.
    """
    lines, start_ticks, captures, plays = played
    activity, acts_on = chain.activity(lines)
    n_samples = activity.shape[1]
    borders: list[int] = []
    pulses: list[list[tuple[int, int]]] = []
    for row, port, qubits in zip(activity, chain.acting_ports, acts_on, strict=True):
        mine = None if plays is None else plays.of_port(port)
        pulses.append(spans(row) if len(qubits) > 1 else [])
        if mine is not None:
            held = chain.samples_held(port)
            first, last = mine.starts * held, mine.ends * held
            borders += widen(row, first, last)
            pulses[-1] = list(zip(first.tolist(), last.tolist(), strict=True))

    def sample(tick: int) -> int:
        return (tick - start_ticks) // chain.sample_ticks

    windows = [sample(capture.first_tick) for capture in captures]
    begin = {qubit: sample(tick) for qubit, tick in starts.items()}
    last_touch: dict[int, int] = {}
    entry = dict(begin)
    for row, qubits in zip(activity, acts_on, strict=True):
        acting = np.flatnonzero(row)
        for qubit in qubits:
            if len(acting):
                entry[qubit] = min(entry[qubit], int(acting[0])) if qubit in entry else int(acting[0])
            last_touch[qubit] = max(last_touch.get(qubit, -1), int(acting[-1]) if len(acting) else -1)
    segments = cut(activity, n_samples, [*windows, *(sample(tick) for tick in ends), *borders])
    return Block(
        lines, start_ticks, captures, plays, n_samples, segments, frozenset(entry), begin, entry, last_touch,
        tuple(zip(activity, acts_on, strict=True)), tuple(pulses),
    )  # fmt: skip
