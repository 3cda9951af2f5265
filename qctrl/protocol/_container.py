"""The container that every artefact travels in: header, section table, sections."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, TypeAlias

import numpy as np
import xxhash
from numpy.typing import NDArray

from qctrl.errors import ProtocolError

MAGIC: Final = b"QCTL"
FORMAT_VERSION: Final = 2
HEADER: Final = struct.Struct("<4s4sHHIQQ")
"""magic, kind, version, number of sections, zero, total length, xxh3 of all that follows the header."""
ENTRY: Final = struct.Struct("<4sIQQ")
"""tag, zero, offset from the start of the artefact, length in bytes."""
ALIGNMENT: Final = 16
MAX_BYTES: Final = 2**32
_PADDING: Final = tuple(bytes(n) for n in range(ALIGNMENT))
_SMALL_BYTES: Final = 2**16
"""Up to here a copy is cheaper than a view of an array."""

Part: TypeAlias = bytes | NDArray[np.generic]


def pack(kind: bytes, sections: Sequence[tuple[bytes, Part]]) -> bytes:
    """Return the artefact of ``kind`` with these sections, in this order."""
    pieces, total = _body(sections)
    digest = xxhash.xxh3_64()
    for piece in pieces:
        digest.update(piece)
    header = HEADER.pack(MAGIC, kind, FORMAT_VERSION, len(sections), 0, HEADER.size + total, digest.intdigest())
    return b"".join((header, *pieces))


def identity_of(sections: Sequence[tuple[bytes, Part]]) -> bytes:
    """Return the identity of the artefact with these sections, without packing it."""
    digest = hashlib.blake2b(digest_size=32)
    for piece in _body(sections)[0]:
        digest.update(piece)
    return digest.digest()


def _body(sections: Sequence[tuple[bytes, Part]]) -> tuple[list[bytes | memoryview], int]:
    """Return the pieces that follow the header, and their length; large columns are not copied."""
    end = HEADER.size + ENTRY.size * len(sections)
    padding = -end % ALIGNMENT
    entries: list[bytes | int] = []
    pieces: list[bytes | memoryview] = [b""]
    for tag, part in sections:
        if padding:
            pieces.append(_PADDING[padding])
            end += padding
        data = part if isinstance(part, bytes) else _bytes_of(part)
        pieces.append(data)
        size = len(data)
        entries += (tag, 0, end, size)
        end += size
        padding = -size % ALIGNMENT
    pieces[0] = _table(len(sections)).pack(*entries)
    # One piece for all that is small, so that little is handed to the checksum.
    return [b"".join(pieces)] if end <= _SMALL_BYTES else pieces, end - HEADER.size


@cache
def _table(n_sections: int) -> struct.Struct:
    return struct.Struct("<" + ENTRY.format[1:] * n_sections)


def unpack(kind: bytes, data: bytes, tags: Sequence[bytes]) -> dict[bytes, memoryview]:
    """Return the sections of an artefact after checking every field of its frame.

    Args:
        kind: Four letters that the artefact must carry.
        data: The whole artefact.
        tags: The sections it must have, in this order; any other is refused.

    Raises:
        ProtocolError: Magic, kind, version, length, checksum or section table are wrong.
    """
    name = kind.decode()
    if len(data) < HEADER.size:
        raise ProtocolError(f"{name}: {len(data)} bytes are shorter than the header of {HEADER.size}")
    magic, found, version, count, zero, total, checksum = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise ProtocolError(f"{name}: starts with {magic!r}, not {MAGIC!r}; this is no artefact of the stack")
    if found != kind:
        raise ProtocolError(f"expected a {name} artefact, got {found!r}")
    if version != FORMAT_VERSION:
        raise ProtocolError(
            f"{name}: format version {version}, this side speaks {FORMAT_VERSION}; upgrade the older side"
        )
    if zero != 0 or total != len(data):
        raise ProtocolError(f"{name}: header says {total} bytes, got {len(data)}")
    if xxhash.xxh3_64_intdigest(memoryview(data)[HEADER.size :]) != checksum:
        raise ProtocolError(f"{name}: checksum mismatch; the bytes were damaged on their way")
    return _sections(name, data, count, tags)


def identity(data: bytes) -> bytes:
    """Return the 32-byte blake2b of an artefact's canonical body: all that follows its header."""
    return hashlib.blake2b(memoryview(data)[HEADER.size :], digest_size=32).digest()


def column(sections: Mapping[bytes, memoryview], tag: bytes, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """Return a section as a read-only column of ``dtype``.

    Raises:
        ProtocolError: The section is not a whole number of items.
    """
    view = sections[tag]
    if len(view) % dtype.itemsize:
        raise ProtocolError(
            f"section {tag.decode()}: {len(view)} bytes are no whole number of {dtype.itemsize}-byte items"
        )
    return np.frombuffer(view, dtype=dtype)


def read_only(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return a contiguous read-only view or copy of an array."""
    out = np.ascontiguousarray(array)
    if out.flags.writeable:
        out = out.view()
        out.flags.writeable = False
    return out


def _sections(name: str, data: bytes, count: int, tags: Sequence[bytes]) -> dict[bytes, memoryview]:
    found: dict[bytes, memoryview] = {}
    end = HEADER.size + ENTRY.size * count
    if end > len(data):
        raise ProtocolError(f"{name}: a table of {count} sections does not fit in {len(data)} bytes")
    view = memoryview(data)
    for k in range(count):
        tag, zero, offset, length = ENTRY.unpack_from(data, HEADER.size + ENTRY.size * k)
        if tag not in tags:
            raise ProtocolError(f"{name}: unknown section {tag!r}; a newer compiler made it, upgrade this side")
        if tag in found:
            raise ProtocolError(f"{name}: section {tag!r} appears twice")
        if zero != 0 or offset != _align(end) or offset + length > len(data):
            raise ProtocolError(f"{name}: section {tag!r} lies at {offset}+{length}, outside or out of order")
        if any(view[end:offset]):
            raise ProtocolError(f"{name}: padding before section {tag!r} is not zero")
        found[tag] = view[offset : offset + length]
        end = offset + length
    if tuple(found) != tuple(tags):
        missing = [tag.decode() for tag in tags if tag not in found]
        raise ProtocolError(f"{name}: sections missing or out of order: {', '.join(missing) or 'order'}")
    if end != len(data):
        raise ProtocolError(f"{name}: {len(data) - end} bytes after the last section")
    return found


def _align(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def _bytes_of(part: NDArray[np.generic]) -> bytes | memoryview:
    if part.nbytes <= _SMALL_BYTES:
        return part.tobytes()
    return np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
