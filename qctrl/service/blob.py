"""What one stored blob holds, as bytes: JSON and plain arrays one behind the other; never pickle."""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import JobError

_MAGIC: Final = b"QJOB"
_VERSION: Final = 2
_NPZ_VERSION: Final = 1
"""Of release 0.1: a NumPy archive, with the document in an array."""
_HEADER: Final = struct.Struct("<4sHHQI")
"""magic, version, padding, length of the body, CRC-32 of the body."""
_INDEX_LENGTH: Final = struct.Struct("<Q")
"""Begins the body: bytes of the index, which is JSON of the document and of [name, dtype, shape, offset] per array."""
_ALIGNMENT: Final = 16
"""Of arrays, from the start of the data behind the index."""
_DOCUMENT: Final = "document"


@dataclass(frozen=True, slots=True)
class Blob:
    """What one stored blob holds."""

    document: dict[str, Any]
    """Anything that JSON can say."""
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    """Plain arrays, without objects."""


def encode(blob: Blob) -> bytes:
    """Return ``blob`` as bytes with magic, version, length and checksum.

    Raises:
        ValueError: An array holds objects.
    """
    rows: list[tuple[str, str, tuple[int, ...], int]] = []
    parts: list[bytes] = []
    end = 0
    for name, array in blob.arrays.items():
        if array.dtype.hasobject or array.dtype.names is not None:
            raise ValueError(f"array {name!r} has dtype {array.dtype}; only plain numbers are stored")
        data, gap = array.tobytes(), -end % _ALIGNMENT
        parts += (bytes(gap), data)
        rows.append((name, array.dtype.str, array.shape, end + gap))
        end += gap + len(data)
    index = json.dumps({_DOCUMENT: blob.document, "arrays": rows}, default=plain).encode()
    body = b"".join((_INDEX_LENGTH.pack(len(index)), index, *parts))
    return _HEADER.pack(_MAGIC, _VERSION, 0, len(body), zlib.crc32(body)) + body


def decode(data: bytes, *, job_id: str = "") -> Blob:
    """Return the blob that :func:`encode` wrote, in this release or an earlier one; its arrays are read-only.

    Raises:
        JobError: ``data`` is damaged, or of a version that this release does not read.
    """
    version, body = _checked(data, job_id)
    try:
        return _from_npz(body) if version == _NPZ_VERSION else _from_body(body)
    except (ValueError, KeyError, TypeError, OSError, struct.error, zipfile.BadZipFile) as error:
        raise JobError(f"the stored record of job {job_id} is damaged: {error}", job_id=job_id) from error


def plain(value: object) -> object:
    """Return a NumPy number as a number; circuit metadata may hold any object, kept as its ``repr``."""
    return value.item() if isinstance(value, np.generic) else repr(value)


def _checked(data: bytes, job_id: str) -> tuple[int, bytes]:
    if len(data) < _HEADER.size:
        raise JobError(f"the stored record of job {job_id} is damaged: {len(data)} bytes", job_id=job_id)
    magic, version, _, length, checksum = _HEADER.unpack_from(data)
    body = data[_HEADER.size :]
    if magic != _MAGIC or length != len(body) or checksum != zlib.crc32(body):
        raise JobError(f"the stored record of job {job_id} is damaged: wrong magic, length or checksum", job_id=job_id)
    if version not in (_NPZ_VERSION, _VERSION):
        raise JobError(
            f"the stored record of job {job_id} has version {version}, this release reads up to {_VERSION}; "
            "open it with the release that wrote it",
            job_id=job_id,
        )
    return version, body


def _from_body(body: bytes) -> Blob:
    (length,) = _INDEX_LENGTH.unpack_from(body)
    first = _INDEX_LENGTH.size + length
    index = json.loads(body[_INDEX_LENGTH.size : first])
    arrays = {
        name: np.frombuffer(body, np.dtype(dtype), math.prod(shape), first + offset).reshape(shape)
        for name, dtype, shape, offset in index["arrays"]
    }
    return Blob(index[_DOCUMENT], arrays)


def _from_npz(body: bytes) -> Blob:
    with np.load(io.BytesIO(body), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for array in arrays.values():
        array.flags.writeable = False
    return Blob(json.loads(arrays.pop(_DOCUMENT).tobytes()), arrays)
