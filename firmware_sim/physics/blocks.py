"""A block of a program as the physics sees it: segments, windows, and what is touched when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_sim.physics.segments import Segment, cut, widen

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

    def acted(self, segment: Segment) -> frozenset[int]:
        """Return the qubits that a line acts on in a segment."""
        span = slice(segment.first, segment.last)
        return frozenset(q for row, qubits in self.activity if row[span].any() for q in qubits)

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
    for row, port in zip(activity, chain.acting_ports, strict=True):
        mine = None if plays is None else plays.of_port(port)
        if mine is not None:
            held = chain.samples_held(port)
            borders += widen(row, mine.starts * held, mine.ends * held)

    def sample(tick: int) -> int:
        return (tick - start_ticks) // chain.sample_ticks

    windows = [sample(capture.first_tick) for capture in captures]
    first = {qubit: sample(tick) for qubit, tick in starts.items()}
    last: dict[int, int] = {}
    entry = dict(first)
    for row, qubits in zip(activity, acts_on, strict=True):
        acting = np.flatnonzero(row)
        for qubit in qubits:
            if len(acting):
                entry[qubit] = min(entry[qubit], int(acting[0])) if qubit in entry else int(acting[0])
            last[qubit] = max(last.get(qubit, -1), int(acting[-1]) if len(acting) else -1)
    segments = cut(activity, n_samples, [*windows, *(sample(tick) for tick in ends), *borders])
    acting = tuple(zip(activity, acts_on, strict=True))
    return Block(lines, start_ticks, captures, plays, n_samples, segments, frozenset(entry), first, entry, last, acting)
