"""Plays one job on a connected driver: configure, load, then run after run, fetched and merged."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
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
from qctrl.instruments import AtOnce, Fetched
from qctrl.protocol import Run, SimOptions
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
    works = tuple(result for alike in bundle(spec.works) for result in playback.play(alike))
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


class _Playback:
    def __init__(self, spec: JobSpec, opened: Opened, execution: Execution, stall_slack_s: float) -> None:
        self.sim: SimOptions | None = spec.sim
        self._spec = spec
        self._opened = opened
        self._driver = opened.driver
        # A rack that cannot do all in one exchange does it in three.
        able = "play" in opened.identity.capabilities
        self._at_once = opened.driver if able and isinstance(opened.driver, AtOnce) else None
        self._execution = execution
        self._stall_slack_s = stall_slack_s
        self._setup_hash = spec.setup.hash.hex()
        tick_s = spec.setup.tick_s
        self._rep_delay_ticks = to_ticks(spec.rep_delay_s or 0.0, tick_s, what="rep_delay")
        self._done_shots = 0
        self._began_s = time.monotonic()
        self.begun: list[tuple[Bundle, Merger]] = []

    def play(self, work: Bundle) -> list[WorkResult]:
        check_duty(work.program, self._spec.setup, self._rep_delay_ticks)
        program_hash = work.program.hash.hex()
        patch_hash = "" if work.patch is None else work.patch.hash.hex()
        merger = Merger(work)
        self.begun.append((work, merger))
        for chunk in cut(work, self._spec.chunk_shots):
            run = Run(
                run_id=uuid.uuid4().hex,
                epoch=self._opened.epoch,
                setup_hash=self._setup_hash,
                program_hash=program_hash,
                patch_hash=patch_hash,
                first_binding=chunk.first_binding,
                n_bindings=chunk.n_bindings,
                first_shot=chunk.first_shot,
                n_shots=chunk.n_shots,
                rep_delay_ticks=self._rep_delay_ticks,
                capture_mode=work.capture_mode,
                chunk=chunk.index,
                sim=self._sim(work),
            )
            self._refuse_if_over(abort=False)
            start_us = _now_us()
            first = self._begin(work, run)
            self._collect(run, merger, chunk, first, self._expected_s(work, chunk))
            merger.close(chunk, start_us, _now_us())
        self._done_shots += merger.done_shots
        return work.split(merger.result())

    def _begin(self, work: Bundle, run: Run) -> Fetched | None:
        """Start a run, with what it plays if it is the first of a work; return what came back at once."""
        if run.chunk == 0 and self._at_once is not None:
            return self._at_once.play(work.program, work.patch, run, _WAIT_S)
        if run.chunk == 0:
            self._driver.load(work.program, work.patch)
        self._driver.start(run)
        return None

    def _sim(self, work: Bundle) -> SimOptions | None:
        if self.sim is None:
            return None
        return msgspec.structs.replace(
            self.sim, pub_index=work.works[0].pub_index, pub_shots=work.shots, pubs=work.pubs
        )

    def _expected_s(self, work: Bundle, chunk: Chunk) -> float:
        shot_ticks = int(work.program.blocks["length_ticks"].sum()) + self._rep_delay_ticks
        return chunk.n_shots * chunk.n_bindings * to_seconds(shot_ticks, self._spec.setup.tick_s)

    def _collect(self, run: Run, merger: Merger, chunk: Chunk, fetched: Fetched | None, expected_s: float) -> None:
        before, block, steps = merger.done_shots, 0, -1
        clock: Callable[[], float] = time.monotonic
        alive = clock()
        while True:
            if fetched is None:
                self._refuse_if_over(abort=True)
                fetched = self._driver.fetch(run.run_id, block, _WAIT_S)
            progress = fetched.progress
            self._execution.advance(self._done_shots + before + progress.done_shots)
            if fetched.results is not None:
                merger.add(fetched.results)
                self._keep_seed(fetched.results.statistics)
                block += 1
            if progress.state == "done" and (fetched.results is None or merger.covers(chunk)):
                return
            if fetched.results is not None or progress.steps != steps:
                steps, alive = progress.steps, clock()
            elif clock() - alive > self._stall_slack_s + expected_s:
                self._driver.safe_state()
                raise InstrumentTimeoutError(
                    f"{self._spec.device} showed no sign of life in fetch of run {run.run_id} for "
                    f"{clock() - alive:.0f} s; the run should take {expected_s:.3g} s",
                    name=self._spec.device,
                )
            fetched = None

    def _keep_seed(self, statistics: dict[str, Any]) -> None:
        # A seed that the emulator drew serves the whole job, so that the chunks fit together.
        if self.sim is not None and self.sim.seed is None and isinstance(statistics.get("seed"), int):
            self.sim = msgspec.structs.replace(self.sim, seed=statistics["seed"])

    def _refuse_if_over(self, *, abort: bool) -> None:
        job_id, limit_s = self._spec.job_id, self._spec.max_execution_s
        late = limit_s is not None and time.monotonic() - self._began_s > limit_s
        if not (late or self._execution.is_cancelled):
            return
        if abort:
            self._driver.abort()
        if self._execution.is_cancelled:
            raise JobCancelledError(f"job {job_id} was cancelled; it has no result", job_id=job_id)
        raise JobTimeLimitError(
            f"job {job_id} ran longer than its max_execution_time of {limit_s:g} s and was stopped; "
            "allow more time, or ask for fewer shots",
            job_id=job_id,
        )


def _now_us() -> int:
    return time.time_ns() // 1000


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
