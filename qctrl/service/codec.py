"""Bytes of the job store: circuits as QPY, raw results as arrays."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qpy
from qiskit.exceptions import QiskitError

from qctrl.errors import JobError
from qctrl.execution import SPAN, JobResult, WorkResult
from qctrl.service.annotations import AnnotationKeeper
from qctrl.service.blob import Blob, decode, encode, plain

_ANNOTATIONS: Final = {"": AnnotationKeeper}
"""The root of all namespaces."""


class _Lenient(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return plain(o)


def encode_circuits(circuits: Sequence[QuantumCircuit]) -> NDArray[np.uint8]:
    """Return ``circuits`` as the bytes of one QPY file.

    Raises:
        JobError: A circuit holds something that QPY cannot store.
    """
    buffer = io.BytesIO()
    try:
        if circuits:
            qpy.dump(list(circuits), buffer, metadata_serializer=_Lenient, annotation_factories=_ANNOTATIONS)
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
        return list(qpy.load(io.BytesIO(data.tobytes()), annotation_factories=_ANNOTATIONS))
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
