"""Jobs of ``backend.run``: circuits in, counts and memory out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.providers import JobStatus, JobV1
from qiskit.providers.exceptions import JobTimeoutError
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData, MeasLevel

from qctrl.errors import CompileError, ConfigError
from qctrl.execution import Work, WorkResult
from qctrl.protocol import CaptureMode
from qctrl.provider.request import Request
from qctrl.provider.status import to_job_status
from qctrl.readout import last_captures
from qctrl.service import JobHandle, decode, decode_circuits, encode_circuits

if TYPE_CHECKING:
    from qctrl.provider.backend import Backend

_AVERAGED = "avg"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of one ``backend.run``, checked."""

    shots: int
    memory: bool
    meas_level: int
    meas_return: str
    seed_simulator: int | None
    rep_delay: float | None
    job_tags: list[str]

    @property
    def capture_mode(self) -> CaptureMode:
        """How the firmware reports the captures."""
        if self.meas_level == MeasLevel.CLASSIFIED:
            return "bits"
        return "iq_mean" if self.meas_return == _AVERAGED else "iq"


class RunJob(JobV1):
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
        super().__init__(None, handle.record.job_id)
        self._find_backend = backend
        self._handle = handle
        self._circuits = circuits
        self._result: Result | None = None

    def submit(self) -> None:
        """Do nothing: ``backend.run`` has submitted the job."""

    def backend(self) -> Backend:
        """Return the backend, as it is calibrated now."""
        return self._find_backend()

    def status(self) -> JobStatus:
        """Return where the job is in its life."""
        return to_job_status(self._handle.stage())

    def cancel(self) -> bool:
        """Ask for the end of the job; False if it has ended already."""
        return self._handle.cancel()

    def tags(self) -> list[str]:
        """Return the tags that the job was submitted with."""
        return list(self._handle.record.tags)

    @property
    def creation_date(self) -> datetime:
        """When the job was submitted."""
        return self._handle.record.created

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the job and return counts, and memory if it was asked for.

        Args:
            timeout: Longest wait in seconds; ``None`` waits for ever.

        Raises:
            JobTimeoutError: The job did not end in time; it goes on.
            QctrlError: What ended the job, the same each time.
        """
        if not self._handle.wait(timeout):
            raise JobTimeoutError(f"job {self.job_id()} has not ended within {timeout} s")
        if self._result is None:
            self._result = self._assemble()
        return self._result

    def _assemble(self) -> Result:
        raw = self._handle.result()
        record = self._handle.record
        blob = decode(record.spec, job_id=record.job_id)
        document = blob.document
        circuits = decode_circuits(blob.arrays["circuits"]) if self._circuits is None else self._circuits
        options = RunOptions(**document["options"])
        experiments = [
            _experiment(circuit, work, options, {int(bit): column for bit, column in columns.items()})
            for circuit, work, columns in zip(circuits, raw.works, document["columns"], strict=True)
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
    checked = _checked_options(backend, options)
    for circuit in circuits:
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
        "options": {
            "shots": checked.shots,
            "memory": checked.memory,
            "meas_level": checked.meas_level,
            "meas_return": checked.meas_return,
            "seed_simulator": checked.seed_simulator,
            "rep_delay": checked.rep_delay,
            "job_tags": checked.job_tags,
        },
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


def _checked_options(backend: Backend, options: Mapping[str, Any]) -> RunOptions:
    defaults: dict[str, Any] = dict(vars(backend.options))
    merged: dict[str, Any] = {**defaults, **options}
    unknown = sorted(set(merged) - set(defaults))
    if unknown:
        raise AttributeError(f"backend.run has no option {unknown[0]!r}; it has {', '.join(sorted(defaults))}")
    if not merged["init_qubits"]:
        raise ConfigError("init_qubits=False is not possible: every shot starts from idle qubits")
    shots = merged["shots"]
    most = backend.configuration().max_shots
    if isinstance(shots, bool) or int(shots) != shots or not 1 <= shots <= most:
        raise ValueError(f"shots is {shots!r}; it must be a whole number in 1..{most}")
    level, returned = int(merged["meas_level"]), str(getattr(merged["meas_return"], "value", merged["meas_return"]))
    if level not in (MeasLevel.KERNELED, MeasLevel.CLASSIFIED):
        raise ValueError(f"meas_level is {level}; it must be 1 (kerneled) or 2 (classified)")
    if returned not in ("single", _AVERAGED):
        raise ValueError(f"meas_return is {returned!r}; it must be 'single' or 'avg'")
    return RunOptions(
        shots=int(shots),
        memory=bool(merged["memory"]),
        meas_level=level,
        meas_return=returned,
        seed_simulator=merged["seed_simulator"],
        rep_delay=merged["rep_delay"],
        job_tags=list(merged["job_tags"] or ()),
    )


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
