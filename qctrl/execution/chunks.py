"""Cutting a work into runs, and putting blocks of results together again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import JobError
from qctrl.execution.spec import SPAN, WorkResult
from qctrl.protocol import CaptureMode, Results

RUN_SHOTS: Final = 1 << 20
"""Shots in one run if nobody chose: long enough to cost nothing, short enough to lose little."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A (binding range, shot range) of a work, played as one run."""

    index: int
    first_binding: int
    n_bindings: int
    first_shot: int
    n_shots: int


class Extent(Protocol):
    """What is cut: a work, or several that are played together."""

    @property
    def n_bindings(self) -> int:
        """Number of parameter sets."""
        ...

    @property
    def shots(self) -> int:
        """Shots per binding."""
        ...

    @property
    def capture_mode(self) -> CaptureMode:
        """How the firmware reports the captures."""
        ...


def cut(work: Extent, chunk_shots: int | None) -> Iterator[Chunk]:
    """Yield the chunks of a work, each of at most ``chunk_shots`` shots where that is possible.

    A mean over shots is never cut along the shots: the sum would depend on where.
    """
    limit = RUN_SHOTS if chunk_shots is None else chunk_shots
    shots = work.shots if work.capture_mode.endswith("_mean") else min(work.shots, limit)
    bindings = max(1, limit // work.shots)
    index = 0
    for first_binding in range(0, work.n_bindings, bindings):
        n_bindings = min(bindings, work.n_bindings - first_binding)
        for first_shot in range(0, work.shots, shots):
            yield Chunk(index, first_binding, n_bindings, first_shot, min(shots, work.shots - first_shot))
            index += 1


class Merger:
    """Collects the blocks of one work; the same block twice changes nothing."""

    def __init__(self, work: Extent) -> None:
        self._work = work
        self._bits: NDArray[np.uint8] | None = None
        self._iq: NDArray[np.complex64] | None = None
        self._traces: NDArray[np.complex64] | None = None
        self._covered = np.zeros((work.n_bindings, work.shots), dtype=np.bool_)
        self._statistics: dict[int, dict[str, Any]] = {}
        self._spans: list[tuple[int, ...]] = []

    @property
    def done_shots(self) -> int:
        """Shots that are here."""
        return int(np.count_nonzero(self._covered))

    def add(self, block: Results) -> None:
        """Take in a block.

        Raises:
            JobError: The block lies outside of the work.
        """
        bindings = slice(block.first_binding, block.first_binding + block.bits.shape[0])
        shots = slice(block.first_shot, block.first_shot + block.bits.shape[1])
        if bindings.stop > self._work.n_bindings or shots.stop > self._work.shots:
            raise JobError(
                f"results of bindings {bindings.start}..{bindings.stop} and shots {shots.start}..{shots.stop} came for "
                f"a work of {self._work.n_bindings} bindings with {self._work.shots} shots"
            )
        self._bits = self._place(self._bits, block.bits, (bindings, shots))
        if block.iq is not None:
            self._iq = self._place(self._iq, block.iq, self._where("iq", bindings, shots))
        if block.traces is not None:
            self._traces = self._place(self._traces, block.traces, self._where("trace", bindings, shots))
        self._covered[bindings, shots] = True
        # The last block of a run speaks for the whole run.
        self._statistics[block.chunk] = block.statistics

    def covers(self, chunk: Chunk) -> bool:
        """Return whether every shot of a chunk is here."""
        shots = slice(chunk.first_shot, chunk.first_shot + chunk.n_shots)
        return bool(self._covered[chunk.first_binding : chunk.first_binding + chunk.n_bindings, shots].all())

    def close(self, chunk: Chunk, start_us: int, stop_us: int) -> None:
        """Note when a chunk was executed, in microseconds since 1970."""
        self._spans.append((chunk.first_binding, chunk.n_bindings, chunk.first_shot, chunk.n_shots, start_us, stop_us))

    def result(self) -> WorkResult:
        """Return the whole work.

        Raises:
            JobError: Shots are missing; they are never padded.
        """
        missing = self._covered.size - self.done_shots
        if missing or self._bits is None:
            raise JobError(f"{missing} of {self._covered.size} shots did not come back; run the job again")
        statistics = {"chunks": [self._statistics[chunk] for chunk in sorted(self._statistics)]}
        for column in (self._bits, self._iq, self._traces):
            if column is not None:
                column.flags.writeable = False
        return WorkResult(self._bits, self._iq, self._traces, statistics, np.array(self._spans, dtype=SPAN))

    def so_far(self, rows: slice = slice(None)) -> WorkResult | None:
        """Return the shots, from the first, that are here for every binding; may be asked from another thread.

        Args:
            rows: The bindings in question.
        """
        # What is covered was placed before it was marked: shots that come meanwhile are left for the next time.
        ready = self._covered[rows].all(axis=0)
        shots = ready.size if ready.all() else int(np.argmin(ready))
        mean = self._work.capture_mode.endswith("_mean")
        if self._bits is None or shots == 0 or (mean and shots < ready.size):
            return None
        iq, traces = (
            None if column is None else (column[rows] if mean else column[rows, :shots]).copy()
            for column in (self._iq, self._traces)
        )
        return WorkResult(self._bits[rows, :shots].copy(), iq, traces)

    def _where(self, kind: str, bindings: slice, shots: slice) -> tuple[slice, ...]:
        return (bindings,) if self._work.capture_mode == f"{kind}_mean" else (bindings, shots)

    def _place(self, whole: NDArray[Any] | None, part: NDArray[Any], where: tuple[slice, ...]) -> NDArray[Any]:
        if whole is None:
            lengths = (self._work.n_bindings, self._work.shots)[: len(where)]
            whole = np.zeros((*lengths, *part.shape[len(where) :]), dtype=part.dtype)
        whole[where] = part
        return whole
