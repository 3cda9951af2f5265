"""``LocalRunner``: one rack, one thread, jobs in order."""

from __future__ import annotations

import atexit
import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from qctrl.config import Rack
from qctrl.errors import (
    CompileError,
    InstrumentError,
    InstrumentFault,
    JobCancelledError,
    JobError,
    JobTimeLimitError,
    ProtocolError,
    QctrlError,
)
from qctrl.execution.connection import Connection
from qctrl.execution.execution import FINAL, Execution
from qctrl.execution.playback import STALL_SLACK_S, execute
from qctrl.execution.spec import JobSpec
from qctrl.instruments import Debuggable
from qctrl.protocol import Setup

DEBUG_DEADLINE_S: Final = 600.0
_CLOSE_DEADLINE_S: Final = 20.0
_log = logging.getLogger(__name__)


class LocalRunner:
    """Executes jobs on the rack of this machine; opens it when the first job comes.

    Everything that touches the rack happens in one thread. After a failure of the instrument the connection is
    dropped, and the emulator started anew, so the next job finds a board in a known state.

    Args:
        rack: Driver and address of the installed rack.
        device: Name of the device.
        truth: Hidden truth for an embedded emulator; ``None`` takes the device's own.
        stall_slack_s: How long a run may show no sign of life beyond the time it should take, in seconds.
    """

    def __init__(
        self, rack: Rack, device: str, truth: Path | None = None, *, stall_slack_s: float = STALL_SLACK_S
    ) -> None:
        self._connection = Connection(rack, device, truth)
        self._device = device
        self._stall_slack_s = stall_slack_s
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._open_executions: list[Execution] = []
        self._thread: threading.Thread | None = None
        self._closed = False
        self._owner = os.getpid()

    def prepare(self) -> None:
        """Begin to open the rack and return at once, so that the first job finds it open.

        A failure shows when a job comes, which tries again.
        """
        self._enqueue(self._open_early)

    def submit(self, spec: JobSpec) -> Execution:
        """Queue a job; see ``Runner``.

        Raises:
            JobError: The job is for another device, or the runner is closed.
        """
        if spec.device != self._device:
            raise JobError(f"job is for {spec.device}, this rack plays {self._device}", job_id=spec.job_id)
        execution = Execution(spec.job_id, spec.total_shots)
        with self._lock:
            self._open_executions = [one for one in self._open_executions if one.status() not in FINAL]
            self._open_executions.append(execution)
        self._enqueue(lambda: self._run(spec, execution))
        return execution

    def pending(self) -> int:
        """Return how many jobs of this process wait or run."""
        with self._lock:
            return sum(one.status() not in FINAL for one in self._open_executions)

    def debug(
        self, setup: Setup, body: Mapping[str, Any], buffers: Sequence[bytes] = ()
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Ask the emulator about its physics; see ``Runner``.

        Raises:
            InstrumentError: The rack is real, or the emulator failed.
        """
        future: Future[tuple[dict[str, Any], list[bytes]]] = Future()

        def task() -> None:
            try:
                future.set_result(self._ask(setup, body, buffers))
            except Exception as error:  # noqa: BLE001 (the asker gets it, whatever it is)
                self._forget_after(error)
                future.set_exception(_as_one(error))

        self._enqueue(task)
        return future.result()

    def close(self) -> None:
        """Cancel what runs, reach the safe state, end the emulator; idempotent."""
        if os.getpid() != self._owner:
            return  # a fork of the owner ends, and runs its exit handlers; the thread and the child are not its own
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
            executions, self._open_executions = self._open_executions, []
        atexit.unregister(self.close)
        for execution in executions:
            execution.cancel()
        if thread is None:
            return
        self._tasks.put(None)
        thread.join(_CLOSE_DEADLINE_S)
        emulator = self._connection.emulator
        if thread.is_alive() and emulator is not None:
            emulator.close()

    def _enqueue(self, task: Callable[[], None]) -> None:
        with self._lock:
            if self._closed:
                raise JobError("this runner is closed; make a new one")
            if self._thread is None:
                # A daemon, because a user's script that ends must not wait for its jobs; atexit closes in order.
                self._thread = threading.Thread(target=self._work, name=f"runner {self._device}", daemon=True)
                self._thread.start()
                atexit.register(self.close)
            self._tasks.put(task)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
            del task  # or the last job would stay until the next one comes
        try:
            self._connection.close()
        except (QctrlError, ExceptionGroup) as error:
            _log.warning("the rack of %s did not close cleanly: %s", self._device, error)

    def _open_early(self) -> None:
        try:
            self._connection.open()
        except (QctrlError, ExceptionGroup) as error:
            _log.info("the rack of %s could not be opened early: %s", self._device, error)

    def _run(self, spec: JobSpec, execution: Execution) -> None:
        if not execution.begin():
            return
        try:
            execution.succeed(execute(spec, self._connection.open(), execution, self._stall_slack_s))
        except Exception as error:  # noqa: BLE001 (whoever waits for the job gets it, whatever it is)
            self._forget_after(error)
            execution.fail(_cancelled(spec.job_id, error) if execution.is_cancelled else _as_one(error))

    def _ask(
        self, setup: Setup, body: Mapping[str, Any], buffers: Sequence[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        opened = self._connection.open()
        if "debug" not in opened.identity.capabilities or not isinstance(opened.driver, Debuggable):
            raise InstrumentError(f"{self._device} is real: only an emulator answers debug requests", name=self._device)
        opened.driver.configure(setup)
        return opened.driver.debug(body, buffers, DEBUG_DEADLINE_S)

    def _forget_after(self, error: Exception) -> None:
        # A refusal leaves the board in a known state, if it is at rest; anything else does not.
        refused = isinstance(
            error, InstrumentFault | JobCancelledError | JobTimeLimitError | CompileError | ProtocolError
        )
        if not (refused and self._connection.is_at_rest()):
            _log.info("connection to %s dropped: %s", self._device, error)
            self._connection.drop()


def _as_one(error: Exception) -> Exception:
    """Return one error of the stack in place of a group of them, as a rack that lost its power raises."""
    if not isinstance(error, ExceptionGroup) or error.split(QctrlError)[1] is not None:
        return error
    whole = InstrumentError("\n".join([f"{error.message}:", *map(str, error.exceptions)]))
    whole.__cause__ = error
    return whole


def _cancelled(job_id: str, error: Exception) -> Exception:
    if isinstance(error, JobCancelledError):
        return error
    cancelled = JobCancelledError(f"job {job_id} was cancelled while it failed: {error}", job_id=job_id)
    cancelled.__cause__ = error
    return cancelled
