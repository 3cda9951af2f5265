"""``Child``: a process that does what may hang, with a deadline outside of it.

A frame between the two processes is the lengths of a JSON text and of a payload (big-endian, 4 and 8 bytes), then both.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from qctrl.errors import InstrumentError, InstrumentTimeoutError, MissingExtraError

_FRAME: Final = struct.Struct("!IQ")
_OUTER_SLACK_S: Final = 2.0
"""The process may take this much longer than what it was allowed for the wire."""
_CLOSE_S: Final = 3.0


class Child:
    """One process for one instrument; whatever goes wrong with a request ends it.

    Args:
        name: Name of the instrument in the rack.
        address: Its address.
        file: Program of the process; its only argument is the file descriptor of a socket to this one.
        extra: Extra of the distribution that the program needs.
    """

    def __init__(self, name: str, address: str, file: Path, extra: str) -> None:
        self._name = name
        self._address = address
        self._file = file
        self._extra = extra
        self._child: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    @property
    def is_alive(self) -> bool:
        """Whether there is a process that nothing went wrong with."""
        return self._child is not None

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Start the process, in place of one that is there."""
        self.kill()
        ours, theirs = socket.socketpair()
        with theirs:
            self._child = subprocess.Popen(  # noqa: S603 (our own file, no shell)
                [sys.executable, "-P", str(self._file), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._channel = ours

    def request(
        self, body: dict[str, Any], payload: bytes | memoryview | None, timeout_s: float
    ) -> tuple[dict[str, Any], bytes]:
        """Ask the process for something and return its answer.

        Args:
            body: What to do: ``verb``, and what the verb needs.
            payload: Bytes that go with it.
            timeout_s: How long the wire may take.

        Raises:
            InstrumentTimeoutError: It took longer; the process is killed.
            MissingExtraError: A library is missing.
            InstrumentError: It failed, or there is no process; there is none afterwards.
        """
        child = self._child
        if child is None:
            raise self.lost(f"{body['verb']} refused: there is no connection, or it was given up after a failure")
        body.setdefault("timeout_s", timeout_s)
        try:
            answer, data = self._exchange(body, payload, time.monotonic() + timeout_s + _OUTER_SLACK_S)
        except TimeoutError as error:
            self.kill()
            raise self._late(body, timeout_s) from error
        except (OSError, ValueError) as error:
            code = child.poll()
            self.kill()
            raise self.lost(f"{_what(body)}: the session's process is gone, exit code {code}") from error
        failed = answer.get("failed")
        if failed is None:
            return answer, data
        self.kill()
        if failed == "timeout":
            raise self._late(body, timeout_s)
        if failed == "missing":
            raise MissingExtraError(
                f"instrument {self._name}: {answer['text']}; install it with: pip install 'qctrl-stack[{self._extra}]'"
            )
        if body["verb"] == "open":
            raise self.lost(f"cannot be opened: {answer['text']}; check its address, its power and its cable")
        raise self.lost(f"{_what(body)}: {answer['text']}")

    def close(self) -> None:
        """End the process in order: it sends nothing that parks its instrument."""
        if self._child is not None:
            # If it is gone, or hangs, it ends the same way.
            with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
                self._exchange({"verb": "close"}, None, time.monotonic() + _CLOSE_S)
                self._child.wait(_CLOSE_S)
        self.kill()

    def kill(self) -> None:
        """End the process at once."""
        channel, child = self._channel, self._child
        self._channel = self._child = None
        if child is not None:
            child.kill()
            child.wait()
        if channel is not None:
            channel.close()

    def lost(self, text: str) -> InstrumentError:
        """Return an error that names the instrument."""
        return InstrumentError(
            f"instrument {self._name} at {self._address}: {text}", name=self._name, address=self._address
        )

    def _late(self, body: dict[str, Any], timeout_s: float) -> InstrumentTimeoutError:
        return InstrumentTimeoutError(
            f"instrument {self._name} at {self._address}: {_what(body)} was not answered within {timeout_s:.3g} s; "
            "the connection was given up",
            name=self._name,
            address=self._address,
        )

    def _exchange(
        self, body: dict[str, Any], payload: bytes | memoryview | None, until: float
    ) -> tuple[dict[str, Any], bytes]:
        text = json.dumps(body).encode()
        self._ready(until).sendall(_FRAME.pack(len(text), 0 if payload is None else len(payload)) + text)
        if payload is not None:
            self._ready(until).sendall(payload)
        text_size, payload_size = _FRAME.unpack(self._receive(_FRAME.size, until))
        return json.loads(self._receive(text_size, until)), bytes(self._receive(payload_size, until))

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


def _what(body: dict[str, Any]) -> str:
    text = str(body.get("text", ""))
    return f"{body['verb']} {text[:60]!r}" if text else str(body["verb"])
