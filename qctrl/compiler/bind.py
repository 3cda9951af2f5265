"""Turn parameter values into the words of a program's open slots."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.compiler import _bind_kernels
from qctrl.compiler.identity_cache import IdentityCache
from qctrl.errors import CompileError, ResourceError
from qctrl.protocol import Patch
from qctrl.units import phase_words

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from qctrl.compiler.program import CompiledProgram
    from qctrl.ir.expression import Expression


def bind(program: CompiledProgram, values: ArrayLike) -> Patch:
    """Return the words for an array of bindings; binding equals compiling the bound circuit, bit for bit.

    Args:
        program: A compiled program.
        values: Parameter values in the order of ``program.parameters``, shape ``(*shape, n_parameters)``.

    Returns:
        One row of words per binding, in C order of ``shape``.

    Raises:
        CompileError: The shape is wrong, a value or an angle is not finite, or an angle is out of its gate's bounds.
        ResourceError: An angle is beyond the range of a phase, or an amplitude or a frequency beyond the rack's.
    """
    plan = _PLANS.get((program.rows, program.expressions), lambda: _plan(program))
    columns = _checked(program, values, plan)
    for angle in program.angles:
        angle.check(columns, program.parameters)
    angles_rad = columns if plan.computed is None else _angles(program, columns, plan.computed)
    words = np.empty((len(columns), len(plan.column)), dtype=np.uint32)
    if _bind_kernels.bind_rows(angles_rad, plan.column, plan.previous, words) >= 0:
        _refuse(program, columns)
    if program.values:
        behind = [value.words(columns, program.parameters)[:, None] for value in program.values]
        words = np.concatenate([words, *behind], axis=1)
        for bound in program.bounds:
            bound.check(words[:, len(plan.column) :])
    words.flags.writeable = False
    return Patch(program.program.hash, words)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """How the rows of a program follow from its parameters."""

    column: NDArray[np.int64]
    """Column of each row's angle: a parameter, or behind the parameters what ``computed`` says."""
    previous: NDArray[np.int64]
    computed: tuple[Expression, ...] | None
    """Expressions that are not simply a parameter; ``None`` if there are none."""
    checks_all: bool
    """Whether every parameter is some row's angle, so that the kernel sees all values."""


_PLANS: Final[IdentityCache[_Plan]] = IdentityCache(64)


def _plan(program: CompiledProgram) -> _Plan:
    n_parameters = len(program.parameters)
    computed: list[Expression] = []
    columns: list[int] = []
    of_rows = program.rows["expression"].tolist()
    of_phases = set(of_rows)
    for number, expression in enumerate(program.expressions):
        name, value = expression.steps[0]
        if number not in of_phases:
            columns.append(0)
        elif name == "parameter" and len(expression.steps) == 1:
            columns.append(int(value))
        else:
            columns.append(n_parameters + len(computed))
            computed.append(expression)
    columns.append(0)  # of row 0, whose expression is -1
    of_row = [columns[number] for number in of_rows]
    plan = _Plan(
        column=np.array(of_row, dtype=np.int64),
        previous=program.rows["previous"].astype(np.int64),
        computed=tuple(computed) or None,
        checks_all=len(set(of_row[1:])) == n_parameters and not computed,
    )
    for column in (plan.column, plan.previous):
        column.flags.writeable = False
    return plan


def _angles(
    program: CompiledProgram, columns: NDArray[np.float64], computed: tuple[Expression, ...]
) -> NDArray[np.float64]:
    n_parameters = len(program.parameters)
    angles_rad = np.empty((len(columns), n_parameters + len(computed)), dtype=np.float64)
    angles_rad[:, :n_parameters] = columns
    for number, expression in enumerate(computed):
        angles_rad[:, n_parameters + number] = expression.evaluate(columns)
    angles_rad.setflags(write=False)
    return angles_rad


def _refuse(program: CompiledProgram, columns: NDArray[np.float64]) -> None:
    """Say which value or angle is beyond the range of a phase.

    Raises:
        CompileError: A value or an angle is not finite.
        ResourceError: An angle is beyond the range of a phase.
    """
    _check_finite(program, columns)
    for number in np.unique(program.rows["expression"][1:]).tolist():
        expression = program.expressions[number]
        angles_rad = expression.evaluate(columns)
        if not np.all(np.isfinite(angles_rad)):
            binding = int(np.argmin(np.isfinite(angles_rad)))
            raise CompileError(
                f"binding {binding}: angle {expression.text(program.parameters)} (postfix) is "
                f"{float(angles_rad[binding])}; it must be finite"
            )
        try:
            phase_words(angles_rad)
        except ResourceError as error:
            binding = int(np.argmax(np.abs(angles_rad)))
            raise ResourceError(
                f"binding {binding}: angle {expression.text(program.parameters)} (postfix) is "
                f"{float(angles_rad[binding]):g}: {error}"
            ) from error


def _checked(program: CompiledProgram, values: ArrayLike, plan: _Plan) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise CompileError(f"parameter values are not an array of real numbers: {error}") from error
    n_parameters = len(program.parameters)
    if array.ndim == 0 or array.shape[-1] != n_parameters:
        raise CompileError(
            f"parameter values have shape {array.shape}; the last axis must have {n_parameters} entries, for "
            f"{', '.join(program.parameters) or 'no parameters'}"
        )
    columns = np.ascontiguousarray(array).reshape(math.prod(array.shape[:-1]), n_parameters)
    if not plan.checks_all:
        _check_finite(program, columns)
    # One signature of the kernel: a read-only array, as callers may give, would be compiled for anew.
    columns = columns.view()
    columns.setflags(write=False)
    return columns


def _check_finite(program: CompiledProgram, columns: NDArray[np.float64]) -> None:
    if not np.all(np.isfinite(columns)):
        binding, parameter = np.argwhere(~np.isfinite(columns))[0].tolist()
        raise CompileError(
            f"binding {binding}: parameter {program.parameters[parameter]} is "
            f"{float(columns[binding, parameter])}; bind a finite number"
        )
