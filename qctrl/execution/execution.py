"""Handle of one submitted job."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from qctrl.errors import JobCancelledError, JobError, QctrlError
from qctrl.execution.kept_errors import afresh, forget_frames
from qctrl.execution.spec import JobResult, Progress, Status, WorkResult

FINAL: Final[frozenset[Status]] = frozenset({"DONE", "CANCELLED", "ERROR"})
_log = logging.getLogger(__name__)


class Execution:
    """Waits for, watches and cancels one job; every method may be called from any thread.

    The runner's side are ``begin``, ``offer``, ``advance``, ``succeed`` and ``fail``.
    """

    def __init__(self, job_id: str, total_shots: int) -> None:
        self.job_id = job_id
        self._changed = threading.Condition()
        self._status: Status = "QUEUED"
        self._done_shots = 0
        self._total_shots = total_shots
        self._cancelled = threading.Event()
        self._result: JobResult | None = None
        self._error: BaseException | None = None
        self._listeners: list[Callable[[Progress], None]] = []
        self._snapshot: Callable[[], tuple[WorkResult | None, ...]] = tuple

    def status(self) -> Status:
        """Return where the job is."""
        with self._changed:
            return self._status

    def progress(self) -> tuple[int, int]:
        """Return (shots done, shots in all), over all bindings of all works."""
        with self._changed:
            return self._done_shots, self._total_shots

    def subscribe(self, listener: Callable[[Progress], None]) -> None:
        """Call ``listener`` now and whenever the job moves, from the runner's thread; it must be quick."""
        with self._changed:
            self._listeners.append(listener)
            event = self._event()
        listener(event)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Return whether the job has ended, waiting up to ``timeout_s`` seconds for it."""
        with self._changed:
            return self._changed.wait_for(lambda: self._status in FINAL, timeout_s)

    def result(self, timeout_s: float | None = None) -> JobResult:
        """Return the result, waiting for it.

        Raises:
            JobError: The job has not ended within ``timeout_s`` seconds, or was cancelled.
            QctrlError: What made the job fail, an equal one each time.
        """
        if not self.wait(timeout_s):
            raise JobError(
                f"job {self.job_id} has not ended within {timeout_s} s; it goes on, ask again", job_id=self.job_id
            )
        if self._error is not None:
            raise afresh(self._error)
        if self._result is None:
            raise JobCancelledError(f"job {self.job_id} was cancelled; it has no result", job_id=self.job_id)
        return self._result

    def so_far(self) -> tuple[WorkResult | None, ...]:
        """Return what is there of each work, from the first: whole, or with fewer shots, or nothing."""
        return self._snapshot()

    def cancel(self) -> bool:
        """Ask for the end of the job; return False if it had ended already."""
        with self._changed:
            if self._status in FINAL:
                return False
            self._cancelled.set()
            if self._status == "RUNNING":
                return True
        self._move("CANCELLED")
        return True

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked for the end of the job."""
        return self._cancelled.is_set()

    def begin(self) -> bool:
        """Note that the job runs; return False if it was cancelled before."""
        if self.is_cancelled:
            return False
        self._move("RUNNING")
        return True

    def offer(self, snapshot: Callable[[], tuple[WorkResult | None, ...]]) -> None:
        """Say how to look at what is there already; ``snapshot`` is called from any thread."""
        self._snapshot = snapshot

    def advance(self, done_shots: int) -> None:
        """Note how many shots are done."""
        with self._changed:
            moved = done_shots != self._done_shots
            self._done_shots = done_shots
        if moved:
            self._tell()

    def succeed(self, result: JobResult) -> None:
        """Give the result."""
        self._result = result
        self._move("DONE")

    def fail(self, error: BaseException) -> None:
        """Give the reason why there is no result; the log keeps where it was raised."""
        level = logging.INFO if isinstance(error, QctrlError) else logging.ERROR
        _log.log(level, "job %s has no result", self.job_id, exc_info=error)
        forget_frames(error)
        self._error = error
        self._move("CANCELLED" if isinstance(error, JobCancelledError) else "ERROR")

    def _move(self, status: Status) -> None:
        with self._changed:
            if self._status in FINAL:
                return
            self._status = status
            self._changed.notify_all()
        self._tell()

    def _event(self) -> Progress:
        return Progress(self.job_id, self._status, self._done_shots, self._total_shots)

    def _tell(self) -> None:
        with self._changed:
            event, listeners = self._event(), tuple(self._listeners)
        for listener in listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 (a listener's defect must not cost the job its result)
                _log.exception("listener of job %s failed", self.job_id)
