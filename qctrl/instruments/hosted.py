"""A run that the host drives itself, for instruments that have no firmware of ours.

There is no thread: a run moves on inside ``fetch``, so nothing goes on unseen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from qctrl.errors import InstrumentError
from qctrl.instruments.base import Progress, State
from qctrl.protocol import Results, Run

_PAUSE_S: Final = 0.001


class HostedRun:
    """The one run of a driver, and how far it is.

    Args:
        error: Makes an error of the driver from what is wrong.
    """

    def __init__(self, error: Callable[[str], InstrumentError]) -> None:
        self._error = error
        self.epoch = 0
        """Highest epoch that was served."""
        self.clear("safe")

    def clear(self, state: State) -> None:
        """Forget the run."""
        self._run: Run | None = None
        self._work: Iterator[Results | None] | None = None
        self._state: State = state
        self._blocks: dict[int, Results] = {}
        self._n_blocks = 0
        self._done_shots = 0
        self._steps = 0

    def accept(self, run: Run) -> None:
        """Take a run's epoch.

        Raises:
            InstrumentError: The run carries the emulator's switches, or is of an older controller.
        """
        if run.sim is not None:
            raise self._error("is real: it cannot take the emulator's switches (seed, noise, levels)")
        if run.epoch < self.epoch:
            raise self._error(f"has served epoch {self.epoch}, the run has {run.epoch}")
        self.epoch = run.epoch

    def begin(self, run: Run, work: Iterator[Results | None]) -> None:
        """Begin a run, whose work yields blocks of results, and ``None`` between two steps."""
        self.clear("running")
        self._run, self._work = run, work

    def fail(self) -> None:
        """Note that the run ended in a failure."""
        self._state = "failed"

    def progress(self) -> Progress:
        """Return how far the run is."""
        total = 0 if self._run is None else self._run.n_shots * self._run.n_bindings
        run_id = "" if self._run is None else self._run.run_id
        return Progress(self._state, run_id, self._done_shots, total, self._steps)

    def check_known(self, run_id: str) -> None:
        """Refuse a run that is not this one.

        Raises:
            InstrumentError: It was aborted, or never begun.
        """
        if self._run is None or self._run.run_id != run_id:
            raise self._error(f"has nothing to fetch: there is no run {run_id!r} on this rack; it was aborted")

    def advance(self, block: int, wait_s: float) -> None:
        """Go on until a block of results is there, the run ends, or the time is over."""
        until = time.monotonic() + wait_s
        while block not in self._blocks and self._work is not None:
            self._step(self._work)
            if time.monotonic() > until:
                return

    def take(self, block: int) -> Results | None:
        """Return a block of results, if it is there, and forget those before it."""
        for fetched in [k for k in self._blocks if k < block]:
            del self._blocks[fetched]
        return self._blocks.get(block)

    def _step(self, work: Iterator[Results | None]) -> None:
        try:
            found = next(work)
        except StopIteration:
            self._work, self._state = None, "done"
            return
        self._steps += 1
        if found is None:
            time.sleep(_PAUSE_S)
            return
        self._blocks[self._n_blocks] = found
        self._n_blocks += 1
        self._done_shots += found.bits.shape[0] * found.bits.shape[1]
