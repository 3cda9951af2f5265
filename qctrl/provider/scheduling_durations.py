"""Constant durations of Qiskit's expressions, in exact ticks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from qiskit.circuit import Duration
from qiskit.circuit.classical import expr

from qctrl.errors import TimingError
from qctrl.units import exact_fraction

UNIT_S: Final = {
    "s": Fraction(1),
    "ms": Fraction(1, 10**3),
    "us": Fraction(1, 10**6),
    "ns": Fraction(1, 10**9),
    "ps": Fraction(1, 10**12),
}
"""Seconds per unit."""


def constant_ticks(duration: Any, tick_s: Fraction) -> Fraction | None:
    """Return the exact value of a duration expression in ticks; ``None`` if it has a stretch.

    Args:
        duration: A constant ``qiskit.circuit.classical.expr.Expr`` of type ``Duration``.
        tick_s: Tick in s.

    Raises:
        TimingError: The expression divides by zero, or uses what has no meaning for a duration.
    """
    if any(isinstance(each, expr.Stretch) for each in expr.iter_identifiers(duration)):
        return None
    try:
        return duration.accept(_Evaluator(tick_s))
    except ZeroDivisionError as error:
        raise TimingError(f"delay of {duration} divides by zero; give another duration") from error


class _Evaluator(expr.ExprVisitor[Fraction]):
    """Durations become ticks; their quotients, and bare numbers, are numbers."""

    def __init__(self, tick_s: Fraction) -> None:
        self._tick_s = tick_s

    def visit_value(self, node: Any, /) -> Fraction:
        value = node.value
        if not isinstance(value, Duration):
            return Fraction(value) if isinstance(value, int) else exact_fraction(value)
        unit, amount = value.unit(), value.value()
        return Fraction(amount) if unit == "dt" else exact_fraction(amount) * UNIT_S[unit] / self._tick_s

    def visit_binary(self, node: Any, /) -> Fraction:
        left, right = node.left.accept(self), node.right.accept(self)
        match node.op:
            case expr.Binary.Op.ADD:
                return left + right
            case expr.Binary.Op.SUB:
                return left - right
            case expr.Binary.Op.MUL:
                return left * right
            case expr.Binary.Op.DIV:
                return left / right
            case _:
                return self.visit_generic(node)

    def visit_cast(self, node: Any, /) -> Fraction:
        return node.operand.accept(self)

    def visit_generic(self, node: Any, /) -> Fraction:
        raise TimingError(f"duration {node} cannot be evaluated; use sums, differences, products and quotients")
