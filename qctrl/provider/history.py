"""Calibrations of the past, as the jobs that ran with them kept them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from qctrl.calibration import Calibration, loads
from qctrl.errors import JobError

if TYPE_CHECKING:
    from qctrl.provider.backend import Backend


def calibration_at(backend: Backend, at: datetime) -> Calibration:
    """Return the calibration that jobs of a device ran with at a time.

    Before the first job that is the backend's own, from when it was made.

    Args:
        backend: The device.
        at: The time; one without a zone is local.

    Raises:
        JobError: No job of the device had run by then, on this machine, and the backend's calibration is of later.
    """
    name = backend.calibration.name
    text = backend.jobs.store.calibration_at(name, at)
    if text is None:
        created = backend.calibration.document.created
        if created is not None and datetime.fromisoformat(created) <= at.astimezone():
            return backend.calibration
        raise JobError(f"no job had run on {name} by {at.isoformat()}, so no calibration of that time is kept")
    return loads(text, f"{name} at {at.isoformat()}")


def calibration_of(backend: Backend, calibration_hash: str) -> Calibration:
    """Return a calibration that jobs ran with.

    Args:
        backend: The device.
        calibration_hash: Content hash of the calibration, in hex.

    Raises:
        JobError: It was not kept.
    """
    if calibration_hash == backend.calibration.hash.hex():
        return backend.calibration
    text = backend.jobs.store.calibration(calibration_hash)
    if text is None:
        raise JobError(f"calibration {calibration_hash[:12]} was not kept; jobs of release 0.1.0 kept none")
    return loads(text, f"calibration {calibration_hash[:12]}")
