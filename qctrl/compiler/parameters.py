"""Qiskit's parameter expressions in our own form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from qiskit.circuit import Parameter, ParameterExpression

from qctrl.ir.expression import BINARY, UNARY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qctrl.ir.expression import Step


def is_open(value: object) -> bool:
    """Return whether a value is an expression with free parameters."""
    return isinstance(value, ParameterExpression) and bool(cast("Any", value).parameters)


def steps_of(value: Any, by_parameter: Mapping[Any, int]) -> tuple[Step, ...] | str:
    """Return an open expression in postfix order, or the name of an operation that is not supported.

    Args:
        value: A parameter, or an expression of parameters.
        by_parameter: Index of each parameter.

    Raises:
        KeyError: It depends on another parameter.
    """
    if isinstance(value, Parameter):
        return (("parameter", by_parameter[value]),)
    steps: list[Step] = []
    # The only public-enough record of an expression's operations; QPY is built on it.
    for entry in value._qpy_replay:  # noqa: SLF001
        name = str(getattr(entry, "op", "")).rpartition(".")[2].lower()
        if name not in UNARY and name not in BINARY:
            return name
        steps += [_operand(item, by_parameter) for item in (entry.lhs, entry.rhs) if item is not None]
        steps.append((name, 0))
    return tuple(steps)


def real(value: object) -> float:
    """Return a number as a float; NaN if it is not real.

    A zero has no sign: what compares equal must be compiled equally.
    """
    number = complex(cast("complex", value))
    return number.real + 0.0 if number.imag == 0 else math.nan


def _operand(item: object, by_parameter: Mapping[Any, int]) -> Step:
    if isinstance(item, Parameter):
        return ("parameter", by_parameter[item])
    return ("constant", real(item))
