"""Jobs of the store become jobs of the primitive that submitted them."""

from __future__ import annotations

from collections.abc import Callable

from qctrl.errors import JobError
from qctrl.primitives import estimator_results, sampler
from qctrl.primitives.job import Job
from qctrl.provider import Backend, RunJob
from qctrl.service import JobHandle


def restore(handle: JobHandle, backend: Callable[[], Backend]) -> Job | RunJob:
    """Return the job of a handle, with the same result as the one that was submitted.

    Args:
        handle: The job.
        backend: Gives its backend, should somebody ask; the result does not need it.

    Raises:
        JobError: The job belongs to a primitive that this release does not know.
    """
    record = handle.record
    for recipe in (sampler.RECIPE, estimator_results.RECIPE):
        if record.primitive == recipe.name:
            return Job(handle, recipe, backend)
    if record.primitive == "run":
        return RunJob(backend, handle)
    raise JobError(
        f"job {record.job_id} belongs to {record.primitive!r}, which this release does not know; update qctrl-stack",
        job_id=record.job_id,
    )
