"""Jobs of ``backend.run``: circuits in, counts and memory out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.providers import JobStatus, JobV1
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData, MeasLevel

from qctrl.errors import CompileError
from qctrl.execution import Work, WorkResult
from qctrl.provider.request import Request
from qctrl.provider.run_options import RunOptions, checked_options
from qctrl.provider.tracked_job import TrackedJob
from qctrl.readout import last_captures
from qctrl.service import JobHandle, decode_circuits, encode_circuits

if TYPE_CHECKING:
    from qctrl.provider.backend import Backend


class RunJob(TrackedJob, JobV1):
    """A job of ``backend.run``.

    Args:
        backend: Gives the backend, should somebody ask.
        handle: The job itself.
        circuits: The circuits; read from the store if not given.
    """

    def __init__(
        self,
        backend: Callable[[], Backend],
        handle: JobHandle,
        circuits: Sequence[QuantumCircuit] | None = None,
    ) -> None:
        JobV1.__init__(self, None, handle.record.job_id)
        self._find_backend = backend
        self._handle = handle
        self._circuits = circuits
        self._result: Result | None = None

    def submit(self) -> None:
        """Do nothing: ``backend.run`` has submitted the job."""

    def tags(self) -> list[str]:
        """Return the words to find the job by."""
        return list(self._handle.record.tags)

    @property
    def inputs(self) -> Sequence[QuantumCircuit]:
        """The circuits."""
        if self._circuits is None:
            self._circuits = decode_circuits(self._blob.arrays["circuits"])
        return self._circuits

    def replay(self) -> RunJob:
        """Play the job again and return the new one.

        Programs, setup, seed and switches are those that were stored with the job, whatever the calibration is now; on
        the emulator the result is the same, bit for bit.

        Raises:
            JobError: The job was stored by a release that did not keep programs.
        """
        backend = self._find_backend()
        return RunJob(self._find_backend, backend.replay(self._handle.record), self._circuits)

    def wait_for_final_state(
        self,
        timeout: float | None = None,
        wait: float = 5.0,
        callback: Callable[[str, JobStatus, RunJob], None] | None = None,
    ) -> None:
        """Wait for the end of the job, whatever it is.

        Args:
            timeout: Longest wait in seconds; ``None`` waits for ever.
            wait: Time between two calls of the callback, in seconds.
            callback: Takes id, status and job, until the job has ended.

        Raises:
            JobTimeoutError: The job did not end in time; it goes on.
        """
        if callback is None:
            TrackedJob.wait_for_final_state(self, timeout)
        else:
            JobV1.wait_for_final_state(self, timeout, wait, callback)

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the job and return counts, and memory if it was asked for.

        Args:
            timeout: Longest wait in seconds; ``None`` waits for ever.

        Raises:
            JobTimeoutError: The job did not end in time; it goes on.
            QctrlError: What ended the job, the same each time.
        """
        self.wait_for_final_state(timeout)
        if self._result is None:
            self._result = self._assemble()
        return self._result

    def _assemble(self) -> Result:
        raw = self._handle.result()
        record = self._handle.record
        document = self._blob.document
        options = RunOptions(**document["options"])
        experiments = [
            _experiment(circuit, work, options, {int(bit): column for bit, column in columns.items()})
            for circuit, work, columns in zip(self.inputs, raw.works, document["columns"], strict=True)
        ]
        return Result(
            backend_name=record.device,
            backend_version=document["provenance"]["version"],
            job_id=record.job_id,
            success=True,
            results=experiments,
            date=record.updated.isoformat(),
            status="COMPLETED",
            qctrl={**document["provenance"], "statistics": [work.statistics for work in raw.works]},
        )


def submit_circuits(backend: Backend, circuits: Sequence[QuantumCircuit], options: Mapping[str, Any]) -> RunJob:
    """Check, compile and submit circuits; the work of ``Backend.run``."""
    checked = checked_options(backend, options)
    for circuit in circuits:
        if not isinstance(circuit, QuantumCircuit):  # pyright: ignore[reportUnnecessaryIsInstance] users give anything
            raise TypeError(f"backend.run takes circuits, not {type(circuit).__name__}")
        if circuit.parameters:
            names = ", ".join(parameter.name for parameter in circuit.parameters)
            raise CompileError(
                f"circuit {circuit.name!r} has unbound parameters ({names}); "
                "assign_parameters first, or give the values to SamplerV2"
            )
        backend.check(circuit)
    programs = backend.compile(circuits, rep_delay_s=checked.rep_delay or 0.0)
    works = tuple(
        Work(
            program=program.program,
            patch=None,
            shots=checked.shots,
            capture_mode=checked.capture_mode,
            pub_index=index,
        )
        for index, program in enumerate(programs)
    )
    document = {
        "options": dataclasses.asdict(checked),
        "columns": [last_captures(program.program.captures) for program in programs],
    }
    request = Request(
        primitive="run",
        works=works,
        document=document,
        arrays={"circuits": encode_circuits(circuits)},
        seed=checked.seed_simulator,
        rep_delay_s=checked.rep_delay,
        tags=tuple(checked.job_tags),
    )
    return RunJob(lambda: backend, backend.submit(request), circuits)


def _experiment(
    circuit: QuantumCircuit, work: WorkResult, options: RunOptions, columns: Mapping[int, int]
) -> ExperimentResult:
    if options.meas_level == MeasLevel.CLASSIFIED:
        data = _classified(work.bits[0], circuit.num_clbits, with_memory=options.memory)
    else:
        data = ExperimentResultData(memory=_level_one(work, circuit.num_clbits, columns))
    return ExperimentResult(
        shots=options.shots,
        success=True,
        data=data,
        meas_level=MeasLevel(options.meas_level),
        meas_return=options.meas_return,
        status="DONE",
        header=_header(circuit),
        seed=options.seed_simulator,
    )


def _header(circuit: QuantumCircuit) -> dict[str, Any]:
    # Qiskit splits words into registers by their sizes alone, which is right only if the registers
    # cover the classical bits in order; otherwise the plain word is the honest answer.
    in_order = [circuit.find_bit(bit).index for register in circuit.cregs for bit in register]
    plain = in_order == list(range(circuit.num_clbits))
    return {
        "name": circuit.name,
        "n_qubits": circuit.num_qubits,
        "memory_slots": circuit.num_clbits,
        "creg_sizes": [[register.name, register.size] for register in circuit.cregs] if plain else [],
        "qreg_sizes": [[register.name, register.size] for register in circuit.qregs],
        "global_phase": float(circuit.global_phase),
        "metadata": circuit.metadata,
    }


def _classified(bits: NDArray[np.uint8], n_clbits: int, *, with_memory: bool) -> ExperimentResultData:
    """Count the words of ``(shots, nbytes)`` bits; bits beyond the circuit's own are scratch."""
    n_bytes = -(-n_clbits // 8)
    words = bits[:, :n_bytes].copy()
    if n_clbits % 8:
        words[:, -1] &= (1 << (n_clbits % 8)) - 1
    distinct, inverse, counts = np.unique(words, axis=0, return_inverse=True, return_counts=True)
    texts = [hex(int.from_bytes(row.tobytes(), "little")) for row in distinct]
    data = {"counts": dict(zip(texts, counts.tolist(), strict=True))}
    if with_memory:
        data["memory"] = np.asarray(texts, dtype=object)[inverse.reshape(-1)].tolist()
    return ExperimentResultData(**data)


def _level_one(work: WorkResult, n_clbits: int, columns: Mapping[int, int]) -> list[Any]:
    """Return IQ points per classical bit: ``(shots, slots, 2)``, or ``(slots, 2)`` when averaged."""
    if work.iq is None:
        return []
    iq = work.iq[0]
    points = np.zeros((*iq.shape[:-1], n_clbits, 2))
    for clbit, column in columns.items():
        if clbit < n_clbits:
            points[..., clbit, 0] = iq[..., column].real
            points[..., clbit, 1] = iq[..., column].imag
    return points.tolist()
