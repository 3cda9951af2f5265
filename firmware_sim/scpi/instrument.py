"""``Instrument``: what every emulated instrument has in common: error queue, status, identity."""

from __future__ import annotations

import threading
from collections import deque
from typing import ClassVar, Final

from firmware_sim.scpi.headers import (
    Reply,
    ScpiError,
    boolean,
    choice,
    command,
    commands_of,
    number,
    units,
    whole,
)
from firmware_sim.scpi.message import Message

__all__ = ["Instrument", "ScpiError", "boolean", "choice", "command", "number", "whole"]

_QUEUE_LENGTH: Final = 32
_QUEUE_BIT, _EVENT_BIT, _SUMMARY_BIT = 1 << 2, 1 << 5, 1 << 6
"""Of the status byte (SCPI-99 volume 1, 9.2; IEEE 488.2, 11.2)."""
_UNLOCKED_BIT: Final = 1 << 5
"""Of the questionable status: frequency (SCPI-99 volume 1, 9.4)."""
_COMPLETE_EVENT, _POWER_EVENT = 1, 1 << 7
_ERROR_EVENTS: Final = {1: 1 << 5, 2: 1 << 4, 3: 1 << 3, 4: 1 << 2}
"""Of the event status, by hundreds of the code (IEEE 488.2, 11.5.1)."""


class Instrument:
    """One box on the bench; used by one connection at a time, and by the bench.

    Args:
        serial: Serial number in its identity.
        parts: Objects that know some of its headers.
    """

    maker: str = ""
    model: str = ""
    firmware: str = "1.0"
    max_block: ClassVar[int] = 999_999_999

    def __init__(self, serial: str, parts: tuple[object, ...] = ()) -> None:
        self.serial = serial
        self.lock = threading.RLock()
        self.reference_locked = True
        self.identity: str | None = None
        self._errors: deque[tuple[int, str]] = deque()
        self._events = self._event_mask = self._request_mask = 0
        self._commands = commands_of(self, *parts)
        self.reset()

    def reset(self) -> None:
        """Return to the state after power-on."""

    def outputs_on(self) -> list[int]:
        """Return the outputs that are on."""
        return []

    def power_cycle(self) -> None:
        """Forget everything, the error queue too."""
        with self.lock:
            self._errors.clear()
            self._events, self._event_mask, self._request_mask = _POWER_EVENT, 0, 0
            self.reset()

    def handle(self, message: Message) -> Reply:
        """Carry a message out and return what its queries say; what is wrong with it goes into the error queue.

        After a command error the rest of the message is lost, after any other error it is carried out.
        """
        replies: list[str | bytes] = []
        with self.lock:
            if message.fault is not None:
                self.push(*message.fault)
            commands = units(message.text)
            for place, (head, rest) in enumerate(commands, 1):
                try:
                    reply = self._run(head, rest, message.block if place == len(commands) else None)
                except ScpiError as error:
                    self.push(error.code, str(error))
                    if -200 < error.code <= -100:
                        break
                else:
                    replies += [] if reply is None else [reply]
        return _joined(replies)

    def _run(self, head: str, rest: str, block: bytearray | None) -> Reply:
        for known in self._commands:
            found = known.pattern.fullmatch(head)
            if found is not None:
                numbers = [int(digits) if digits else 1 for digits in found.groups()]
                return known.run(numbers, rest, block)
        raise ScpiError(-113, f"Undefined header;{head[:80]}")

    def push(self, code: int, text: str) -> None:
        """Add an entry to the error queue."""
        with self.lock:
            self._events |= _ERROR_EVENTS.get(-code // 100, _ERROR_EVENTS[3])
            if len(self._errors) < _QUEUE_LENGTH:
                self._errors.append((code, text))
            else:
                self._errors[-1] = (-350, "Queue overflow")

    @command("*IDN?")
    def idn(self) -> str:
        """Say who it is."""
        return self.identity or f"{self.maker},{self.model},{self.serial},{self.firmware}"

    @command("*OPC?")
    def complete(self) -> str:
        """Answer when everything before is done: here, at once."""
        return "1"

    @command("*OPC")
    def note_complete(self) -> None:
        """Note that everything before is done."""
        self._events |= _COMPLETE_EVENT

    @command("*WAI")
    def wait(self) -> None:
        """Wait until everything before is done: here, it is."""

    @command("*CLS")
    def clear(self) -> None:
        """Empty the error queue and the event register."""
        self._errors.clear()
        self._events = 0

    @command("*RST")
    def restart(self) -> None:
        """Go back to the state after power-on; the error queue stays."""
        self.reset()

    @command("*TST?")
    def test(self) -> str:
        """Say that nothing is broken."""
        return "0"

    @command("*ESR?")
    def event_status(self) -> str:
        """Return and clear the event register."""
        events, self._events = self._events, 0
        return str(events)

    @command("*ESE")
    def set_event_mask(self, mask: str) -> None:
        """Choose which events show in the status byte."""
        self._event_mask = whole(mask, 0, 255)

    @command("*ESE?")
    def event_mask(self) -> str:
        """Return which events show in the status byte."""
        return str(self._event_mask)

    @command("*SRE")
    def set_request_mask(self, mask: str) -> None:
        """Choose which bits of the status byte ask for service."""
        self._request_mask = whole(mask, 0, 255) & ~_SUMMARY_BIT

    @command("*SRE?")
    def request_mask(self) -> str:
        """Return which bits of the status byte ask for service."""
        return str(self._request_mask)

    @command("*STB?")
    def status(self) -> str:
        """Return the status byte."""
        return str(self.status_byte())

    def status_byte(self) -> int:
        """Return the status byte: errors in the queue, events in the register, and whether they ask for service."""
        bits = (_QUEUE_BIT if self._errors else 0) | (_EVENT_BIT if self._events & self._event_mask else 0)
        return bits | (_SUMMARY_BIT if bits & self._request_mask else 0)

    @command("SYSTem:ERRor[:NEXT]?")
    def next_error(self) -> str:
        """Return and remove the oldest error."""
        code, text = self._errors.popleft() if self._errors else (0, "No error")
        return f'{code},"{text}"'

    @command("SYSTem:ERRor:COUNt?")
    def count_errors(self) -> str:
        """Return how many errors there are."""
        return str(len(self._errors))

    @command("SYSTem:ERRor:ALL?")
    def all_errors(self) -> str:
        """Return and remove all errors."""
        count = max(1, len(self._errors))
        return ",".join(self.next_error() for _ in range(count))

    @command("SYSTem:VERSion?")
    def version(self) -> str:
        """Return the year of the SCPI that it speaks."""
        return "1999.0"

    @command("STATus:QUEStionable:CONDition?")
    def questionable(self) -> str:
        """Say whether the frequency is in doubt."""
        return str(0 if self.reference_locked else _UNLOCKED_BIT)


def _joined(replies: list[str | bytes]) -> Reply:
    if len(replies) < 2:
        return replies[0] if replies else None
    texts = [reply for reply in replies if isinstance(reply, str)]
    if len(texts) == len(replies):
        return ";".join(texts)
    return b";".join(reply.encode() if isinstance(reply, str) else reply for reply in replies)
