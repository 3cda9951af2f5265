"""One row of the job store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Stage(StrEnum):
    """Where a job is in its life."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    CANCELLED = "CANCELLED"
    ERROR = "ERROR"
    INTERRUPTED = "INTERRUPTED"
    """The process that ran it died first."""

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self not in (Stage.QUEUED, Stage.RUNNING)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What the store knows of a job."""

    job_id: str
    created: datetime
    updated: datetime
    stage: Stage
    device: str
    primitive: str
    """``sampler``, ``estimator`` or ``run``."""
    tags: tuple[str, ...]
    calibration_id: str
    spec: bytes
    """Inputs and options, as the primitive encoded them; empty in a list."""
    result: bytes | None
    """Raw result, if the job is done; absent in a list."""
    error_code: str
    error: str
    session: str = ""
    """Id of the session or batch that the job belongs to; empty for none."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a new job brings to the store."""

    job_id: str
    device: str
    primitive: str
    calibration_id: str
    spec: bytes
    tags: tuple[str, ...] = ()
    session: str = ""
    calibration_hash: str = ""
    """Content hash of the calibration, in hex."""
    calibration_text: str = ""
    """The calibration as YAML; empty if it is not to be kept."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs a list is to hold; the default is all."""

    tags: tuple[str, ...] = ()
    """Only jobs that carry every one of these tags."""
    stages: tuple[Stage, ...] | None = None
    """Only jobs at one of these stages; ``None`` for any."""
    device: str | None = None
    primitive: str | None = None
    session: str | None = None
    after: datetime | None = None
    """Only jobs submitted after this time."""
    before: datetime | None = None
    """Only jobs submitted before this time."""
