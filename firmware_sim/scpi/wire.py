"""One instrument's TCP port: messages in, replies out, and the wire's own faults.

The port speaks both protocols: a connection that begins with the prologue of HiSLIP is one of its channels, any other
is a raw socket of lines.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import struct
import threading
from typing import Final

from firmware_sim.scpi.faults import WireFaults
from firmware_sim.scpi.hislip import Hislip, begins_hislip
from firmware_sim.scpi.instrument import Instrument
from firmware_sim.scpi.message import MalformedMessageError, Message, MessageReader

_log = logging.getLogger(__name__)
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""


class Wire:
    """Serves one instrument on one port; several connections may be open, as real ones allow.

    Args:
        instrument: What answers.
        host: Interface to listen on.
        port: TCP port, 0 for any.
    """

    def __init__(self, instrument: Instrument, host: str, port: int) -> None:
        self.instrument = instrument
        self.faults = WireFaults()
        self._hislip = Hislip(self._answer, instrument)
        self._closed = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((host, port))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name=f"port {self.port}", daemon=True).start()

    def close(self) -> None:
        """End all connections and the port."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_all()

    def wait_closed(self) -> None:
        """Wait until the port is closed, or the fault is over."""
        while self.faults.stop_reading_at is not None and not self._closed.wait(0.02):
            pass

    def drop_all(self) -> None:
        """Reset every connection, as an instrument that loses its power does."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closed.is_set():
                connection, _ = self._listener.accept()
                if self.faults.refuses:
                    connection.close()
                    continue
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stream = _Faulty(connection, self)
        try:
            if begins_hislip(connection):
                self._hislip.serve(stream)
            else:
                reader = MessageReader(stream, self.instrument.max_block)
                while (message := reader.next()) is not None:
                    stream.sendall(self._answer(message) or b"")
        except MalformedMessageError as error:
            self.instrument.push(-160, f"Block data error;{error}")
        except OSError as error:
            _log.info("connection to %s ended: %s", self.instrument.serial, error)
        finally:
            self._open.discard(connection)
            connection.close()

    def _answer(self, message: Message) -> bytes | None:
        """Return the reply to a message with its newline, late if it is asked to be."""
        reply = self.instrument.handle(message)
        if reply is None:
            return None
        self._closed.wait(self.faults.delay_s)
        return self._encode(reply) + b"\n"

    def _encode(self, reply: str | bytes) -> bytes:
        if isinstance(reply, str):
            return reply.encode()
        if self.faults.flips:
            reply = reply[:-1] + bytes([reply[-1] ^ 1])
        if self.faults.extra_length:
            found = re.match(rb"#(\d)", reply)
            digits = int(found[1]) if found else 0
            longer = int(reply[2 : 2 + digits]) + self.faults.extra_length
            return b"#%d%0*d" % (digits, digits, longer) + reply[2 + digits :]
        return reply


class _Faulty:
    """A socket, with faults of its receiving half."""

    def __init__(self, connection: socket.socket, wire: Wire) -> None:
        self._connection = connection
        self._wire = wire

    def recv(self, size: int) -> bytes:
        return self._connection.recv(self._allowed(size))

    def recv_into(self, view: memoryview) -> int:
        return self._connection.recv_into(view, self._allowed(len(view)))

    def sendall(self, data: bytes) -> None:
        self._connection.sendall(data)

    def _allowed(self, size: int) -> int:
        faults = self._wire.faults
        if faults.drop_at is not None:
            if faults.drop_at <= 0:
                faults.drop_at = None
                self._wire.drop_all()
                raise ConnectionResetError("dropped on request")
            size = min(size, faults.drop_at)
            faults.drop_at -= size
        if faults.stop_reading_at is not None:
            if faults.stop_reading_at <= 0:
                self._wire.wait_closed()
                return size
            size = min(size, faults.stop_reading_at)
            faults.stop_reading_at -= size
        return size
