"""Measured numbers: a value with its uncertainty, time, source and method."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from qctrl.strict_yaml import StrictModel, number, problem, quantity, within

Method = Literal["irb", "rb", "xeb", "qpt", "fit", "manual", "simulated"]

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
"""Name of a device, qubit or group; without ``-``, which joins the qubits of an edge."""
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]*$", max_length=128)]
"""Label of a run, a snapshot or an author."""
PortName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*\.(drive|flux|readout|acquire)$", max_length=64)]


def _check_timestamp(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() != UTC.utcoffset(None):
        raise problem(f"value {text[:40]!r} is not a UTC time", 'write it as "2026-11-22T20:11:04Z"')
    return text


Timestamp = Annotated[str, AfterValidator(_check_timestamp)]
"""RFC 3339 in UTC, kept as text so that a file round-trips byte for byte."""

Seconds = Annotated[float, number("s"), within(0, 1e3, "s")]
NonNegative = Annotated[float, number(), Field(ge=0)]
Radians = Annotated[float, number("rad"), within(-1e3, 1e3, "rad")]


def _check_bounds(bounds: tuple[float, ...]) -> tuple[float, ...]:
    low, high = bounds
    if not low <= 0 <= high or low == high:
        raise problem(f"bounds [{low:g}, {high:g}] do not hold 0 and more", "write the lowest, then the highest angle")
    return bounds


AngleBounds = Annotated[tuple[Radians, Radians], Field(strict=False), AfterValidator(_check_bounds)]
"""Lowest and highest angle of a fractional gate, both included, in rad."""


class Value(StrictModel):
    """A number and where it comes from; a bare number in the file has none of the rest."""

    value: Annotated[float, number()]
    unc: NonNegative | None = None
    """One standard deviation, in the unit of ``value``."""
    at: Timestamp | None = None
    by: Label | None = None
    """Run that measured it."""
    ttl: Annotated[float, number("s"), within(0, 1e9, "s")] | None = None
    """Time to live in s; overrides ``validity``."""
    method: Method | None = None


Row = Annotated[tuple[Annotated[float, number()], ...], Field(strict=False)]
Matrix = Annotated[tuple[Row, ...], Field(strict=False)]


class MatrixValue(StrictModel):
    """A matrix and where it comes from."""

    value: Matrix
    unc: NonNegative | None = None
    at: Timestamp | None = None
    by: Label | None = None
    ttl: Annotated[float, number("s"), within(0, 1e9, "s")] | None = None
    method: Method | None = None


def _lift_matrix(value: Any) -> Any:
    return {"value": value} if isinstance(value, tuple | list) else value


AnyMatrix = Annotated[MatrixValue, BeforeValidator(_lift_matrix)]
"""A bare matrix, as rows, or a ``MatrixValue``."""


def _number_of(value: Value) -> float:
    return value.value


# The ranges catch slips of unit (4.913 for 4.913 GHz, 24 for 24 ns), not bad devices.
Number = Annotated[Value, quantity("", Value)]
Frequency = Annotated[Value, quantity("Hz", Value), within(1e8, 5e10, "Hz", of=_number_of)]
Shift = Annotated[Value, quantity("Hz", Value), within(-5e9, 5e9, "Hz", of=_number_of)]
"""A difference of frequencies: anharmonicity, chi, ZZ."""
Lifetime = Annotated[Value, quantity("s", Value), within(1e-9, 10, "s", of=_number_of)]
Angle = Annotated[Value, quantity("rad", Value), within(-1e3, 1e3, "rad", of=_number_of)]
Amplitude = Annotated[Value, quantity("", Value), within(-1, 1, of=_number_of)]
"""Fraction of the port's full scale."""
Probability = Annotated[Value, quantity("", Value), within(0, 1, of=_number_of)]
Beta = Annotated[Value, quantity("s", Value), within(-1e-6, 1e-6, "s", of=_number_of)]
"""Coefficient of the derivative in a DRAG pulse, in s."""
