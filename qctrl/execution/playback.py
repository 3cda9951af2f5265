"""Plays one job on a connected driver: configure, load, then run after run, fetched and merged."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec

from qctrl.errors import InstrumentTimeoutError, JobCancelledError, JobTimeLimitError
from qctrl.execution.bundles import Bundle, bundle
from qctrl.execution.chunks import Chunk, Merger, cut
from qctrl.execution.connection import Opened
from qctrl.execution.execution import Execution
from qctrl.execution.spec import JobResult, JobSpec, WorkResult
from qctrl.instruments import AtOnce
from qctrl.protocol import RUNS_AHEAD, Run, SimOptions
from qctrl.signal.duty import check_duty
from qctrl.units import to_seconds, to_ticks
from qctrl.version import __version__

_WAIT_S: Final = 0.25
"""Of one fetch; a cancelled job is noticed at least this often."""
STALL_SLACK_S: Final = 300.0
"""A run may be this much longer without a sign of life than the time it should take in all."""


def execute(spec: JobSpec, opened: Opened, execution: Execution, stall_slack_s: float = STALL_SLACK_S) -> JobResult:
    """Return the results of every work of a job.

    Raises:
        JobCancelledError: Somebody cancelled it; the run was aborted.
        JobTimeLimitError: It ran longer than it may; the run was aborted.
        InstrumentError: The instrument refused, failed, stalled or died.
        QctrlError: The job does not fit the instrument.
    """
    started = _now()
    playback = _Playback(spec, opened, execution, stall_slack_s)
    opened.driver.configure(spec.setup)
    # Of the playback itself the execution knows nothing: the playback knows the execution.
    execution.offer(partial(_so_far, playback.begun))
    works = tuple(playback.play(bundle(spec.works)))
    metadata: dict[str, Any] = {
        "started": started,
        "ended": _now(),
        "qctrl_version": __version__,
        "device": spec.device,
        "instrument": {"kind": opened.identity.kind, "version": opened.identity.version},
        "epoch": opened.epoch,
        "setup_hash": spec.setup.hash.hex(),
        "calibration_id": spec.setup.calibration_id,
        "program_hashes": [work.program.hash.hex() for work in spec.works],
        "seed": None if playback.sim is None else playback.sim.seed,
    }
    return JobResult(works, metadata)


def _so_far(begun: Sequence[tuple[Bundle, Merger]]) -> tuple[WorkResult | None, ...]:
    return tuple(merger.so_far(rows) for work, merger in begun for rows in work.rows)


def _now_us() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """One run of a bundle."""

    bundle: Bundle
    merger: Merger
    chunk: Chunk
    run: Run
    is_last: bool
    """Whether the bundle is complete with it."""
    begun_us: int = field(default_factory=_now_us)


class _Playback:
    def __init__(self, spec: JobSpec, opened: Opened, execution: Execution, stall_slack_s: float) -> None:
        self.sim: SimOptions | None = spec.sim
        self._spec = spec
        self._opened = opened
        self._driver = opened.driver
        # A rack that cannot do all in one exchange does it in three.
        able = "play" in opened.identity.capabilities
        self._at_once = opened.driver if able and isinstance(opened.driver, AtOnce) else None
        self._takes_ahead = "ahead" in opened.identity.capabilities and self._at_once is not None
        self._execution = execution
        self._stall_slack_s = stall_slack_s
        self._setup_hash = spec.setup.hash.hex()
        tick_s = spec.setup.tick_s
        self._rep_delay_ticks = to_ticks(spec.rep_delay_s or 0.0, tick_s, what="rep_delay")
        self._done_shots = 0
        self._stopped_us = 0
        self._began_s = time.monotonic()
        self.begun: list[tuple[Bundle, Merger]] = []

    def play(self, bundles: Sequence[Bundle]) -> Iterator[WorkResult]:
        """Yield the result of each work, in order."""
        for each in bundles:
            check_duty(each.program, self._spec.setup, self._rep_delay_ticks)
        for step in self._begun_ahead(bundles):
            self._collect(step)
            if step.is_last:
                self._done_shots += step.merger.done_shots
                yield from step.bundle.split(step.merger.result())

    def _begun_ahead(self, bundles: Sequence[Bundle]) -> Iterator[_Step]:
        """Yield each step when its results may be fetched, with others behind it that were begun already."""
        begun: deque[_Step] = deque()
        for step in self._steps(bundles):
            self._refuse_if_over()
            self._begin(step)
            begun.append(step)
            while len(begun) >= self._most_at_once():
                yield begun.popleft()
        yield from begun

    def _most_at_once(self) -> int:
        # The seed that an emulator draws for the first run belongs into the others.
        is_seeded = self.sim is None or self.sim.seed is not None
        return RUNS_AHEAD if self._takes_ahead and is_seeded else 1

    def _steps(self, bundles: Sequence[Bundle]) -> Iterator[_Step]:
        for each in bundles:
            merger = Merger(each)
            self.begun.append((each, merger))
            chunks = list(cut(each, self._spec.chunk_shots))
            for chunk in chunks:
                yield _Step(each, merger, chunk, self._run(each, chunk), chunk is chunks[-1])

    def _run(self, work: Bundle, chunk: Chunk) -> Run:
        return Run(
            run_id=uuid.uuid4().hex,
            epoch=self._opened.epoch,
            setup_hash=self._setup_hash,
            program_hash=work.program.hash.hex(),
            patch_hash="" if work.patch is None else work.patch.hash.hex(),
            first_binding=chunk.first_binding,
            n_bindings=chunk.n_bindings,
            first_shot=chunk.first_shot,
            n_shots=chunk.n_shots,
            rep_delay_ticks=self._rep_delay_ticks,
            capture_mode=work.capture_mode,
            chunk=chunk.index,
            sim=self._sim(work),
        )

    def _begin(self, step: _Step) -> None:
        """Start a run, with what it plays."""
        if self._at_once is not None:
            self._at_once.send(step.bundle.program, step.bundle.patch, step.run, _WAIT_S)
            return
        if step.chunk.index == 0:
            self._driver.load(step.bundle.program, step.bundle.patch)
        self._driver.start(step.run)

    def _sim(self, work: Bundle) -> SimOptions | None:
        if self.sim is None:
            return None
        return msgspec.structs.replace(
            self.sim, pub_index=work.works[0].pub_index, pub_shots=work.shots, pubs=work.pubs
        )

    def _expected_s(self, work: Bundle, chunk: Chunk) -> float:
        shot_ticks = int(work.program.blocks["length_ticks"].sum()) + self._rep_delay_ticks
        return chunk.n_shots * chunk.n_bindings * to_seconds(shot_ticks, self._spec.setup.tick_s)

    def _collect(self, step: _Step) -> None:
        merger, run_id = step.merger, step.run.run_id
        start_us = max(step.begun_us, self._stopped_us)
        before, block, steps = merger.done_shots, 0, -1
        limit_s = self._stall_slack_s + self._expected_s(step.bundle, step.chunk)
        clock: Callable[[], float] = time.monotonic
        alive = clock()
        fetched = None if self._at_once is None else self._at_once.answer(run_id)
        while True:
            if fetched is None:
                self._refuse_if_over()
                fetched = self._driver.fetch(run_id, block, _WAIT_S)
            progress = fetched.progress
            self._execution.advance(self._done_shots + before + progress.done_shots)
            if fetched.results is not None:
                merger.add(fetched.results)
                self._keep_seed(fetched.results.statistics)
                block += 1
            if progress.state == "done" and (fetched.results is None or merger.covers(step.chunk)):
                break
            if fetched.results is not None or progress.steps != steps:
                steps, alive = progress.steps, clock()
            elif clock() - alive > limit_s:
                self._refuse_silence(run_id, clock() - alive, limit_s)
            fetched = None
        self._stopped_us = _now_us()
        merger.close(step.chunk, start_us, self._stopped_us)

    def _refuse_silence(self, run_id: str, silence_s: float, limit_s: float) -> None:
        self._driver.safe_state()
        raise InstrumentTimeoutError(
            f"{self._spec.device} showed no sign of life in fetch of run {run_id} for {silence_s:.0f} s; "
            f"the run should take {limit_s - self._stall_slack_s:.3g} s",
            name=self._spec.device,
        )

    def _keep_seed(self, statistics: dict[str, Any]) -> None:
        # A seed that the emulator drew serves the whole job, so that the chunks fit together.
        if self.sim is not None and self.sim.seed is None and isinstance(statistics.get("seed"), int):
            self.sim = msgspec.structs.replace(self.sim, seed=statistics["seed"])

    def _refuse_if_over(self) -> None:
        job_id, limit_s = self._spec.job_id, self._spec.max_execution_s
        late = limit_s is not None and time.monotonic() - self._began_s > limit_s
        if not (late or self._execution.is_cancelled):
            return
        self._driver.abort()
        if self._execution.is_cancelled:
            raise JobCancelledError(f"job {job_id} was cancelled; it has no result", job_id=job_id)
        raise JobTimeLimitError(
            f"job {job_id} ran longer than its max_execution_time of {limit_s:g} s and was stopped; "
            "allow more time, or ask for fewer shots",
            job_id=job_id,
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
