"""Multipart framing: what one message looks like between two sockets.

Part 0 is the prelude, part 1 the header (JSON, the business of ``qctrl.protocol.messages``), the rest raw buffers.
The first six bytes of the prelude, magic and version, never change: so any two versions can refuse each other by name.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import xxhash

from qctrl.errors import ProtocolError
from qctrl.protocol.messages import PROTOCOL_VERSION

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Bytes that are sent without being copied."""

MAGIC = b"QCTW"
MAX_HEADER_BYTES = 1 << 20
MAX_BUFFERS = 64
MAX_FRAME_BYTES = 256 << 20
MAX_MESSAGE_BYTES = 512 << 20

_PRELUDE = struct.Struct("<4sHHQIIQQ")
"""Magic, version, kind, seq, number of buffers, header bytes, bytes of header and buffers, xxh3 of all but itself."""
_VERSIONED = struct.Struct("<4sH")
_SEQ_OFFSET = 8
_CHECKED_BYTES = _PRELUDE.size - 8


class Kind(IntEnum):
    """Direction of a message."""

    REQUEST = 1
    REPLY = 2


@dataclass(frozen=True, slots=True)
class Message:
    """One framed message."""

    kind: Kind
    seq: int
    """Number of the request in its session; a reply repeats it, which acknowledges the request."""
    header: bytes
    buffers: tuple[Buffer, ...] = ()


def pack(message: Message, version: int = PROTOCOL_VERSION) -> list[Buffer]:
    """Return the parts of ``message``, ready to be sent.

    Raises:
        ProtocolError: The message is larger than a receiver accepts.
    """
    views = [memoryview(buffer).cast("B") for buffer in message.buffers]
    _check_sizes(len(message.header), [view.nbytes for view in views])
    total = len(message.header) + sum(view.nbytes for view in views)
    unchecked = _PRELUDE.pack(MAGIC, version, message.kind, message.seq, len(views), len(message.header), total, 0)
    checksum = _checksum(unchecked, [memoryview(message.header), *views])
    return [unchecked[:_CHECKED_BYTES] + struct.pack("<Q", checksum), message.header, *views]


def unpack(parts: Sequence[Buffer]) -> Message:
    """Return the message in ``parts``.

    Raises:
        ProtocolError: Wrong magic, version, lengths or checksum.
    """
    if not parts:
        raise ProtocolError("message has no parts; it needs a prelude and a header")
    prelude = bytes(parts[0])
    _check_version(prelude)
    if len(prelude) != _PRELUDE.size:
        raise ProtocolError(f"prelude has {len(prelude)} bytes instead of {_PRELUDE.size}")
    _, _, kind, seq, n_buffers, header_bytes, total, checksum = _PRELUDE.unpack(prelude)
    if len(parts) != n_buffers + 2:
        raise ProtocolError(f"message has {len(parts)} parts, its prelude announces {n_buffers + 2}")
    views = [memoryview(part).cast("B") for part in parts[1:]]
    sizes = [view.nbytes for view in views]
    _check_sizes(sizes[0], sizes[1:])
    if sizes[0] != header_bytes or sum(sizes) != total:
        raise ProtocolError(
            f"message has a header of {sizes[0]} bytes and {sum(sizes)} bytes in all, "
            f"its prelude announces {header_bytes} and {total}"
        )
    found = _checksum(prelude, views)
    if found != checksum:
        raise ProtocolError(f"checksum of the message is {found:016x}, its prelude announces {checksum:016x}")
    if kind not in (Kind.REQUEST, Kind.REPLY):
        raise ProtocolError(f"message kind is {kind}; known are 1 (request) and 2 (reply)")
    return Message(Kind(kind), seq, bytes(views[0]), tuple(views[1:]))


def peek_seq(parts: Sequence[Buffer]) -> int:
    """Return the sequence number of a message that could not be unpacked, 0 when it has none."""
    prelude = bytes(parts[0]) if parts else b""
    if len(prelude) < _SEQ_OFFSET + 8 or prelude[:4] != MAGIC:
        return 0
    return int.from_bytes(prelude[_SEQ_OFFSET : _SEQ_OFFSET + 8], "little")


def _check_version(prelude: bytes) -> None:
    if len(prelude) < _VERSIONED.size:
        raise ProtocolError(f"prelude has {len(prelude)} bytes instead of {_PRELUDE.size}")
    magic, version = _VERSIONED.unpack_from(prelude)
    if magic != MAGIC:
        raise ProtocolError(
            f"magic of the message is {magic!r} instead of {MAGIC!r}; the peer is no part of this stack"
        )
    if version != PROTOCOL_VERSION:
        older = "peer" if version < PROTOCOL_VERSION else "this side"
        raise ProtocolError(
            f"peer speaks protocol version {version}, this side speaks {PROTOCOL_VERSION}; "
            f"install the same release of qctrl-stack on both (the {older} is older)"
        )


def _check_sizes(header_bytes: int, buffer_bytes: Sequence[int]) -> None:
    if header_bytes > MAX_HEADER_BYTES:
        raise ProtocolError(f"header has {header_bytes} bytes, the limit is {MAX_HEADER_BYTES}")
    if len(buffer_bytes) > MAX_BUFFERS:
        raise ProtocolError(f"message has {len(buffer_bytes)} buffers, the limit is {MAX_BUFFERS}")
    largest = max(buffer_bytes, default=0)
    if largest > MAX_FRAME_BYTES:
        raise ProtocolError(f"buffer has {largest} bytes, the limit is {MAX_FRAME_BYTES}; split the work")
    if sum(buffer_bytes) > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"message has {sum(buffer_bytes)} bytes, the limit is {MAX_MESSAGE_BYTES}; split the work")


def _checksum(prelude: bytes, views: Sequence[memoryview]) -> int:
    # The lengths are part of it: bytes that moved from one frame to the next are found too.
    digest = xxhash.xxh3_64(prelude[:_CHECKED_BYTES])
    for view in views:
        digest.update(view.nbytes.to_bytes(8, "little"))
        digest.update(view)
    return digest.intdigest()
