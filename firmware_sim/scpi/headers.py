"""Program messages in the syntax of SCPI-99, volume 1, chapters 5 to 7: headers, compounds, parameters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

Reply: TypeAlias = str | bytes | None
_Act = TypeVar("_Act", bound=Callable[..., Reply])
_UNITS: Final = re.compile(r"""(?:"[^"]*"|'[^']*'|[^;"']|["'].*)+""")
_PARAMETERS: Final = re.compile(r"""(?:"[^"]*"|'[^']*'|[^,"'])+|(?<=,)(?=,|$)""")
_NUMBER: Final = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?)\s*(|[GMKUN]|MA)(|HZ|V|VPP|V/S|A|S|S/S|DBM|OHM|DEG|PCT|BIT)",
    re.IGNORECASE,
)
_PREFIXES: Final = {"": 1.0, "G": 1e9, "MA": 1e6, "K": 1e3, "M": 1e-3, "U": 1e-6, "N": 1e-9}


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
    signature: inspect.Signature

    def run(self, numbers: list[int], text: str, block: bytearray | None) -> Reply:
        """Carry it out.

        Args:
            numbers: Of its header.
            text: What follows the header.
            block: A block that is the last parameter.

        Raises:
            ScpiError: The parameters are too many, too few or of another kind, or what they ask for is not possible.
        """
        wanted = list(self.signature.parameters.values())
        takes_block = bool(wanted) and wanted[-1].annotation == "bytearray"
        if block is not None and not takes_block:
            raise ScpiError(-168, "Block data not allowed")
        given: list[Any] = [*numbers, *parameters(text if block is None else text.rstrip().removesuffix(","))]
        if block is not None:
            given.append(block)
        elif takes_block and len(given) == len(wanted):
            raise ScpiError(-104, "Data type error;a block is needed")
        open_ended = any(one.kind is one.VAR_POSITIONAL for one in wanted)
        if len(given) > len(wanted) and not open_ended:
            raise ScpiError(-108, "Parameter not allowed")
        if len(given) < sum(one.default is one.empty and one.kind is not one.VAR_POSITIONAL for one in wanted):
            raise ScpiError(-109, "Missing parameter")
        return self.act(*given)


def command(header: str) -> Callable[[_Act], _Act]:
    """Mark a method as what a header does.

    Args:
        header: As manuals print it: capitals are the short form, ``[...]`` may be left out, ``<n>`` is a number, which
            the method gets before the parameters.
    """

    def mark(act: _Act) -> _Act:
        vars(act).setdefault("headers", []).append(header)
        return act

    return mark


def commands_of(*parts: object) -> list[Command]:
    """Return what the marked methods of some objects do, in the order of the objects."""
    return [
        Command(_compile(header), act, inspect.signature(act))
        for part in parts
        for name in dir(type(part))
        for header in getattr(getattr(type(part), name), "headers", ())
        for act in (getattr(part, name),)
    ]


def units(text: str) -> list[tuple[str, str]]:
    """Return header and parameters of each command of a message.

    A header after ``;`` goes on where the one before ended, unless it begins with ``:`` or ``*``.
    """
    found: list[tuple[str, str]] = []
    path = ""
    for unit in _UNITS.findall(text):
        head, *rest = unit.split(None, 1) or [""]
        if not head.startswith("*"):
            head = head[1:] if head.startswith(":") else path + head
            path = head[: head.rfind(":") + 1]
        if head:
            found.append((head, "".join(rest)))
    return found


def parameters(text: str) -> list[str]:
    """Return the parameters of a command; strings lose their quotes."""
    return [part.strip().strip("\"'") for part in _PARAMETERS.findall(text.strip())]


def number(text: str, low: float, high: float) -> float:
    """Return a number in a range; it may have a unit with its prefix, or be ``MIN`` or ``MAX``.

    Raises:
        ScpiError: It is no number, has no unit that is known, or is out of the range.
    """
    if text.upper() in ("MIN", "MINIMUM", "MAX", "MAXIMUM"):
        return low if text.upper().startswith("MIN") else high
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise ScpiError(-104, f"Data type error;{text[:40]}")
    prefix, unit = found[2].upper(), found[3].upper()
    if prefix == "M" and unit == "HZ":  # SCPI-99 volume 1, 7.5: MHZ is mega, alone among the units with an M
        prefix = "MA"
    value = float(found[1]) * _PREFIXES[prefix]
    if not low <= value <= high:
        raise ScpiError(-222, f"Data out of range;{text[:40]} is not in {low:g} to {high:g}")
    return value


def whole(text: str, low: int, high: int) -> int:
    """Return a whole number in a range, the nearest one.

    Raises:
        ScpiError: It is no number, or out of the range.
    """
    return round(number(text, low, high))


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
        if text.upper() in (form.upper(), _short(form)):
            return _short(form)
    raise ScpiError(-224, f"Illegal parameter value;{text[:40]}")


def _short(form: str) -> str:
    return "".join(letter for letter in form if not letter.islower())


def _compile(header: str) -> re.Pattern[str]:
    pieces = re.findall(r"<n>|[A-Za-z]+|.", header)
    return re.compile("".join(_piece(piece) for piece in pieces), re.IGNORECASE)


def _piece(part: str) -> str:
    if part == "<n>":
        return r"(\d*)"
    if part in "[]":
        return "(?:" if part == "[" else ")?"
    if not part.isalpha():
        return re.escape(part)
    return part if _short(part) == part else f"(?:{part}|{_short(part)})"
