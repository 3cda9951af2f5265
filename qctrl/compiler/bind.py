"""Turn parameter values into the words of a program's open slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qctrl.compiler import _kernels
from qctrl.errors import CompileError
from qctrl.protocol import Patch
from qctrl.units import phase_words

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from qctrl.compiler.program import CompiledProgram


def bind(program: CompiledProgram, values: ArrayLike) -> Patch:
    """Return the words for an array of bindings; binding equals compiling the bound circuit, bit for bit.

    Args:
        program: A compiled program.
        values: Parameter values in the order of ``program.parameters``, shape ``(*shape, n_parameters)``.

    Returns:
        One row of words per binding, in C order of ``shape``.

    Raises:
        CompileError: The shape is wrong, or a value or an angle is not finite.
        ResourceError: An angle is beyond the range of a phase.
    """
    columns = _checked(program, values)
    words = np.zeros((len(columns), len(program.expressions)), dtype=np.uint32)
    for number, expression in enumerate(program.expressions):
        angles_rad = expression.evaluate(columns)
        if not np.all(np.isfinite(angles_rad)):
            binding = int(np.argmin(np.isfinite(angles_rad)))
            raise CompileError(
                f"binding {binding}: angle {expression.text(program.parameters)} (postfix) is "
                f"{float(angles_rad[binding])}; it must be finite"
            )
        words[:, number] = phase_words(angles_rad)
    rows = program.rows
    out = np.zeros((len(columns), len(rows)), dtype=np.uint32)
    expression_of, previous = rows["expression"].astype(np.int64), rows["previous"].astype(np.int64)
    _kernels.sum_rows(words, expression_of, previous, out)
    out.flags.writeable = False
    return Patch(program.program.hash, out)


def _checked(program: CompiledProgram, values: ArrayLike) -> NDArray[np.float64]:
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
    columns = array.reshape(int(np.prod(array.shape[:-1])), n_parameters)
    if not np.all(np.isfinite(columns)):
        binding, parameter = np.argwhere(~np.isfinite(columns))[0].tolist()
        raise CompileError(
            f"binding {binding}: parameter {program.parameters[parameter]} is "
            f"{float(columns[binding, parameter])}; bind a finite number"
        )
    return columns
