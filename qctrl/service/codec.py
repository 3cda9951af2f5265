"""Bytes of the job store: QPY for circuits, npz for arrays, JSON for the rest; never pickle."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qpy
from qiskit.exceptions import QiskitError

from qctrl.errors import JobError
from qctrl.execution import SPAN, JobResult, WorkResult

_MAGIC = b"QJOB"
_VERSION = 1
_HEADER = struct.Struct("<4sHHQI")
"""magic, version, padding, length of the body, CRC-32 of the body."""
_DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Blob:
    """What one stored blob holds."""

    document: dict[str, Any]
    """Anything that JSON can say."""
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    """Plain arrays, without objects."""


def encode(blob: Blob) -> bytes:
    """Return ``blob`` as bytes with magic, version, length and checksum."""
    text = json.dumps(blob.document, default=_plain).encode()
    body = io.BytesIO()
    columns = {_DOCUMENT: np.frombuffer(text, dtype=np.uint8), **blob.arrays}
    np.savez(body, allow_pickle=False, **columns)
    data = body.getvalue()
    return _HEADER.pack(_MAGIC, _VERSION, 0, len(data), zlib.crc32(data)) + data


def decode(data: bytes, *, job_id: str = "") -> Blob:
    """Return the blob that :func:`encode` wrote.

    Raises:
        JobError: ``data`` is damaged, or of a version that this release does not read.
    """
    body = _checked_body(data, job_id)
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        document = json.loads(arrays.pop(_DOCUMENT).tobytes())
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise JobError(f"the stored record of job {job_id} is damaged: {error}", job_id=job_id) from error
    return Blob(document, arrays)


def _checked_body(data: bytes, job_id: str) -> bytes:
    if len(data) < _HEADER.size:
        raise JobError(f"the stored record of job {job_id} is damaged: {len(data)} bytes", job_id=job_id)
    magic, version, _, length, checksum = _HEADER.unpack_from(data)
    body = data[_HEADER.size :]
    if magic != _MAGIC or length != len(body) or checksum != zlib.crc32(body):
        raise JobError(f"the stored record of job {job_id} is damaged: wrong magic, length or checksum", job_id=job_id)
    if version != _VERSION:
        raise JobError(
            f"the stored record of job {job_id} has version {version}, this release reads {_VERSION}; "
            "open it with the release that wrote it",
            job_id=job_id,
        )
    return body


def _plain(value: object) -> object:
    """Return a NumPy number as a number; circuit metadata may hold any object, kept as its ``repr``."""
    return value.item() if isinstance(value, np.generic) else repr(value)


class _Lenient(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return _plain(o)


def encode_circuits(circuits: Sequence[QuantumCircuit]) -> NDArray[np.uint8]:
    """Return ``circuits`` as the bytes of one QPY file.

    Raises:
        JobError: A circuit holds something that QPY cannot store.
    """
    buffer = io.BytesIO()
    try:
        if circuits:
            qpy.dump(list(circuits), buffer, metadata_serializer=_Lenient)
    except (QiskitError, TypeError, struct.error) as error:
        raise JobError(f"the circuits cannot be stored as QPY: {error}") from error
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)


def decode_circuits(data: NDArray[np.uint8]) -> list[QuantumCircuit]:
    """Return the circuits that :func:`encode_circuits` wrote.

    Raises:
        JobError: The bytes are not QPY, or of a later version than the installed Qiskit reads.
    """
    if data.size == 0:
        return []
    try:
        return list(qpy.load(io.BytesIO(data.tobytes())))
    except (QiskitError, ValueError, struct.error) as error:
        raise JobError(f"the stored circuits cannot be read as QPY: {error}") from error


def encode_result(result: JobResult) -> bytes:
    """Return the raw result of a job: packed registers, captures and statistics."""
    arrays: dict[str, NDArray[Any]] = {}
    for index, work in enumerate(result.works):
        arrays[f"bits{index}"] = work.bits
        if work.iq is not None:
            arrays[f"iq{index}"] = work.iq
        if work.traces is not None:
            arrays[f"traces{index}"] = work.traces
    document = {
        "n_works": len(result.works),
        "statistics": [work.statistics for work in result.works],
        "spans": [work.spans.tolist() for work in result.works],
        "metadata": result.metadata,
    }
    return encode(Blob(document, arrays))


def decode_result(data: bytes, *, job_id: str = "") -> JobResult:
    """Return the result that :func:`encode_result` wrote.

    Raises:
        JobError: ``data`` is damaged.
    """
    blob = decode(data, job_id=job_id)
    # Results of release 0.1.0 do not say when their shots were taken.
    spans = blob.document.get("spans") or [[]] * blob.document["n_works"]
    works = tuple(
        WorkResult(
            bits=blob.arrays[f"bits{index}"],
            iq=blob.arrays.get(f"iq{index}"),
            traces=blob.arrays.get(f"traces{index}"),
            statistics=blob.document["statistics"][index],
            spans=np.array([tuple(span) for span in spans[index]], dtype=SPAN),
        )
        for index in range(blob.document["n_works"])
    )
    return JobResult(works=works, metadata=blob.document["metadata"])
