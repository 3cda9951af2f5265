"""Reads IEEE 488.2 program messages from a socket: lines, with at most one definite-length block each.

What follows a block after ``;`` is a message of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

_MAX_LINE: Final = 1 << 16
_PIECE: Final = 1 << 16
_BLOCK: Final = re.compile(rb"#([1-9])(\d+)")
_MARK: Final = re.compile(rb"""(?:"[^"\n]*+"|'[^'\n]*+'|[^"'#\n]++)*+#""")


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
    fault: tuple[int, str] | None = None
    """Code and text of what was wrong with it; the rest of its line was left out."""


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
            MalformedMessageError: A line or a block is too long.
        """
        while True:
            end, mark = self._buffer.find(b"\n"), self._block_mark()
            if mark >= 0 and (end < 0 or mark < end):
                return self._with_block(mark)
            if end >= 0:
                line = self._take(end + 1)
                return Message(line.decode("latin1").strip(), None)
            if len(self._buffer) > _MAX_LINE:
                raise MalformedMessageError(f"a line has more than {_MAX_LINE} bytes")
            if not self._more():
                return None

    def _block_mark(self) -> int:
        """Return where a block begins, outside of strings; -1 if none does."""
        found = _MARK.match(self._buffer) if b"#" in self._buffer else None
        return -1 if found is None else found.end() - 1

    def _with_block(self, mark: int) -> Message | None:
        while len(self._buffer) < mark + 2 or len(self._buffer) < mark + 2 + _digits(self._buffer[mark + 1]):
            if not self._more():
                return None
        found = _BLOCK.match(bytes(self._buffer[mark : mark + 2 + _digits(self._buffer[mark + 1])]))
        if found is None:
            return self._rest_lost(-161, "Invalid block data;it begins with # and the number of digits of its length")
        if int(found[2]) > self._max_block:
            raise MalformedMessageError(f"a block has {int(found[2])} bytes, at most {self._max_block} are taken")
        head = self._take(mark + found.end())[:mark]
        block = self._exactly(int(found[2]))
        # Nothing is asked of a connection that came to its end within the block.
        if block is None or not self._has_tail():
            return None
        if self._buffer[0] not in b"\n;":
            return self._rest_lost(-161, "Invalid block data;it is followed by more than its length says")
        self._take(1)
        return Message(head.decode("latin1").strip(), block)

    def _has_tail(self) -> bool:
        """Wait for what follows a block, without white space; return whether anything does."""
        while True:
            while self._buffer and self._buffer[0] in b" \r\t":
                self._take(1)
            if self._buffer:
                return True
            if not self._more():
                return False

    def _rest_lost(self, code: int, text: str) -> Message | None:
        while b"\n" not in self._buffer:
            self._buffer.clear()
            if not self._more():
                return None
        self._take(self._buffer.find(b"\n") + 1)
        return Message("", None, (code, text))

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
    return byte - ord("0") if ord("1") <= byte <= ord("9") else 0


def block(data: bytes) -> bytes:
    """Return ``data`` as a definite-length block."""
    digits = str(len(data))
    return b"#%d%s%s" % (len(digits), digits.encode(), data)
