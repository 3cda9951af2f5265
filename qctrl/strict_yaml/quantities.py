"""Numbers as people write them, ``4.913 GHz`` or ``24 ns``, turned into SI floats."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from pydantic import AfterValidator, BeforeValidator

from qctrl.strict_yaml.models import problem

SUFFIXES: dict[str, dict[str, Decimal]] = {
    "Hz": {name: Decimal(s) for name, s in (("Hz", "1"), ("kHz", "1e3"), ("MHz", "1e6"), ("GHz", "1e9"))},
    "s": {
        name: Decimal(scale)
        for name, scale in (("s", "1"), ("ms", "1e-3"), ("us", "1e-6"), ("µs", "1e-6"), ("ns", "1e-9"), ("ps", "1e-12"))
    },
    "V": {name: Decimal(scale) for name, scale in (("V", "1"), ("mV", "1e-3"), ("uV", "1e-6"))},
    "V/s": {name: Decimal(scale) for name, scale in (("V/s", "1"), ("V/us", "1e6"), ("V/ns", "1e9"))},
    "rad": {name: Decimal(scale) for name, scale in (("rad", "1"), ("mrad", "1e-3"))},
    "": {"%": Decimal("1e-2")},
}
"""Accepted suffixes by SI unit; exact powers of ten, so ``24 ns`` is the float ``2.4e-8``."""

_QUANTITY = re.compile(r"([-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?)\s*([A-Za-zµ%/]+)")
_SHOWN = 60


def parse_quantity(text: str, unit: str, *at: str) -> float:
    """Return ``text``, a number and a suffix, as an SI float.

    Args:
        text: For instance ``"4.913 GHz"``.
        unit: SI unit wanted: ``Hz``, ``s``, ``V``, ``rad``, or empty for a pure number.
        at: Where the text stands below the value being validated.

    Raises:
        PydanticCustomError: ``text`` is no number, or its suffix is none of this unit.
    """
    known = SUFFIXES[unit]
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or match[2] not in known:
        names = ", ".join(known)
        of_what = f"in {unit}" if unit else "without unit"
        raise problem(
            f"value {text[:_SHOWN]!r} is not a number {of_what}", f"write a plain number, or one with {names}", *at
        )
    return float(Decimal(match[1]) * known[match[2]])


def to_si(value: Any, unit: str, *at: str) -> float:
    """Return a number, or a text with a suffix, as a finite SI float.

    Args:
        value: What the file holds.
        unit: SI unit wanted, a key of ``SUFFIXES``.
        at: Where the number stands below the value being validated.

    Raises:
        PydanticCustomError: ``value`` is no finite number in this unit.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise problem(f"value {str(value)[:_SHOWN]} is not a number", f"write a number{_in(unit)}", *at)
    try:
        number_si = parse_quantity(value, unit, *at) if isinstance(value, str) else float(value)
    except OverflowError:
        number_si = math.inf
    if not math.isfinite(number_si):
        raise problem(f"value {str(value)[:_SHOWN]} is not finite", "write a measured number", *at)
    return number_si


def number(unit: str = "") -> BeforeValidator:
    """Return the validator that turns a field's input into an SI float of ``unit``."""

    def convert(value: Any) -> float:
        return to_si(value, unit)

    return BeforeValidator(convert)


def quantity(unit: str, wrap: type) -> BeforeValidator:
    """Return the validator that lifts a bare number into ``{value: ...}`` and reads its quantities.

    Args:
        unit: SI unit of ``value`` and ``unc``.
        wrap: The model so built; an instance of it passes unchanged.
    """

    def convert(value: Any) -> Any:
        if isinstance(value, wrap):
            return value
        if not isinstance(value, dict):
            return {"value": to_si(value, unit)}
        fields: dict[str, Any] = dict(value)
        for key in ("value", "unc"):
            if fields.get(key) is not None:
                fields[key] = to_si(fields[key], unit, key)
        return fields

    return BeforeValidator(convert)


def within(low: float, high: float, unit: str = "", *, of: Callable[[Any], float] = float) -> AfterValidator:
    """Return the validator that keeps a number in ``[low, high]``.

    Args:
        low: Smallest accepted value.
        high: Largest accepted value.
        unit: For the message.
        of: Takes the number out of the field's value.
    """

    def check(value: Any) -> Any:
        found = of(value)
        if not low <= found <= high:
            raise problem(
                f"value {found:g}{_tail(unit)} is outside [{low:g}, {high:g}]{_tail(unit)}",
                f"correct it; numbers are in {unit}" if unit else "correct it",
            )
        return value

    return AfterValidator(check)


def _in(unit: str) -> str:
    return f" in {unit}" if unit else ""


def _tail(unit: str) -> str:
    return f" {unit}" if unit else ""
