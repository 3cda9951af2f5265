"""Jobs, alive or stored: what a job of any primitive, in any process, answers."""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol
from weakref import WeakValueDictionary

from qctrl.errors import JobCancelledError, JobError, JobInterruptedError, QctrlError
from qctrl.execution import Execution, JobResult, JobSpec, Runner, afresh, forget_frames
from qctrl.service.codec import decode_result, encode_result
from qctrl.service.record import JobRecord, Stage, Submission
from qctrl.service.store import JobStore

_log = logging.getLogger(__name__)
_CLOSE_DEADLINE_S = 10.0
_POLL_S = 0.2
"""How often a waiting thread looks whether a queued job has started; the end is never late by it."""
_CANCEL_POLL_S = 1.0
"""How often it looks whether another process wants the job cancelled, which takes a transaction."""


class Kept(Protocol):
    """What is stored of a job."""

    @property
    def record(self) -> JobRecord:
        """What was stored when the job was submitted, or last."""
        ...

    def retag(self, tags: Sequence[str]) -> None:
        """Replace the tags of the job."""
        ...


class Life(Protocol):
    """The life of a job."""

    def stage(self) -> Stage:
        """Return where the job is in its life."""
        ...

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the job and return whether it came."""
        ...

    def result(self) -> JobResult:
        """Wait for the end and return the raw result, or raise what ended the job, each time."""
        ...

    def cancel(self) -> bool:
        """Ask for the end of the job and return whether that still means anything."""
        ...

    def execution(self) -> Execution | None:
        """Return how the job is being executed; ``None`` if another process does or did it."""
        ...


class JobHandle(Kept, Life, Protocol):
    """One job, whichever process runs or ran it."""


class LiveJob:
    """A job of this process: follows its execution and stores its end.

    Args:
        store: Where the job is already stored as queued.
        record: The record of the job.
        execution: Its handle at the runner.
    """

    def __init__(self, store: JobStore, record: JobRecord, execution: Execution) -> None:
        self._store = store
        self._record = record
        self._execution = execution
        self._ended = threading.Event()
        self._stage = Stage.QUEUED
        self._result: JobResult | None = None
        self._error: QctrlError = JobError("the job has not ended", job_id=record.job_id)
        self._unstored: JobError | None = None
        threading.Thread(target=self._follow, name=f"job-{record.job_id[:8]}", daemon=True).start()

    @property
    def record(self) -> JobRecord:
        """The record as it was at submission."""
        return self._record

    def stage(self) -> Stage:
        """Return the stage; a final one means that the end is stored too."""
        # What has ended is stored at once: to say that a job runs which was cancelled before it began would be wrong.
        if self._ended.is_set() or (self._execution.wait(0) and self._ended.wait(_POLL_S)):
            return self._stage
        return Stage.QUEUED if self._execution.status() == Stage.QUEUED.value else Stage.RUNNING

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the end is known and stored."""
        return self._ended.wait(timeout_s)

    def result(self) -> JobResult:
        """Wait for the end and return the raw result.

        Raises:
            QctrlError: What ended the job, an equal one each time.
        """
        self._ended.wait()
        if self._unstored is not None:
            warnings.warn(f"the end of the job could not be stored: {self._unstored}", stacklevel=3)
        if self._result is None:
            raise afresh(self._error)
        return self._result

    def retag(self, tags: Sequence[str]) -> None:
        """Replace the tags of the job."""
        self._store.retag(self._record.job_id, tags)
        self._record = replace(self._record, tags=tuple(tags))

    def cancel(self) -> bool:
        """Cancel the execution; False once it has ended."""
        return not self._ended.is_set() and self._execution.cancel()

    def execution(self) -> Execution:
        """Return the handle at the runner."""
        return self._execution

    def _follow(self) -> None:
        job_id = self._record.job_id
        self._stage = Stage.ERROR
        try:
            self._await_execution()
            self._result = self._execution.result()
            self._stage = Stage.DONE
        except JobCancelledError as error:
            self._stage, self._error = Stage.CANCELLED, error
        except QctrlError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 (whoever waits must learn of a defect too)
            _log.exception("job %s failed by a defect", job_id)
            self._error = JobError(f"job {job_id} failed by a defect: {error!r}", job_id=job_id)
        finally:
            forget_frames(self._error)
            self._commit()
            self._ended.set()

    def _await_execution(self) -> None:
        noted, look_s = False, time.monotonic()
        while not self._execution.wait(_POLL_S):
            try:
                if not noted and self._execution.status() == Stage.RUNNING.value:
                    self._store.mark_running(self._record.job_id)
                    noted = True
                if time.monotonic() >= look_s:
                    look_s = time.monotonic() + _CANCEL_POLL_S
                    if self._store.is_cancel_asked(self._record.job_id):
                        self._execution.cancel()
            except JobError as error:
                # The job goes on: a store that is full or busy now may take its end.
                _log.warning("job %s: %s", self._record.job_id, error)

    def _commit(self) -> None:
        try:
            if self._result is not None:
                self._store.finish(self._record.job_id, encode_result(self._result))
            else:
                self._store.fail(self._record.job_id, self._stage, self._error.code, str(self._error))
        except JobError as error:
            forget_frames(error)
            self._unstored = error


class StoredJob:
    """A job of another or an earlier process, known from the store alone.

    Args:
        store: Where the job is stored.
        record: Its record when it was looked up.
    """

    def __init__(self, store: JobStore, record: JobRecord) -> None:
        self._store = store
        self._record = record

    @property
    def record(self) -> JobRecord:
        """The record as last seen, with its blobs."""
        if not self._record.spec:
            self._record = self._store.get(self._record.job_id)
        return self._record

    def stage(self) -> Stage:
        """Return the stage, looking again while it is not final."""
        if not self._record.stage.final:
            self._record = self._store.get(self._record.job_id, light=True)
        return self._record.stage

    def wait(self, timeout_s: float | None = None) -> bool:
        """Look again and again until the owner has stored the end, or died."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self.stage().final:
            left = _POLL_S if deadline is None else min(_POLL_S, deadline - time.monotonic())
            if left <= 0:
                return False
            time.sleep(left)
        return True

    def result(self) -> JobResult:
        """Wait for the end and return the raw result from the store.

        Raises:
            JobInterruptedError: The process that ran the job died first.
            JobCancelledError: The job was cancelled.
            JobError: The job failed; the message carries the code and text of the failure.
        """
        self.wait()
        record = self.record
        if record.result is not None:
            return decode_result(record.result, job_id=record.job_id)
        if record.stage is Stage.INTERRUPTED:
            raise JobInterruptedError(f"job {record.job_id}: {record.error}", job_id=record.job_id)
        if record.stage is Stage.CANCELLED:
            raise JobCancelledError(record.error, job_id=record.job_id)
        raise JobError(f"job {record.job_id} failed: {record.error} [{record.error_code}]", job_id=record.job_id)

    def retag(self, tags: Sequence[str]) -> None:
        """Replace the tags of the job."""
        self._store.retag(self._record.job_id, tags)
        self._record = replace(self._record, tags=tuple(tags))

    def cancel(self) -> bool:
        """Ask the process that runs the job, which looks once in a second; False if it has ended already."""
        return self._store.ask_to_cancel(self._record.job_id)

    def execution(self) -> None:
        """Return None: only the process that runs a job knows."""
        return


class Jobs:
    """Submits jobs, follows them, and finds them again.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._live: WeakValueDictionary[str, LiveJob] = WeakValueDictionary()

    @property
    def store(self) -> JobStore:
        """Where the jobs are kept."""
        return self._store

    def submit(self, runner: Runner, submission: Submission, spec: JobSpec) -> LiveJob:
        """Store the job, then hand it to the runner.

        Raises:
            JobError: The job cannot be stored; then it is not executed.
            QctrlError: The runner refuses the job; the refusal is stored.
        """
        record = self._store.add(submission)
        try:
            execution = runner.submit(spec)
        except QctrlError as error:
            self._store.fail(submission.job_id, Stage.ERROR, error.code, str(error))
            raise
        job = LiveJob(self._store, record, execution)
        self._live[submission.job_id] = job
        return job

    def find(self, job_id: str) -> JobHandle:
        """Return a job of this process, or what the store knows of it.

        Raises:
            JobNotFoundError: No such job.
        """
        live = self._live.get(job_id)
        return live if live is not None else StoredJob(self._store, self._store.get(job_id))

    def delete(self, job_id: str) -> None:
        """Forget a job that has ended.

        Raises:
            JobNotFoundError: No such job.
            JobError: The job has not ended.
        """
        self._store.delete(job_id)
        self._live.pop(job_id, None)

    def close(self) -> None:
        """Wait for the live jobs to be stored, then release the store."""
        for job in list(self._live.values()):
            job.wait(_CLOSE_DEADLINE_S)
        self._store.close()

    def handle(self, record: JobRecord) -> JobHandle:
        """Return the job of a record."""
        live = self._live.get(record.job_id)
        return live if live is not None else StoredJob(self._store, record)
