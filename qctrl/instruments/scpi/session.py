"""``Session``: a conversation with one instrument that can always be ended.

A VISA call may block for ever (pyvisa-py waits without a limit for a peer that stops reading), and after a timeout the
next reply may be the one before. So each resource lives in a process of its own. Every call has a deadline here,
outside of that process: when it passes, or when anything goes wrong, the process is killed and with it the connection.
Nothing goes on after that until ``open`` has made a new one and asked who answers.

A frame between the two processes is the lengths of a JSON text and of a payload (big-endian, 4 and 8 bytes), then both.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from qctrl.errors import InstrumentError, InstrumentTimeoutError, MissingExtraError

_CHILD: Final = Path(__file__).with_name("_visa_child.py")
_FRAME: Final = struct.Struct("!IQ")
_START_S: Final = 20.0
"""Start of the process and of pyvisa in it, on a machine whose cores are busy."""
_OUTER_SLACK_S: Final = 2.0
"""The process may take this much longer than what it was allowed for the wire."""
_SLOWEST_B_S: Final = 2e6
"""A wire that is slower than this has failed."""
_CLOSE_S: Final = 3.0


class Session:
    """One instrument at a VISA address.

    Args:
        name: Name of the instrument in the rack.
        address: VISA address, such as ``TCPIP0::192.0.2.7::4000::SOCKET`` or ``TCPIP0::192.0.2.7::hislip0::INSTR``.
        timeout_s: Deadline of a call, beyond the time that its bytes may take.
        backend: VISA library, as pyvisa names it.

    Attributes:
        generation: Counts connections: what is known of an instrument's memory holds for one only.
    """

    def __init__(self, name: str, address: str, *, timeout_s: float = 5.0, backend: str = "@py") -> None:
        self.name = name
        self.address = address
        self.generation = 0
        self._timeout_s = timeout_s
        self._backend = backend
        self._park: tuple[str, ...] = ()
        self._child: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that nothing went wrong with."""
        return self._child is not None

    def open(self, park: Sequence[str] = (), *, clear: bool = True) -> str:
        """Connect anew and return what ``*IDN?`` says.

        Args:
            park: Lines that take the instrument to its safe state; sent by the session's process if this one dies.
            clear: Whether the error queue is emptied first.

        Raises:
            MissingExtraError: pyvisa is not installed.
            InstrumentError: Nobody answers.
        """
        self._kill()
        if importlib.util.find_spec("pyvisa") is None:
            raise MissingExtraError(
                f"instrument {self.name} is reached through VISA; install it with: pip install 'qctrl-stack[visa]'"
            )
        self._start()
        self.generation += 1
        body = {"verb": "open", "address": self.address, "backend": self._backend, "timeout_s": self._timeout_s}
        self._request(body, extra_s=_START_S)
        # pyvisa-py opens closed ports without complaint: only an answer means that somebody is there.
        if clear:
            self.write("*CLS")
        identity = self.ask("*IDN?")
        self._park = tuple(park)
        self._request({"verb": "park", "lines": list(park)})
        return identity

    def write(self, text: str, payload: bytes | memoryview | None = None) -> None:
        """Send a line, with ``payload`` as an IEEE 488.2 definite-length block at its end.

        Raises:
            InstrumentTimeoutError: It was not taken in time; the session is closed.
            InstrumentError: The connection failed; the session is closed.
        """
        self._request({"verb": "write", "text": text}, payload)

    def ask(self, text: str, extra_s: float = 0.0) -> str:
        """Send a query and return its reply without the newline.

        Args:
            text: The query.
            extra_s: Time that the instrument may take beyond that of any query.

        Raises:
            InstrumentTimeoutError: No reply came in time; the session is closed.
            InstrumentError: The connection failed; the session is closed.
        """
        body, _ = self._request({"verb": "ask", "text": text}, extra_s=extra_s)
        return str(body["text"])

    def ask_block(self, text: str, most: int) -> bytes:
        """Send a query and return the block that it is answered with.

        Args:
            text: The query.
            most: Largest number of bytes that may come.

        Raises:
            InstrumentTimeoutError: It did not come in time; the session is closed.
            InstrumentError: It was no block of that size, or the connection failed; the session is closed.
        """
        _, payload = self._request({"verb": "ask_block", "text": text, "most": most}, extra_s=most / _SLOWEST_B_S)
        return payload

    def close(self) -> None:
        """End the connection and the process; the instrument keeps its state."""
        if self._channel is not None and self._child is not None:
            with contextlib.suppress(InstrumentError):
                self._exchange({"verb": "close"}, None, time.monotonic() + _CLOSE_S)
        self._kill()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._child = subprocess.Popen(  # noqa: S603 (our own file, no shell)
                [sys.executable, "-P", str(_CHILD), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._channel = ours

    def _request(
        self, body: dict[str, Any], payload: bytes | memoryview | None = None, *, extra_s: float = 0.0
    ) -> tuple[dict[str, Any], bytes]:
        child = self._child
        if child is None:
            raise self._lost(f"{body['verb']} refused: there is no connection, or it was given up after a failure")
        timeout_s = self._timeout_s + extra_s + (0 if payload is None else len(payload) / _SLOWEST_B_S)
        body.setdefault("timeout_s", timeout_s)
        until = time.monotonic() + timeout_s + _OUTER_SLACK_S
        try:
            answer, data = self._exchange(body, payload, until)
        except TimeoutError as error:
            self._kill()
            raise self._late(body, timeout_s) from error
        except (OSError, ValueError) as error:
            code = child.poll()
            self._kill()
            raise self._lost(f"{_what(body)}: the session's process is gone, exit code {code}") from error
        failed = answer.get("failed")
        if failed is None:
            return answer, data
        self._kill()
        if failed == "timeout":
            raise self._late(body, timeout_s)
        if failed == "missing":
            raise MissingExtraError(f"{answer['text']}; install it with: pip install 'qctrl-stack[visa]'")
        raise self._lost(f"{_what(body)}: {answer['text']}")

    def _exchange(
        self, body: dict[str, Any], payload: bytes | memoryview | None, until: float
    ) -> tuple[dict[str, Any], bytes]:
        text = json.dumps(body).encode()
        self._send(_FRAME.pack(len(text), 0 if payload is None else len(payload)) + text, until)
        if payload is not None:
            self._send(payload, until)
        text_size, payload_size = _FRAME.unpack(self._receive(_FRAME.size, until))
        return json.loads(self._receive(text_size, until)), bytes(self._receive(payload_size, until))

    def _send(self, data: bytes | memoryview, until: float) -> None:
        channel = self._ready(until)
        channel.sendall(data)

    def _receive(self, size: int, until: float) -> bytearray:
        whole = bytearray(size)
        view, have = memoryview(whole), 0
        while have < size:
            got = self._ready(until).recv_into(view[have:])
            if not got:
                raise ConnectionError
            have += got
        return whole

    def _ready(self, until: float) -> socket.socket:
        left_s = until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        if self._channel is None:
            raise ConnectionError
        self._channel.settimeout(left_s)
        return self._channel

    def _kill(self) -> None:
        channel, child = self._channel, self._child
        self._channel = self._child = None
        if child is not None:
            child.kill()
            child.wait()
        if channel is not None:
            channel.close()

    def _late(self, body: dict[str, Any], timeout_s: float) -> InstrumentTimeoutError:
        return InstrumentTimeoutError(
            f"instrument {self.name} at {self.address}: {_what(body)} was not answered within {timeout_s:.3g} s; "
            "the connection was given up",
            name=self.name,
            address=self.address,
        )

    def _lost(self, text: str) -> InstrumentError:
        return InstrumentError(
            f"instrument {self.name} at {self.address}: {text}", name=self.name, address=self.address
        )


def _what(body: dict[str, Any]) -> str:
    text = str(body.get("text", ""))
    return f"{body['verb']} {text[:60]!r}" if text else str(body["verb"])
