"""Client end of the wire: requests, each with a deadline and an acknowledgement."""

import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import zmq

from qctrl.errors import InstrumentError, InstrumentFault, InstrumentTimeoutError, ProtocolError
from qctrl.protocol.messages import Reply, Request, Verb
from qctrl.transport._sockets import open_socket
from qctrl.transport.address import check_address
from qctrl.transport.answer import Answer
from qctrl.transport.framing import Buffer, Kind, Message, pack, unpack

_SLICE_MS = 50
"""How often a waiting client asks whether the peer's process still lives; a reply wakes it at once."""


def _nothing_known() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Posted:
    """A request that was sent, and whose answer is still to be asked for."""

    verb: Verb
    seq: int
    until: float
    """End of its deadline, on the monotonic clock."""
    deadline_s: float


class Client:
    """Sends requests to one server, and waits for the reply to each.

    Belongs to the thread that created it. The reply with the number of the request acknowledges it; a reply that
    nobody waits for any more is discarded when the next request meets it, never taken for an answer.

    Args:
        address: Where the server is, see ``check_address``.
        name: Name of the instrument, for errors.
        peer_failure: Says why the peer's process is gone, ``None`` while it lives or when nothing is known.

    Raises:
        ConfigError: The address is not allowed.
    """

    def __init__(
        self, address: str, *, name: str = "", peer_failure: Callable[[], str | None] = _nothing_known
    ) -> None:
        self.address = check_address(address)
        self.name = name
        self._peer_failure = peer_failure
        self._session = secrets.token_hex(8)
        self._seq = 0
        self._posted: set[int] = set()
        self._early: dict[int, Message] = {}
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = open_socket(self._context, zmq.DEALER)
        # Nothing is queued for a peer that is not there: sending waits for the connection, up to the deadline.
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._socket.connect(self.address)

    def request(
        self,
        verb: Verb,
        body: Mapping[str, Any] | None = None,
        buffers: Sequence[Buffer] = (),
        *,
        deadline_s: float,
    ) -> Answer:
        """Return the answer of the server to ``verb``.

        Args:
            verb: One of the verbs of ``qctrl.protocol.messages``.
            body: Arguments of the verb, JSON types only.
            buffers: Raw data, sent without a copy.
            deadline_s: Time for sending, executing and receiving together, in seconds.

        Raises:
            InstrumentTimeoutError: No answer within the deadline.
            InstrumentError: The peer's process has died.
            InstrumentFault: The firmware refused or failed the request.
            ProtocolError: A message is malformed, too large, or of another protocol version.
        """
        return self.answer(self.post(verb, body, buffers, deadline_s=deadline_s))

    def post(
        self,
        verb: Verb,
        body: Mapping[str, Any] | None = None,
        buffers: Sequence[Buffer] = (),
        *,
        deadline_s: float,
    ) -> Posted:
        """Send a request and return at once; the arguments are those of :meth:`request`.

        The server reads requests in the order in which they are sent; it may answer them in another.

        Raises:
            InstrumentTimeoutError: It could not be sent within the deadline.
            InstrumentError: The peer's process has died.
            ProtocolError: The message is too large.
        """
        self._seq += 1
        request = Request(
            verb=verb,
            seq=self._seq,
            session=self._session,
            deadline_ms=max(1, round(deadline_s * 1e3)),
            body=dict(body or {}),
        )
        parts = pack(Message(Kind.REQUEST, self._seq, msgspec.json.encode(request), tuple(buffers)))
        posted = Posted(verb, self._seq, time.monotonic() + deadline_s, deadline_s)
        self._wait(zmq.POLLOUT, posted)
        self._socket.send_multipart(parts, copy=False)
        self._posted.add(posted.seq)
        return posted

    def answer(self, posted: Posted) -> Answer:
        """Return the answer to a request that was posted; raises what :meth:`request` raises."""
        self._posted.discard(posted.seq)
        message = self._message(posted)
        reply = _decode(message.header)
        if reply.ok:
            return Answer(reply.body, message.buffers)
        if reply.code == ProtocolError.code:
            raise ProtocolError(f"{self._who()} refused {posted.verb}: {reply.text}")
        raise InstrumentFault(
            f"{self._who()} refused {posted.verb}: {reply.text} [{reply.code}]",
            name=self.name,
            address=self.address,
            fault_code=reply.code,
        )

    def forget(self) -> None:
        """Discard the answers to all requests that were posted."""
        self._posted.clear()
        self._early.clear()

    def close(self) -> None:
        """Close the connection, dropping what was not sent."""
        self._context.destroy(linger=0)

    def _message(self, posted: Posted) -> Message:
        while posted.seq not in self._early:
            self._wait(zmq.POLLIN, posted)
            message = unpack([frame.buffer for frame in self._socket.recv_multipart(copy=False)])
            # A server that could not even read the number answers with 0.
            if message.kind is Kind.REPLY and message.seq in (posted.seq, 0):
                return message
            if message.kind is Kind.REPLY and message.seq in self._posted:
                self._early[message.seq] = message
        return self._early.pop(posted.seq)

    def _wait(self, direction: int, posted: Posted) -> None:
        while True:
            left_ms = (posted.until - time.monotonic()) * 1e3
            if self._socket.poll(max(0, min(_SLICE_MS, math.ceil(left_ms))), direction):
                return
            failure = self._peer_failure()
            # A reply sent just before the process ended is still an answer.
            if failure is not None and not self._socket.poll(0, direction):
                text = f"{self._who()} died during {posted.verb}: {failure}"
                raise InstrumentError(text, name=self.name, address=self.address)
            if left_ms <= 0:
                raise InstrumentTimeoutError(
                    f"{self._who()} did not answer {posted.verb} within {posted.deadline_s:g} s; "
                    "check that it runs and that the address is right",
                    name=self.name,
                    address=self.address,
                )

    def _who(self) -> str:
        return f"instrument {self.name or '(unnamed)'} at {self.address}"


def _decode(header: bytes) -> Reply:
    try:
        return msgspec.json.decode(header, type=Reply)
    except msgspec.MsgspecError as error:
        raise ProtocolError(f"header of the reply: {error}") from error
