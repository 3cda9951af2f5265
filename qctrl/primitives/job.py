"""``Job``: what ``run`` of a primitive returns, and what the job store gives back."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import JobStatus
from qiskit.providers.exceptions import JobTimeoutError

from qctrl.errors import JobError, QctrlError
from qctrl.execution import Execution, JobResult, JobSpec, Progress, WorkResult
from qctrl.protocol import Program
from qctrl.provider import Backend, Properties, to_job_status
from qctrl.service import Blob, JobHandle, Stage, decode, decode_spec

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


class Job(BasePrimitiveJob[PrimitiveResult[Any], JobStatus]):
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
        """Ask for the end of the job, whichever process runs it; False if it has ended already."""
        return self._handle.cancel()

    def progress(self) -> tuple[int, int] | None:
        """Return (shots done, shots in all), or ``None`` if another process runs or ran the job."""
        execution = self._handle.execution()
        return None if execution is None else execution.progress()

    def on_progress(self, callback: Callable[[Progress], None]) -> None:
        """Call ``callback`` now and whenever the job moves on.

        Args:
            callback: Takes job id, status, shots done and shots in all; called from a thread of the
                runner, which waits for it. What it raises is logged and does not harm the job.

        Raises:
            JobError: Another process runs or ran the job.
        """
        self._own_execution().subscribe(callback)

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

    def _own_execution(self) -> Execution:
        execution = self._handle.execution()
        if execution is None:
            raise JobError(f"job {self.job_id()} is not run by this process; wait for its result", job_id=self.job_id())
        return execution

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
            self._result = self._recipe.assemble(self.inputs, self._blob, raw)
        return self._result

    @functools.cached_property
    def _blob(self) -> Blob:
        record = self._handle.record
        return decode(record.spec, job_id=record.job_id)

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

    def update_tags(self, new_tags: Sequence[str]) -> list[str]:
        """Replace the tags of the job, and return them.

        Raises:
            TypeError: A tag is not a string.
        """
        tags: list[Any] = list(new_tags)
        if isinstance(new_tags, str) or not all(isinstance(tag, str) for tag in tags):
            raise TypeError(f"tags are {new_tags!r}; give a list of strings")
        self._handle.retag(tags)
        return tags

    @property
    def session_id(self) -> str | None:
        """Id of the session or batch that the job belongs to."""
        return self._handle.record.session or None

    @property
    def calibration_id(self) -> str:
        """Calibration that the programs were compiled with."""
        return self._handle.record.calibration_id

    @functools.cached_property
    def programs(self) -> tuple[Program, ...]:
        """The packed programs as they were played, one per work: a pub, a basis, or a length of a delay."""
        return tuple(work.program for work in self._spec.works)

    @functools.cached_property
    def _spec(self) -> JobSpec:
        return decode_spec(self._blob, self.job_id())

    def replay(self) -> Job:
        """Play the job again and return the new one.

        Programs, words, setup, seed and switches are those that were stored with the job, whatever the
        calibration is now; on the emulator the result is the same, bit for bit.

        Raises:
            JobError: The job was stored by a release that did not keep programs.
        """
        backend = self._find_backend()
        return Job(backend.replay(self._handle.record), self._recipe, self._find_backend, self._pubs)

    @functools.cached_property
    def usage_estimation(self) -> dict[str, Any]:
        """Time that the shots take on the device, as ``quantum_seconds``, known before they are taken.

        Loops over a known number of rounds are counted round by round, waiting for measured bits and the idle time
        between shots too, and of each decision the longer way. ``is_bounded`` is False where shots may take longer: a
        loop that only a measured bit ends is counted once.
        """
        seconds, is_bounded = self._spec.quantum_time()
        return {"quantum_seconds": seconds, "is_bounded": is_bounded}

    def usage(self) -> float:
        """Return the time that the job took on the rack, in seconds; 0 before it is done."""
        if not self.done():
            return 0.0
        # Pubs that were played together share their spans.
        spans = {span for work in self._handle.result().works for span in work.spans[["start_us", "stop_us"]].tolist()}
        return sum(stop_us - start_us for start_us, stop_us in spans) / 1e6

    def logs(self) -> str:
        """Return what happened to the job, one line per event, with its time."""
        times = self.metrics()["timestamps"]
        lines = [f"{times[name]} {name}" for name in ("created", "running", "finished") if times.get(name)]
        if self.in_final_state() and not self.done():
            lines.append(f"{self._handle.record.updated.isoformat()} {self.status().name}: {self.error_message()}")
        return "\n".join(lines)

    def properties(self) -> Properties:
        """Return what was known of the device when the job was submitted.

        Raises:
            JobError: The job was stored by a release that did not keep calibrations.
        """
        return Properties(self._find_backend().calibration_of(self._blob.document["provenance"]["calibration_hash"]))

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

        ``timestamps`` are ISO 8601, of submission, start and end; ``usage`` is in seconds; ``qctrl``
        holds calibration, program hashes, seed and emulator switches, and once the job is done
        versions, shots and the firmware's statistics.
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
        usage = {
            "seconds": self.usage(),
            "estimated_quantum_seconds": self.usage_estimation["quantum_seconds"],
            "estimate_is_bounded": self.usage_estimation["is_bounded"],
        }
        return {"timestamps": timestamps, "usage": usage, "qctrl": ours}
