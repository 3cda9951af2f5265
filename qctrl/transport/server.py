"""Server end of the wire: a loop that always answers, however long the work behind it takes."""

import contextlib
import logging
import math
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import zmq

from qctrl.errors import ConfigError, InstrumentFault, ProtocolError, QctrlError
from qctrl.protocol.messages import Reply, Request
from qctrl.transport._sockets import open_socket
from qctrl.transport.address import check_address
from qctrl.transport.answer import Answer
from qctrl.transport.framing import Buffer, Kind, Message, pack, peek_seq, unpack

INTERNAL_CODE = "QC-INTERNAL"
"""Code of a reply to a request that met a defect of the server."""

_IPC = "ipc://"
_IDLE_MS = 500
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deferred:
    """An answer that is not there yet; the loop goes on serving others meanwhile."""

    wait_s: float
    """How long to wait for it, in seconds."""
    poll: Callable[[], Answer | None]
    """Asked after every ``wake``; ``None`` while there is no answer."""
    expire: Callable[[], Answer]
    """Gives the answer when the wait is over."""


class Handler(Protocol):
    """What a server does with requests."""

    def handle(self, request: Request, buffers: Sequence[Buffer]) -> Answer | Deferred:
        """Answer quickly, or defer; a ``QctrlError`` becomes an error reply with its code."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    peer: bytes
    seq: int
    until: float
    deferred: Deferred


class Server:
    """Binds an address and answers requests in the calling thread.

    Args:
        address: Where to bind, see ``check_address``; ``tcp://127.0.0.1:*`` chooses a port.

    Raises:
        ConfigError: The address is not allowed or in use.
    """

    def __init__(self, address: str) -> None:
        check_address(address)
        _refuse_taken(address)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = open_socket(self._context, zmq.ROUTER)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._waiting: list[_Waiting] = []
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ConfigError(f"address {address!r} cannot be bound: {error.strerror}") from error
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)

    def wake(self) -> None:
        """Make the loop look at deferred answers and its stop condition; callable from any thread."""
        # A full or closed pipe means that the loop is awake or gone already.
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def serve(self, handler: Handler, stopped: Callable[[], bool]) -> None:
        """Answer requests until ``stopped()``; call ``wake`` after its value changes."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._woken.fileno(), zmq.POLLIN)
        while not stopped():
            ready = dict(poller.poll(self._timeout_ms()))
            if self._woken.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(4096)
            if self._socket in ready:
                peer, *frames = self._socket.recv_multipart(copy=False)
                self._receive(handler, peer.bytes, [frame.buffer for frame in frames])
            self._answer_waiting()

    def close(self) -> None:
        """Close the socket; an ipc address leaves no file behind."""
        self._context.destroy(linger=0)
        self._woken.close()
        self._waker.close()
        if self.address.startswith(_IPC):
            Path(self.address.removeprefix(_IPC)).unlink(missing_ok=True)

    def _timeout_ms(self) -> int:
        nearest_s = min((waiting.until for waiting in self._waiting), default=math.inf) - time.monotonic()
        return math.ceil(max(0.0, min(_IDLE_MS, nearest_s * 1e3)))

    def _receive(self, handler: Handler, peer: bytes, parts: list[memoryview]) -> None:
        try:
            message = unpack(parts)
            request = _decode(message)
        except ProtocolError as error:
            _log.warning("malformed message refused: %s", error)
            self._reply(peer, peek_seq(parts), error)
            return
        self._execute(peer, message.seq, lambda: handler.handle(request, message.buffers))

    def _execute(self, peer: bytes, seq: int, work: Callable[[], Answer | Deferred | None]) -> bool:
        """Send or keep what ``work`` gives; return whether it gave anything."""
        try:
            outcome = work()
        except QctrlError as error:
            self._reply(peer, seq, error)
        except Exception as error:  # noqa: BLE001 (the process loop outlives any one request)
            _log.exception("request %d failed", seq)
            self._reply(peer, seq, error)
        else:
            if outcome is None:
                return False
            if isinstance(outcome, Deferred):
                until = time.monotonic() + outcome.wait_s
                self._waiting.append(_Waiting(peer, seq, until, outcome))
            else:
                self._reply(peer, seq, outcome)
        return True

    def _answer_waiting(self) -> None:
        pending, self._waiting = self._waiting, []
        for waiting in pending:
            if self._execute(waiting.peer, waiting.seq, waiting.deferred.poll):
                continue
            if time.monotonic() >= waiting.until:
                self._execute(waiting.peer, waiting.seq, waiting.deferred.expire)
            else:
                self._waiting.append(waiting)

    def _reply(self, peer: bytes, seq: int, outcome: Answer | Exception) -> None:
        buffers: tuple[Buffer, ...] = ()
        if isinstance(outcome, Answer):
            reply = Reply(seq=seq, ok=True, code="", text="", body=dict(outcome.body))
            buffers = outcome.buffers
        else:
            reply = Reply(seq=seq, ok=False, code=_code_of(outcome), text=str(outcome), body={})
        try:
            parts = pack(Message(Kind.REPLY, seq, msgspec.json.encode(reply), buffers))
        except (ProtocolError, TypeError) as error:  # too large, or no JSON
            self._reply(peer, seq, error)
            return
        try:
            self._socket.send_multipart([peer, *parts], flags=zmq.DONTWAIT, copy=False)
        except zmq.ZMQError as error:
            _log.warning("reply to request %d could not be sent: %s", seq, error.strerror)


def _refuse_taken(address: str) -> None:
    # zmq would silently take an ipc address over from the server that is bound to it.
    if not address.startswith(_IPC):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address.removeprefix(_IPC))
        except OSError:
            return
    raise ConfigError(f"address {address!r} cannot be bound: another server answers there")


def _code_of(error: Exception) -> str:
    if isinstance(error, InstrumentFault) and error.fault_code:
        return error.fault_code
    return error.code if isinstance(error, QctrlError) else INTERNAL_CODE


def _decode(message: Message) -> Request:
    if message.kind is not Kind.REQUEST:
        raise ProtocolError("a server takes requests only")
    try:
        return msgspec.json.decode(message.header, type=Request)
    except msgspec.MsgspecError as error:
        raise ProtocolError(f"header of the request: {error}") from error
