"""One run as both threads see it: the worker fills in blocks of results, the service hands them out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

from qctrl.errors import QctrlError
from qctrl.protocol import Run

State: TypeAlias = Literal["safe", "ready", "running", "done", "failed"]

_MAX_HELD_BYTES: Final = 64 << 20
"""Results that nobody fetched yet; the worker waits while there are more."""


class RunAbortedError(Exception):
    """Raised in the worker's thread to leave a run that was aborted."""


class ActiveRun:
    """State, progress and unfetched blocks of a run.

    Args:
        run: What was asked for.
        on_change: Called, from the worker's thread, whenever there is something to fetch.
    """

    def __init__(self, run: Run, on_change: Callable[[], None]) -> None:
        self.run = run
        self.error: QctrlError | None = None
        self._on_change = on_change
        self._lock = threading.Condition()
        self._state: State = "running"
        self._blocks: dict[int, bytes] = {}
        self._n_blocks = 0
        self._done_shots = 0
        self._steps = 0
        self._aborted = False

    @property
    def state(self) -> State:
        """``running``, then ``done`` or ``failed``."""
        with self._lock:
            return self._state

    def status(self) -> dict[str, Any]:
        """Return state and progress for a reply."""
        with self._lock:
            return {
                "state": self._state,
                "run_id": self.run.run_id,
                "done_shots": self._done_shots,
                "total_shots": self.run.n_shots * self.run.n_bindings,
                "steps": self._steps,
            }

    def abort(self) -> None:
        """Make the worker leave the run at its next step."""
        with self._lock:
            self._aborted = True
            self._blocks.clear()
            self._lock.notify_all()

    def step(self) -> None:
        """Note a sign of life, from the worker's thread.

        Raises:
            RunAbortedError: The run was aborted.
        """
        with self._lock:
            self._steps += 1
            if self._aborted:
                raise RunAbortedError

    def put(self, block: bytes, shots: int) -> None:
        """Add a block of results, waiting while too much is unfetched.

        Raises:
            RunAbortedError: The run was aborted.
        """
        with self._lock:
            self._lock.wait_for(lambda: self._aborted or self._held_bytes() < _MAX_HELD_BYTES)
            if self._aborted:
                raise RunAbortedError
            self._blocks[self._n_blocks] = block
            self._n_blocks += 1
            self._done_shots += shots
            complete = self._done_shots >= self.run.n_shots * self.run.n_bindings
        # The last block waits for the end of the run, which follows at once: one answer says both.
        if not complete:
            self._on_change()

    def finish(self, error: QctrlError | None = None) -> None:
        """End the run, well or not."""
        with self._lock:
            self.error = error
            self._state = "done" if error is None else "failed"
        self._on_change()

    def take(self, index: int) -> bytes | None:
        """Return block ``index`` if it is there; asking for it acknowledges all blocks before it."""
        with self._lock:
            for acknowledged in [k for k in self._blocks if k < index]:
                del self._blocks[acknowledged]
            self._lock.notify_all()
            return self._blocks.get(index)

    def is_exhausted(self, index: int) -> bool:
        """Return whether the run has ended and has no block ``index``."""
        with self._lock:
            return self._state != "running" and index not in self._blocks

    def _held_bytes(self) -> int:
        return sum(len(block) for block in self._blocks.values())
