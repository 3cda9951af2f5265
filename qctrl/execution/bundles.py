"""Works that are played together: one load, one run and one answer for the bindings of many pubs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qctrl.execution.chunks import RUN_SHOTS
from qctrl.execution.spec import Work, WorkResult
from qctrl.protocol import CaptureMode, Patch, Program
from qctrl.protocol.limits import MAX_BINDINGS


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """Works of one program with equally many shots, or one work; their bindings one behind the other."""

    works: tuple[Work, ...]
    patch: Patch | None
    """Words of all works, in their order."""
    rows: tuple[slice, ...]
    """Bindings of each work."""

    @property
    def program(self) -> Program:
        """What all of them play."""
        return self.works[0].program

    @property
    def shots(self) -> int:
        """Shots per binding."""
        return self.works[0].shots

    @property
    def capture_mode(self) -> CaptureMode:
        """How the firmware reports the captures."""
        return self.works[0].capture_mode

    @property
    def n_bindings(self) -> int:
        """Number of parameter sets."""
        return self.rows[-1].stop

    @property
    def pubs(self) -> tuple[tuple[int, int], ...]:
        """Pub and number of bindings of each work; empty if there is one."""
        if len(self.works) == 1:
            return ()
        return tuple((work.pub_index, work.n_bindings) for work in self.works)

    def split(self, whole: WorkResult) -> list[WorkResult]:
        """Return the result of each work, as views of the result of all."""
        return [whole] if len(self.works) == 1 else [_part(whole, rows) for rows in self.rows]


def bundle(works: Sequence[Work]) -> list[Bundle]:
    """Return works as bundles, neighbours that are alike together; the order stays."""
    found: list[list[Work]] = []
    n_bindings = 0
    for work in works:
        joins = bool(found) and _are_alike(found[-1][-1], work)
        n_bindings = n_bindings + work.n_bindings if joins else work.n_bindings
        if joins and n_bindings <= MAX_BINDINGS and n_bindings * work.shots <= RUN_SHOTS:
            found[-1].append(work)
        else:
            found.append([work])
            n_bindings = work.n_bindings
    return [_made(alike) for alike in found]


def _are_alike(one: Work, other: Work) -> bool:
    return (
        one.patch is not None
        and other.patch is not None
        and (one.program is other.program or one.program.hash == other.program.hash)
        and (one.shots, one.capture_mode) == (other.shots, other.capture_mode)
    )


def _made(works: Sequence[Work]) -> Bundle:
    ends = list(itertools.accumulate(work.n_bindings for work in works))
    rows = tuple(slice(end - work.n_bindings, end) for work, end in zip(works, ends, strict=True))
    words = [work.patch.words for work in works if work.patch is not None]
    patch = works[0].patch if len(words) < 2 else Patch(works[0].program.hash, np.concatenate(words))
    return Bundle(tuple(works), patch, rows)


def _part(whole: WorkResult, rows: slice) -> WorkResult:
    first, last = whole.spans["first_binding"], whole.spans["first_binding"] + whole.spans["n_bindings"]
    chunks = np.flatnonzero((first < rows.stop) & (last > rows.start))
    spans = whole.spans[chunks].copy()
    spans["first_binding"] = np.maximum(first[chunks], rows.start) - rows.start
    spans["n_bindings"] = np.minimum(last[chunks], rows.stop) - rows.start - spans["first_binding"]
    return WorkResult(
        whole.bits[rows],
        None if whole.iq is None else whole.iq[rows],
        None if whole.traces is None else whole.traces[rows],
        {"chunks": [whole.statistics["chunks"][chunk] for chunk in chunks.tolist()]},
        spans,
    )
