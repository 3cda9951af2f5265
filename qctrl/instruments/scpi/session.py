"""``Session``: a conversation with one instrument that can always be ended.

A VISA call may block for ever (pyvisa-py waits without a limit for a peer that stops reading), and after a timeout the
next reply may be the one before. So each resource lives in a process of its own. Every call has a deadline here,
outside of that process: when it passes, or when anything goes wrong, the process is killed and with it the connection.
Nothing goes on after that until ``open`` has made a new one and asked who answers.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from qctrl.errors import MissingExtraError
from qctrl.instruments.child import Child

_CHILD: Final = Path(__file__).with_name("_visa_child.py")
_START_S: Final = 20.0
"""Start of the process and of pyvisa in it, on a machine whose cores are busy."""
_POWER_ON: Final = 1 << 7
"""Of the event status (IEEE 488.2, 11.5.1.1.2)."""
_SLOWEST_B_S: Final = 2e6
"""A wire that is slower than this has failed."""


class Session:
    """One instrument at a VISA address.

    Args:
        name: Name of the instrument in the rack.
        address: VISA address, such as ``TCPIP0::192.0.2.7::4000::SOCKET`` or ``TCPIP0::192.0.2.7::hislip0::INSTR``.
        timeout_s: Deadline of a call, beyond the time that its bytes may take.
        backend: VISA library, as pyvisa names it.

    Attributes:
        generation: Counts connections: what is known of an instrument's memory holds for one only.
        restarted: Whether the instrument was switched on since anybody cleared its events; known after ``open``.
    """

    def __init__(self, name: str, address: str, *, timeout_s: float = 5.0, backend: str = "@py") -> None:
        self.name = name
        self.address = address
        self.generation = 0
        self.restarted = False
        self._timeout_s = timeout_s
        self._backend = backend
        self._child = Child(name, address, _CHILD, "visa")

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that nothing went wrong with."""
        return self._child.is_alive

    def open(self, park: Sequence[str] = (), *, clear: bool = True) -> str:
        """Connect anew and return what ``*IDN?`` says.

        Args:
            park: Lines that take the instrument to its safe state; sent by the session's process if this one dies.
            clear: Whether events and the error queue are emptied first.

        Raises:
            MissingExtraError: pyvisa is not installed.
            InstrumentError: Nobody answers.
        """
        self._connect()
        # pyvisa-py opens closed ports without complaint: only an answer means that somebody is there.
        if clear:
            events = self.ask("*ESR?").strip()
            self.restarted = events.isdigit() and bool(int(events) & _POWER_ON)
            self.write("*CLS")
        identity = self.ask("*IDN?")
        self._request({"verb": "park", "lines": list(park)})
        return identity

    def tell(self, lines: Sequence[str]) -> None:
        """Connect anew, send lines without asking for anything, and close; for an instrument that does not answer.

        Args:
            lines: The lines.

        Raises:
            InstrumentError: It does not even take them.
        """
        self._connect()
        for line in lines:
            self.write(line)
        self.close()

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
        self._child.close()

    def _connect(self) -> None:
        self._child.kill()
        if importlib.util.find_spec("pyvisa") is None:
            raise MissingExtraError(
                f"instrument {self.name} is reached through VISA; install it with: pip install 'qctrl-stack[visa]'"
            )
        self._child.start()
        self.generation += 1
        body = {"verb": "open", "address": self.address, "backend": self._backend, "timeout_s": self._timeout_s}
        self._request(body, extra_s=_START_S)

    def _request(
        self, body: dict[str, Any], payload: bytes | memoryview | None = None, *, extra_s: float = 0.0
    ) -> tuple[dict[str, Any], bytes]:
        bytes_s = 0.0 if payload is None else len(payload) / _SLOWEST_B_S
        return self._child.request(body, payload, self._timeout_s + extra_s + bytes_s)
