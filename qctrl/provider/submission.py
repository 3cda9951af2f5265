"""From a request to a job that is stored and started."""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING, Any

from qctrl.errors import JobError
from qctrl.execution import JobSpec
from qctrl.provider.request import Emulation, Request
from qctrl.service import Blob, JobHandle, JobRecord, Submission, decode, decode_spec, encode, encode_spec
from qctrl.units import to_ticks
from qctrl.version import __version__

if TYPE_CHECKING:
    from qctrl.provider.backend import Backend


def submit(backend: Backend, request: Request) -> JobHandle:
    """Store a job and start it.

    Raises:
        ValueError: ``rep_delay`` is out of the device's range.
        JobError: The job cannot be stored; then it is not executed.
        QctrlError: The runner refuses it.
    """
    _check_rep_delay(backend, request.rep_delay_s)
    emulation = backend.emulation
    if emulation is None and request.seed is not None:
        # Whoever asks for a seed means an emulator; an instrument refuses what it cannot do.
        emulation = Emulation()
    spec = _spec(backend, request, emulation)
    kept, artefacts = encode_spec(spec)
    document = {**request.document, **kept, "provenance": _provenance(backend, spec, emulation)}
    calibration = backend.calibration
    submission = Submission(
        job_id=spec.job_id,
        device=calibration.name,
        primitive=request.primitive,
        calibration_id=calibration.id,
        spec=encode(Blob(document, {**request.arrays, **artefacts})),
        tags=request.tags,
        session=request.session,
        calibration_hash=calibration.hash.hex(),
        calibration_text=backend.calibration_text,
    )
    return backend.jobs.submit(backend.runner, submission, spec)


def replay(backend: Backend, record: JobRecord) -> JobHandle:
    """Play a stored job again, with the programs, the setup and the seed that it had.

    Raises:
        JobError: The job was stored without its programs, or is of another device.
        QctrlError: The runner refuses it.
    """
    if record.device != backend.name:
        raise JobError(f"job {record.job_id} is of {record.device}, not of {backend.name}", job_id=record.job_id)
    job_id = uuid.uuid4().hex
    spec = decode_spec(decode(record.spec, job_id=record.job_id), job_id)
    submission = Submission(
        job_id=job_id,
        device=record.device,
        primitive=record.primitive,
        calibration_id=record.calibration_id,
        spec=record.spec,
        tags=record.tags,
    )
    return backend.jobs.submit(backend.runner, submission, spec)


def _check_rep_delay(backend: Backend, rep_delay_s: float | None) -> None:
    least, most = backend.rep_delay_range
    if rep_delay_s is None:
        return
    if not least <= rep_delay_s <= most:
        raise ValueError(f"rep_delay is {rep_delay_s!r} s; {backend.name} can wait {least:g} to {most:g} s")
    to_ticks(rep_delay_s, backend.setup.tick_s, what="rep_delay")


def _spec(backend: Backend, request: Request, emulation: Emulation | None) -> JobSpec:
    return JobSpec(
        job_id=uuid.uuid4().hex,
        device=backend.calibration.name,
        setup=backend.setup,
        works=request.works,
        sim=None if emulation is None else emulation.sim_options(request.seed),
        chunk_shots=request.chunk_shots,
        rep_delay_s=request.rep_delay_s,
        max_execution_s=request.max_execution_s,
    )


def _provenance(backend: Backend, spec: JobSpec, emulation: Emulation | None) -> dict[str, Any]:
    provenance = {
        "calibration_id": backend.calibration.id,
        "calibration_hash": backend.calibration.hash.hex(),
        "setup_hash": spec.setup.hash.hex(),
        "program_hashes": [work.program.hash.hex() for work in spec.works],
        "seed": None if spec.sim is None else spec.sim.seed,
        "emulation": None if emulation is None else dataclasses.asdict(emulation),
        "version": __version__,
    }
    if backend.custom_gates:
        provenance["custom_gates"] = [gate.text for gate in backend.custom_gates.values()]
    return provenance
