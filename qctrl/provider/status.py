"""Stages of jobs and states of devices in Qiskit's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qiskit.providers import JobStatus

from qctrl.service import Stage
from qctrl.version import __version__

if TYPE_CHECKING:
    from qctrl.provider.backend import Backend

_STATUS = {
    Stage.QUEUED: JobStatus.QUEUED,
    Stage.RUNNING: JobStatus.RUNNING,
    Stage.DONE: JobStatus.DONE,
    Stage.CANCELLED: JobStatus.CANCELLED,
    Stage.ERROR: JobStatus.ERROR,
    Stage.INTERRUPTED: JobStatus.ERROR,
}


def to_job_status(stage: Stage) -> JobStatus:
    """Return Qiskit's name of a stage; an interrupted job is an error."""
    return _STATUS[stage]


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """Whether a device takes jobs, and how many wait."""

    backend_name: str
    backend_version: str
    operational: bool
    pending_jobs: int
    """Jobs of this process that wait or run."""
    status_msg: str


def status_of(backend: Backend) -> BackendStatus:
    """Return whether a device takes jobs, and how many of this process wait or run."""
    operational = bool(backend.calibration.live_qubits)
    return BackendStatus(
        backend_name=backend.calibration.name,
        backend_version=__version__,
        operational=operational,
        pending_jobs=backend.runner.pending(),
        status_msg="active" if operational else "no qubit is usable; calibration.demoted says why",
    )
