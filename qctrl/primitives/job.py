"""``Job``: what ``run`` of a primitive returns, and what the job store gives back."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import JobStatus
from qiskit.providers.exceptions import JobTimeoutError

from qctrl.errors import QctrlError
from qctrl.execution import JobResult
from qctrl.provider import Backend, to_job_status
from qctrl.service import Blob, JobHandle, Stage, decode

Pubs = Sequence[SamplerPub] | Sequence[EstimatorPub]
Assemble = Callable[[Any, Blob, JobResult], PrimitiveResult[Any]]
"""Turns pubs, the stored blob and the raw result into what the user gets; pure, so that a job read
from the store answers as the one that was submitted."""


class Job(BasePrimitiveJob[PrimitiveResult[Any], JobStatus]):
    """A job of ``SamplerV2`` or ``EstimatorV2``.

    Args:
        handle: The job itself.
        assemble: Makes the result.
        decode_pubs: Reads the pubs from the stored blob.
        backend: Gives the backend, if it is still known.
        pubs: The pubs, if this process submitted them.
    """

    def __init__(
        self,
        handle: JobHandle,
        assemble: Assemble,
        decode_pubs: Callable[[Blob], Pubs],
        backend: Callable[[], Backend],
        pubs: Pubs | None = None,
    ) -> None:
        record = handle.record
        super().__init__(record.job_id, device=record.device, calibration_id=record.calibration_id)
        self._handle = handle
        self._assemble = assemble
        self._decode_pubs = decode_pubs
        self._find_backend = backend
        self._pubs = pubs
        self._result: PrimitiveResult[Any] | None = None

    def __repr__(self) -> str:
        record = self._handle.record
        return f"<Job {record.job_id} {record.primitive} on {record.device}: {self.status().name}>"

    def status(self) -> JobStatus:
        """Return where the job is in its life."""
        return to_job_status(self._handle.stage())

    def done(self) -> bool:
        """Return whether the job has a result."""
        return self._handle.stage() is Stage.DONE

    def running(self) -> bool:
        """Return whether the job is being executed."""
        return self._handle.stage() is Stage.RUNNING

    def cancelled(self) -> bool:
        """Return whether the job was cancelled."""
        return self._handle.stage() is Stage.CANCELLED

    def errored(self) -> bool:
        """Return whether the job failed or was interrupted."""
        return self.status() is JobStatus.ERROR

    def in_final_state(self) -> bool:
        """Return whether nothing more will happen to the job."""
        return self._handle.stage().final

    def cancel(self) -> bool:
        """Ask for the end of the job.

        Returns:
            False if it has ended already, or if another process runs it.
        """
        return self._handle.cancel()

    def progress(self) -> tuple[int, int] | None:
        """Return (shots done, shots in all), or ``None`` if another process runs the job."""
        return self._handle.progress()

    def wait_for_final_state(self, timeout: float | None = None) -> None:
        """Wait for the end of the job, whatever it is.

        Args:
            timeout: Longest wait in seconds; ``None`` waits for ever.

        Raises:
            JobTimeoutError: The job did not end in time; it goes on.
        """
        if not self._handle.wait(timeout):
            raise JobTimeoutError(f"job {self.job_id()} has not ended within {timeout} s")

    def result(self, timeout: float | None = None) -> PrimitiveResult[Any]:
        """Wait for the job and return its result.

        Args:
            timeout: Longest wait in seconds; ``None`` waits for ever.

        Raises:
            JobTimeoutError: The job did not end in time; it goes on.
            QctrlError: What ended the job, the same each time.
        """
        self.wait_for_final_state(timeout)
        raw = self._handle.result()
        if self._result is None:
            self._result = self._assemble(self.inputs, self._blob, raw)
        return self._result

    @functools.cached_property
    def _blob(self) -> Blob:
        record = self._handle.record
        return decode(record.spec, job_id=record.job_id)

    @property
    def inputs(self) -> Pubs:
        """The pubs, as they were coerced at submission."""
        if self._pubs is None:
            self._pubs = self._decode_pubs(self._blob)
        return self._pubs

    @property
    def options(self) -> dict[str, Any]:
        """The options at submission."""
        return self._blob.document["options"]

    @property
    def tags(self) -> list[str]:
        """Words to find the job by."""
        return list(self._handle.record.tags)

    @property
    def creation_date(self) -> datetime:
        """When the job was submitted."""
        return self._handle.record.created

    @property
    def primitive_id(self) -> str:
        """``sampler`` or ``estimator``."""
        return self._handle.record.primitive

    def backend(self) -> Backend:
        """Return the backend, as it is calibrated now."""
        return self._find_backend()

    def error_message(self) -> str | None:
        """Return why the job has no result, or ``None``; waits for its end."""
        self._handle.wait()
        if self._handle.stage() is Stage.DONE:
            return None
        try:
            self._handle.result()
        except QctrlError as error:
            return f"{error} [{error.code}]"
        return None

    def metrics(self) -> dict[str, Any]:
        """Return where the result comes from, and what it took.

        ``timestamps`` are ISO 8601, of submission, start and end; ``qctrl`` holds calibration, program
        hashes, seed and emulator switches, and once the job is done versions, shots and the firmware's
        statistics. Qiskit's own metadata stay exactly as its reference primitives give them.
        """
        record = self._handle.record
        ours: dict[str, Any] = dict(self._blob.document["provenance"])
        timestamps: dict[str, Any] = {"created": record.created.isoformat()}
        if self._handle.stage() is Stage.DONE:
            raw = self._handle.result()
            timestamps["running"], timestamps["finished"] = raw.metadata.get("started"), raw.metadata.get("ended")
            ours["execution"] = raw.metadata
            ours["statistics"] = [work.statistics for work in raw.works]
            ours["shots"] = sum(work.bits.shape[0] * work.bits.shape[1] for work in raw.works)
        return {"timestamps": timestamps, "qctrl": ours}
