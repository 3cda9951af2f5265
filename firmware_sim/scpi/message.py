"""Reads IEEE 488.2 program messages from a socket: lines, with at most one definite-length block each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

_MAX_LINE: Final = 1 << 16
_PIECE: Final = 1 << 16
_BLOCK: Final = re.compile(rb"#([1-9])(\d+)")


class MalformedMessageError(Exception):
    """What came is no program message; the connection cannot be followed any further."""


class Stream(Protocol):
    """The receiving half of a socket."""

    def recv(self, size: int, /) -> bytes:
        """Return what is there, at most ``size`` bytes; none at the end."""
        ...

    def recv_into(self, view: memoryview, /) -> int:
        """Fill a buffer with what is there; return how much."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One program message."""

    text: str
    """The line up to a block, without its end."""
    block: bytearray | None


class MessageReader:
    """Cuts what a socket brings into messages; a block may hold any byte.

    Args:
        connection: The socket.
        max_block: Largest block, in bytes.
    """

    def __init__(self, connection: Stream, max_block: int) -> None:
        self._connection = connection
        self._max_block = max_block
        self._buffer = bytearray()

    def next(self) -> Message | None:
        """Return the next message, ``None`` at the end of the connection.

        Raises:
            MalformedMessageError: A line or a block is too long, or a block's head is no number.
        """
        while True:
            end, mark = self._buffer.find(b"\n"), self._buffer.find(b"#")
            if mark >= 0 and (end < 0 or mark < end):
                return self._with_block(mark)
            if end >= 0:
                line = self._take(end + 1)
                return Message(line.decode("latin1").strip(), None)
            if len(self._buffer) > _MAX_LINE:
                raise MalformedMessageError(f"a line has more than {_MAX_LINE} bytes")
            if not self._more():
                return None

    def _with_block(self, mark: int) -> Message | None:
        while len(self._buffer) < mark + 2 or len(self._buffer) < mark + 2 + _digits(self._buffer[mark + 1]):
            if not self._more():
                return None
        found = _BLOCK.match(bytes(self._buffer[mark : mark + 2 + _digits(self._buffer[mark + 1])]))
        if found is None or int(found[2]) > self._max_block:
            raise MalformedMessageError("the head of a block is no number, or the block is too large")
        head = self._take(mark + found.end())[:mark]
        block = self._exactly(int(found[2]))
        # Nothing is asked of a connection that came to its end within the block.
        tail = None if block is None else self._exactly(1)
        if tail is None:
            return None
        if bytes(tail) != b"\n":
            raise MalformedMessageError("a block is followed by more than its length says")
        return Message(head.decode("latin1").strip(), block)

    def _exactly(self, size: int) -> bytearray | None:
        whole = bytearray(size)
        have = min(size, len(self._buffer))
        whole[:have] = self._take(have)
        view = memoryview(whole)
        while have < size:
            got = self._connection.recv_into(view[have:])
            if not got:
                return None
            have += got
        return whole

    def _take(self, size: int) -> bytearray:
        taken = self._buffer[:size]
        del self._buffer[:size]
        return taken

    def _more(self) -> bool:
        piece = self._connection.recv(_PIECE)
        self._buffer += piece
        return bool(piece)


def _digits(byte: int) -> int:
    digits = byte - ord("0")
    if not 1 <= digits <= 9:
        raise MalformedMessageError("a block starts with # and a digit from 1 to 9")
    return digits


def block(data: bytes) -> bytes:
    """Return ``data`` as a definite-length block."""
    digits = str(len(data))
    return b"#%d%s%s" % (len(digits), digits.encode(), data)
