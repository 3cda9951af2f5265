"""What is executed and what comes back: values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qctrl.execution.shot_time import shot_time
from qctrl.protocol import CaptureMode, Patch, Program, Setup, SimOptions
from qctrl.units import to_seconds, to_ticks

Status: TypeAlias = Literal["QUEUED", "RUNNING", "DONE", "CANCELLED", "ERROR"]

SPAN: Final = np.dtype(
    [
        ("first_binding", "<i8"),
        ("n_bindings", "<i8"),
        ("first_shot", "<i8"),
        ("n_shots", "<i8"),
        ("start_us", "<i8"),
        ("stop_us", "<i8"),
    ]
)
"""When a rectangle of bindings and shots was executed, in microseconds since 1970, by the clock of the host."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """One program with all its bindings: what a pub becomes."""

    program: Program
    patch: Patch | None
    """Words for the open slots; ``None`` if there are none, which is one binding."""
    shots: int
    """Shots per binding."""
    capture_mode: CaptureMode = "bits"
    pub_index: int = 0
    """Place of the pub in its job; equal pubs draw different random numbers."""

    @property
    def n_bindings(self) -> int:
        """Number of parameter sets."""
        return 1 if self.patch is None else self.patch.n_bindings


@dataclass(frozen=True, slots=True, eq=False)
class JobSpec:
    """Everything that a runner needs, and nothing that it must look up."""

    job_id: str
    device: str
    setup: Setup
    works: tuple[Work, ...]
    sim: SimOptions | None = None
    """Switches for an emulator; ``None`` on hardware."""
    chunk_shots: int | None = None
    """Most shots in one run; ``None`` lets the runner choose. The result does not depend on it."""
    rep_delay_s: float | None = None
    """Idle time between shots; ``None`` is no more than the shot grid asks for."""
    max_execution_s: float | None = None
    """Longest time on the rack; ``None`` is no limit."""

    @property
    def total_shots(self) -> int:
        """Shots of all bindings of all works."""
        return sum(work.shots * work.n_bindings for work in self.works)

    def quantum_time(self) -> tuple[float, bool]:
        """Return the time of all shots in seconds, each on the shot grid, and whether they cannot take longer.

        See :func:`qctrl.execution.shot_time`, which says how loops and decisions are counted.
        """
        grid, tick_s = self.setup.shot_grid_ticks, self.setup.tick_s
        wait = to_ticks(self.rep_delay_s or 0.0, tick_s, what="rep_delay")
        times = [(work, shot_time(work.program, self.setup)) for work in self.works]
        ticks = sum(-(-(time.ticks + wait) // grid) * grid * work.shots * work.n_bindings for work, time in times)
        return to_seconds(ticks, tick_s), all(time.is_bounded for _, time in times)


@dataclass(frozen=True, slots=True, eq=False)
class WorkResult:
    """Every shot of every binding of one work."""

    bits: NDArray[np.uint8]
    """Final classical registers, ``(bindings, shots, nbytes)``; bit k is byte ``k >> 3``, bit ``k & 7``."""
    iq: NDArray[np.complex64] | None = None
    """``(bindings, shots, captures)``; without shots in mode ``iq_mean``."""
    traces: NDArray[np.complex64] | None = None
    """``(bindings, shots, captures, samples)``; without shots in mode ``trace_mean``."""
    statistics: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the firmware said of its runs, one dict per chunk under ``"chunks"``."""
    spans: NDArray[np.void] = field(default_factory=lambda: np.empty(0, dtype=SPAN))
    """dtype ``SPAN``, one per chunk, in the order of execution."""


@dataclass(frozen=True, slots=True, eq=False)
class JobResult:
    """One result per work, in order."""

    works: tuple[WorkResult, ...]
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    """Versions, hashes, and when it ran."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Sent to listeners whenever a job moves."""

    job_id: str
    status: Status
    done_shots: int
    total_shots: int
