"""``Instrument``: what every emulated instrument has in common: SCPI headers, error queue, identity."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeAlias

from firmware_sim.scpi.message import Message

Reply: TypeAlias = str | bytes | None
_QUEUE_LENGTH: Final = 32
_QUEUE_BIT: Final = 1 << 2
_EVENT_BIT: Final = 1 << 5
"""Of the status byte (SCPI-99 volume 1, 9.2; IEEE 488.2, 11.2)."""
_UNLOCKED_BIT: Final = 1 << 5
"""Of the questionable status: frequency (SCPI-99 volume 1, 9.4)."""


class ScpiError(Exception):
    """An entry for the error queue."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Command:
    """A header that an instrument knows."""

    pattern: re.Pattern[str]
    act: Callable[..., Reply]


def command(header: str) -> Callable[[Callable[..., Reply]], Callable[..., Reply]]:
    """Mark a method as what a header does.

    Args:
        header: As manuals print it: capitals are the short form, ``[...]`` may be left out, ``<n>`` is a number, which
            the method gets before the parameters.
    """

    def mark(act: Callable[..., Reply]) -> Callable[..., Reply]:
        vars(act).setdefault("headers", []).append(header)
        return act

    return mark


def _compile(header: str) -> re.Pattern[str]:
    pattern = "".join(_piece(part) for part in re.findall(r"<n>|[A-Za-z*]+|[\[\]:?]|.", header))
    return re.compile(f":?{pattern}", re.IGNORECASE)


def _piece(part: str) -> str:
    if part == "<n>":
        return r"(\d*)"
    if part in "[]":
        return "(?:" if part == "[" else ")?"
    if not part.isalpha():
        return re.escape(part)
    short = "".join(letter for letter in part if not letter.islower())
    return short if short == part else f"(?:{part}|{short})"


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
        self._event_status = 0
        self._commands = [
            Command(_compile(header), getattr(part, name))
            for part in (self, *parts)
            for name in dir(type(part))
            for header in getattr(getattr(type(part), name), "headers", ())
        ]
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
            self.reset()

    def handle(self, message: Message) -> Reply:
        """Carry a message out; what is wrong with it goes into the error queue."""
        head, _, rest = message.text.partition(" ")
        with self.lock:
            for known in self._commands:
                found = known.pattern.fullmatch(head)
                if found is None:
                    continue
                numbers = [int(number) if number else 1 for number in found.groups()]
                parameters: list[Any] = _parameters(rest)
                if message.block is not None:
                    parameters = [p for p in parameters if p] + [message.block]
                try:
                    return known.act(*numbers, *parameters)
                except ScpiError as error:
                    self.push(error.code, str(error))
                except (TypeError, ValueError):
                    self.push(-104, f"Data type error;{message.text[:80]}")
                return None
            if message.text:
                self.push(-113, f"Undefined header;{head[:80]}")
            return None

    def push(self, code: int, text: str) -> None:
        """Add an entry to the error queue."""
        with self.lock:
            self._event_status |= {1: 0x20, 2: 0x10, 3: 0x08, 4: 0x04}.get(-code // 100, 0x08)
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

    @command("*CLS")
    def clear(self) -> None:
        """Empty the error queue."""
        self._errors.clear()
        self._event_status = 0

    @command("*RST")
    def restart(self) -> None:
        """Go back to the state after power-on; the error queue stays."""
        self.reset()

    @command("*ESR?")
    def event_status(self) -> str:
        """Return and clear the event status register."""
        status, self._event_status = self._event_status, 0
        return str(status)

    @command("*STB?")
    def status(self) -> str:
        """Return the status byte."""
        return str(self.status_byte())

    def status_byte(self) -> int:
        """Return the status byte: errors in the queue, events in the register."""
        return (_QUEUE_BIT if self._errors else 0) | (_EVENT_BIT if self._event_status else 0)

    @command("SYSTem:ERRor[:NEXT]?")
    def next_error(self) -> str:
        """Return and remove the oldest error."""
        code, text = self._errors.popleft() if self._errors else (0, "No error")
        return f'{code},"{text}"'

    @command("STATus:QUEStionable:CONDition?")
    def questionable(self) -> str:
        """Say whether the frequency is in doubt."""
        return str(0 if self.reference_locked else _UNLOCKED_BIT)


def _parameters(text: str) -> list[str]:
    if not text.strip():
        return []
    return [part.strip().strip('"') for part in re.findall(r'(?:"[^"]*"|[^,"])+|(?<=,)(?=,)', text.strip())]


def number(text: str, low: float, high: float) -> float:
    """Return a number in a range.

    Raises:
        ScpiError: It is no number, or out of the range.
    """
    try:
        value = float(text)
    except ValueError:
        raise ScpiError(-104, f"Data type error;{text[:40]}") from None
    if not low <= value <= high:
        raise ScpiError(-222, f"Data out of range;{text[:40]} is not in {low:g} to {high:g}")
    return value


def boolean(text: str) -> bool:
    """Return a switch.

    Raises:
        ScpiError: It is neither on nor off.
    """
    if text.upper() not in ("0", "1", "ON", "OFF"):
        raise ScpiError(-224, f"Illegal parameter value;{text[:40]}")
    return text.upper() in ("1", "ON")


def choice(text: str, *forms: str) -> str:
    """Return which of some words was given, in its short form, in capitals.

    Raises:
        ScpiError: None of them.
    """
    for form in forms:
        short = "".join(letter for letter in form if not letter.islower())
        if text.upper() in (form.upper(), short):
            return short
    raise ScpiError(-224, f"Illegal parameter value;{text[:40]}")
