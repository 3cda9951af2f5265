"""What every job answers, of a primitive or of ``backend.run``, alive or stored."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qiskit.providers import JobStatus
from qiskit.providers.exceptions import JobTimeoutError

from qctrl.errors import JobError, QctrlError
from qctrl.execution import Execution, JobSpec, Progress
from qctrl.protocol import Program
from qctrl.provider.properties import Properties
from qctrl.provider.status import to_job_status
from qctrl.service import Blob, JobHandle, Stage, decode, decode_spec

if TYPE_CHECKING:
    from qctrl.provider.backend import Backend


class TrackedJob:
    """All that does not depend on the kind of inputs and result, beside one of Qiskit's job classes."""

    _handle: JobHandle
    _find_backend: Callable[[], Backend]

    def job_id(self) -> str:
        """Return the id by which any process of this machine finds the job."""
        return self._handle.record.job_id

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

    @functools.cached_property
    def _blob(self) -> Blob:
        record = self._handle.record
        return decode(record.spec, job_id=record.job_id)

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
