"""HiSLIP, the server's side, in synchronised mode (IVI-6.1, High-Speed LAN Instrument Protocol, revision 1.1).

A client opens two connections to one port: the synchronous channel carries program messages and replies, the
asynchronous one status, locks and device clear. Numbers in parentheses are those of IVI-6.1, table 4.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from firmware_sim.scpi.instrument import Instrument
from firmware_sim.scpi.message import Message, MessageReader

_HEADER: Final = struct.Struct("!2sBBIQ")
"""Prologue, message type, control code, message parameter, length of the payload."""
_PROLOGUE: Final = b"HS"
_VERSION: Final = 0x0100
_VENDOR: Final = int.from_bytes(b"QC", "big")
_MAX_MESSAGE: Final = 1 << 28
_MOST_WORDS: Final = 256
"""Longest payload of anything but data."""
_INITIALIZE, _FATAL_ERROR, _ERROR, _DATA, _DATA_END = 0, 2, 3, 6, 7
_CLEAR_COMPLETE, _CLEAR_ACKNOWLEDGE, _TRIGGER, _ASYNC_INITIALIZE = 8, 9, 12, 17
_LOCK, _LOCK_INFO, _LOCAL, _MAX_SIZE, _CLEAR, _STATUS = 4, 24, 10, 15, 19, 21
_SUCCESS, _FAILURE = 1, 0


class Connection(Protocol):
    """One of the two channels."""

    def recv_into(self, view: memoryview, /) -> int:
        """Fill a buffer with what is there; return how much."""
        ...

    def sendall(self, data: bytes, /) -> None:
        """Send everything."""
        ...


class ProtocolViolationError(OSError):
    """What came is no HiSLIP; the connection cannot be followed any further."""


@dataclass(slots=True)
class _Header:
    kind: int
    control: int
    parameter: int
    length: int


@dataclass(slots=True)
class _Lock:
    """Which session has the instrument for itself; 0 is none."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    owner: int = 0


def begins_hislip(connection: socket.socket) -> bool:
    """Return whether a new connection is a channel of HiSLIP; nothing is taken from it."""
    begin = connection.recv(3, socket.MSG_PEEK | socket.MSG_WAITALL)
    return begin in (_PROLOGUE + bytes([kind]) for kind in (_INITIALIZE, _ASYNC_INITIALIZE))


class Hislip:
    """The sessions of one instrument.

    Args:
        answer: Carries a message out and returns its reply, with its newline.
        instrument: Whose messages they are.
    """

    def __init__(self, answer: Callable[[Message], bytes | None], instrument: Instrument) -> None:
        self._answer = answer
        self._instrument = instrument
        self._numbers = itertools.count(1)
        self._lock = _Lock()

    def serve(self, connection: Connection) -> None:
        """Serve one channel until its client has gone.

        Args:
            connection: A connection that begins with HiSLIP.

        Raises:
            OSError: It ended otherwise, or spoke something else.
        """
        first = _receive(connection)
        if first is None:
            return
        _take(connection, first.length)
        if first.kind == _INITIALIZE:
            session = next(self._numbers)
            _send(connection, first.kind + 1, 0, _VERSION << 16 | session)
            self._serve_messages(connection, session)
        else:
            _send(connection, first.kind + 1, 0, _VENDOR)
            self._serve_controls(connection, first.parameter)

    def _serve_messages(self, connection: Connection, session: int) -> None:
        payloads = _Payloads(connection, self._instrument)
        while not payloads.is_over:
            reader = MessageReader(payloads, self._instrument.max_block)
            while (message := reader.next()) is not None:
                with self._lock.changed:
                    self._lock.changed.wait_for(lambda: self._lock.owner in (0, session))
                reply = self._answer(message)
                if reply is not None:
                    _send(connection, _DATA_END, 0, payloads.message_id, reply)

    def _serve_controls(self, connection: Connection, session: int) -> None:
        try:
            while (head := _receive(connection)) is not None:
                payload = _take(connection, head.length)
                self._control(connection, head, payload, session)
        finally:
            self._release(session)

    def _control(self, connection: Connection, head: _Header, payload: bytes, session: int) -> None:
        if head.kind == _MAX_SIZE:
            _send(connection, head.kind + 1, 0, 0, min(_MAX_MESSAGE, int.from_bytes(payload, "big")).to_bytes(8, "big"))
        elif head.kind == _STATUS:
            _send(connection, head.kind + 1, self._instrument.status_byte(), 0)
        elif head.kind == _CLEAR:
            _send(connection, 23, 0, 0)
        elif head.kind == _LOCAL:
            _send(connection, head.kind + 1, 0, 0)
        elif head.kind == _LOCK_INFO:
            _send(connection, head.kind + 1, int(self._lock.owner != 0), int(self._lock.owner != 0))
        elif head.kind == _LOCK:
            taken = self._request(session, head.parameter / 1e3) if head.control else self._release(session)
            _send(connection, head.kind + 1, _SUCCESS if taken else _FAILURE, 0)
        else:
            _send(connection, _ERROR, 1, 0, b"Unrecognized Message Type")

    def _request(self, session: int, timeout_s: float) -> bool:
        with self._lock.changed:
            free = self._lock.changed.wait_for(lambda: self._lock.owner in (0, session), timeout_s)
            if free:
                self._lock.owner = session
            return free

    def _release(self, session: int) -> bool:
        with self._lock.changed:
            held = self._lock.owner == session
            if held:
                self._lock.owner = 0
                self._lock.changed.notify_all()
            return held


class _Payloads:
    """What the synchronous channel carries, as one stream; an END is a newline."""

    def __init__(self, connection: Connection, instrument: Instrument) -> None:
        self._connection = connection
        self._instrument = instrument
        self._left = 0
        self._ends = False
        self.message_id = 0
        self.is_over = False

    def recv(self, size: int) -> bytes:
        whole = bytearray(size)
        return bytes(whole[: self.recv_into(memoryview(whole))])

    def recv_into(self, view: memoryview) -> int:
        while not self._left:
            if self._ends:
                self._ends = False
                view[:1] = b"\n"
                return 1
            if not self._next():
                return 0
        got = self._connection.recv_into(view[: min(len(view), self._left)])
        if not got:
            raise ConnectionResetError("closed within a message")
        self._left -= got
        return got

    def _next(self) -> bool:
        """Go to the next message with data; no more of it comes after a device clear or the end."""
        head = _receive(self._connection)
        if head is None:
            self.is_over = True
            return False
        self.message_id = head.parameter
        if head.kind in (_DATA, _DATA_END):
            self._left, self._ends = head.length, head.kind == _DATA_END
            return True
        _take(self._connection, head.length)
        if head.kind == _CLEAR_COMPLETE:
            _send(self._connection, _CLEAR_ACKNOWLEDGE, 0, 0)
            return False
        if head.kind == _TRIGGER:
            self._instrument.handle(Message("*TRG", None))
            return True
        _send(self._connection, _ERROR, 1, 0, b"Unrecognized Message Type")
        return True


def _receive(connection: Connection) -> _Header | None:
    """Return the next header, ``None`` at the end of the connection."""
    raw = bytearray(_HEADER.size)
    got = connection.recv_into(memoryview(raw))
    if not got:
        return None
    raw[got:] = _take(connection, _HEADER.size - got)
    prologue, kind, control, parameter, length = _HEADER.unpack(raw)
    if prologue != _PROLOGUE or length > (_MAX_MESSAGE if kind in (_DATA, _DATA_END) else _MOST_WORDS):
        _send(connection, _FATAL_ERROR, 1, 0, b"Poorly formed message header")
        raise ProtocolViolationError(f"message header {bytes(raw).hex()}")
    return _Header(kind, control, parameter, length)


def _take(connection: Connection, size: int) -> bytes:
    whole = bytearray(size)
    view, have = memoryview(whole), 0
    while have < size:
        got = connection.recv_into(view[have:])
        if not got:
            raise ConnectionResetError("closed within a message")
        have += got
    return bytes(whole)


def _send(connection: Connection, kind: int, control: int, parameter: int, payload: bytes = b"") -> None:
    connection.sendall(_HEADER.pack(_PROLOGUE, kind, control, parameter, len(payload)) + payload)
