"""``Job``: what ``run`` of a primitive returns, and what the job store gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import JobStatus

from qctrl.execution import JobResult, WorkResult
from qctrl.provider import Backend, TrackedJob
from qctrl.service import Blob, JobHandle

Pubs = Sequence[SamplerPub] | Sequence[EstimatorPub]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How jobs of a primitive become results; pure, so that a job read from the store answers as the one submitted."""

    name: Literal["sampler", "estimator"]
    """The primitive, in the store."""
    assemble: Callable[[Any, Blob, JobResult], PrimitiveResult[Any]]
    """Makes the result of pubs, the stored blob and the raw result."""
    pub_results: Callable[[Any, Blob, Sequence[WorkResult | None]], Sequence[PubResult | None]]
    """Makes what is there already of the works that are there already."""
    decode_pubs: Callable[[Blob], Pubs]
    """Reads the pubs from the stored blob."""


class Job(TrackedJob, BasePrimitiveJob[PrimitiveResult[Any], JobStatus]):
    """A job of ``SamplerV2`` or ``EstimatorV2``.

    Args:
        handle: The job itself.
        recipe: Makes the result.
        backend: Gives the backend, if it is still known.
        pubs: The pubs, if this process submitted them.
    """

    def __init__(
        self,
        handle: JobHandle,
        recipe: Recipe,
        backend: Callable[[], Backend],
        pubs: Pubs | None = None,
    ) -> None:
        record = handle.record
        super().__init__(record.job_id, device=record.device, calibration_id=record.calibration_id)
        self._handle = handle
        self._recipe = recipe
        self._find_backend = backend
        self._pubs = pubs
        self._result: PrimitiveResult[Any] | None = None

    def __repr__(self) -> str:
        record = self._handle.record
        return f"<Job {record.job_id} {record.primitive} on {record.device}: {self.status().name}>"

    def interim_results(self) -> dict[int, PubResult]:
        """Return what is there already, by the index of the pub, without waiting.

        A pub is there once each of its parameter sets, and each basis of an estimate, has a shot;
        ``metadata["shots"]`` of a sampler's pub and the standard errors of an estimate are those of
        the shots that are there.

        Raises:
            JobError: Another process runs the job.
        """
        if self.done():
            whole = self.result()
            return {index: whole[index] for index in range(len(whole))}
        found = self._recipe.pub_results(self.inputs, self._blob, self._own_execution().so_far())
        return {index: each for index, each in enumerate(found) if each is not None}

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
            self._result = self._recipe.assemble(self.inputs, self._blob, raw)
        return self._result

    @property
    def inputs(self) -> Pubs:
        """The pubs, as they were coerced at submission."""
        if self._pubs is None:
            self._pubs = self._recipe.decode_pubs(self._blob)
        return self._pubs

    @property
    def options(self) -> dict[str, Any]:
        """The options at submission."""
        return self._blob.document["options"]

    @property
    def tags(self) -> list[str]:
        """Words to find the job by."""
        return list(self._handle.record.tags)

    def replay(self) -> Job:
        """Play the job again and return the new one.

        Programs, words, setup, seed and switches are those that were stored with the job, whatever the
        calibration is now; on the emulator the result is the same, bit for bit.

        Raises:
            JobError: The job was stored by a release that did not keep programs.
        """
        backend = self._find_backend()
        return Job(backend.replay(self._handle.record), self._recipe, self._find_backend, self._pubs)

    @property
    def primitive_id(self) -> str:
        """``sampler`` or ``estimator``."""
        return self._handle.record.primitive
