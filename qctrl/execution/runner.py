"""The one interface between those who want work done and those who do it, near or far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from qctrl.execution.execution import Execution
from qctrl.execution.spec import JobSpec
from qctrl.protocol import Setup


class Runner(Protocol):
    """Takes jobs and executes them in order."""

    def submit(self, spec: JobSpec) -> Execution:
        """Queue a job and return at once."""
        ...

    def pending(self) -> int:
        """Return how many jobs wait or run."""
        ...

    def debug(
        self, setup: Setup, body: Mapping[str, Any], buffers: Sequence[bytes] = ()
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Ask an emulator about its physics, after the jobs before it; hardware refuses."""
        ...

    def close(self) -> None:
        """Stop what runs, reach the safe state, end every process that was started."""
        ...
