"""How long a delay or a box lasts: numbers with units, and Qiskit's expressions of durations and stretches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from qiskit.circuit import Duration
from qiskit.circuit.classical import expr

from qctrl.compiler.parameters import is_open, real
from qctrl.errors import TimingError, UnsupportedInstructionError
from qctrl.units import UNIT_S, exact_fraction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SLACK_TICKS: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Length:
    """A duration that is known but for its stretches."""

    ticks: Fraction
    shares: tuple[tuple[Any, Fraction], ...] = ()
    """Stretches, Qiskit's ``expr.Stretch``, each with its factor."""

    def at(self, values: Mapping[Any, Fraction]) -> Fraction:
        """Return the duration in ticks when the stretches have these values."""
        return self.ticks + sum((factor * values[stretch] for stretch, factor in self.shares), Fraction())


def length_of(duration: Any, unit: str, tick_s: Fraction) -> Length:
    """Return the length of a delay or a box.

    Args:
        duration: A number, or a constant expression of type ``Duration``.
        unit: ``dt``, ``s``, ``ms``, ``us``, ``ns`` or ``ps``; without meaning for an expression.
        tick_s: Tick in s.

    Raises:
        UnsupportedInstructionError: A parameter is open.
        TimingError: A number is not finite, or an expression divides by zero or has no meaning for a duration.
    """
    if isinstance(duration, expr.Expr):
        try:
            return duration.accept(_Evaluator(tick_s))
        except ZeroDivisionError as error:
            raise TimingError(f"duration {duration} divides by zero; give another one") from error
    if is_open(duration):
        raise UnsupportedInstructionError(
            f"duration {duration} depends on a parameter, which changes the structure of the program; bind it before "
            "running: SamplerV2 and EstimatorV2 compile one program per distinct value"
        )
    value = real(duration)
    if not math.isfinite(value):
        raise TimingError(f"duration {duration!r} {unit} must be finite; give another one")
    exact = Fraction(duration) if isinstance(duration, int) else exact_fraction(value)
    return Length(exact if unit == "dt" else exact * UNIT_S[unit] / tick_s)


def whole_ticks(ticks: Fraction, unit: str, tick_s: Fraction, step_ticks: int = 1) -> int:
    """Return a duration as a whole number of steps, in ticks.

    Args:
        ticks: The duration.
        unit: In which messages name what is allowed.
        tick_s: Tick in s.
        step_ticks: Length of a step.

    Raises:
        TimingError: It is negative, or no whole number of steps; the message names the nearest ones that are.
    """
    nearest = round(ticks / step_ticks) * step_ticks
    if ticks >= 0 and abs(ticks - nearest) <= _SLACK_TICKS:
        return nearest
    show = _shown_in(unit, tick_s)
    if ticks < 0:
        raise TimingError(f"duration of {show(ticks)} must be 0 or more; give another one")
    low = ticks // step_ticks * step_ticks
    grid = "ticks" if step_ticks == 1 else f"steps of {step_ticks} ticks"
    raise TimingError(
        f"duration of {show(ticks)} is {float(ticks / step_ticks):.6f} {grid} of {float(tick_s):g} s; it must be a "
        f"whole number: give {show(low)} or {show(low + step_ticks)}, or let transpile round it with "
        'scheduling_method="qctrl"'
    )


def _shown_in(unit: str, tick_s: Fraction) -> Callable[[Fraction | int], str]:
    if unit not in UNIT_S:
        return lambda ticks: f"{float(ticks):.12g} dt"
    return lambda ticks: f"{float(ticks * tick_s / UNIT_S[unit]):.12g} {unit}"


class _Evaluator(expr.ExprVisitor[Length]):
    """Durations become ticks; their quotients, and bare numbers, are numbers."""

    def __init__(self, tick_s: Fraction) -> None:
        self._tick_s = tick_s

    def visit_stretch(self, node: Any, /) -> Length:
        return Length(Fraction(), ((node, Fraction(1)),))

    def visit_value(self, node: Any, /) -> Length:
        value = node.value
        if not isinstance(value, Duration):
            return Length(Fraction(value) if isinstance(value, int) else exact_fraction(value))
        unit, amount = value.unit(), value.value()
        return Length(Fraction(amount) if unit == "dt" else exact_fraction(amount) * UNIT_S[unit] / self._tick_s)

    def visit_unary(self, node: Any, /) -> Length:
        if node.op is not expr.Unary.Op.NEGATE:
            return self.visit_generic(node)
        return _scaled(node.operand.accept(self), Fraction(-1))

    def visit_binary(self, node: Any, /) -> Length:
        left, right = node.left.accept(self), node.right.accept(self)
        match node.op:
            case expr.Binary.Op.ADD:
                return _sum(left, right)
            case expr.Binary.Op.SUB:
                return _sum(left, _scaled(right, Fraction(-1)))
            case expr.Binary.Op.MUL if not left.shares:
                return _scaled(right, left.ticks)
            case expr.Binary.Op.MUL if not right.shares:
                return _scaled(left, right.ticks)
            case expr.Binary.Op.DIV if not right.shares:
                return _scaled(left, 1 / right.ticks)
            case _:
                return self.visit_generic(node)

    def visit_cast(self, node: Any, /) -> Length:
        return node.operand.accept(self)

    def visit_generic(self, node: Any, /) -> Length:
        raise TimingError(
            f"duration {node} cannot be evaluated; use sums, differences, and products and quotients with numbers"
        )


def _scaled(length: Length, factor: Fraction) -> Length:
    shares = tuple((stretch, factor * share) for stretch, share in length.shares if factor)
    return Length(factor * length.ticks, shares)


def _sum(left: Length, right: Length) -> Length:
    shares = dict(left.shares)
    for stretch, share in right.shares:
        shares[stretch] = shares.get(stretch, Fraction()) + share
    return Length(left.ticks + right.ticks, tuple((stretch, share) for stretch, share in shares.items() if share))
