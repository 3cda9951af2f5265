"""The bounds of a fractional gate's angle, checked when parameters are bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qctrl.errors import CompileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.ir.expression import Expression

_SLACK_RAD: Final = 1e-9
"""Far below a step of any amplitude, far above the rounding of an angle that was computed."""


@dataclass(frozen=True, slots=True)
class AngleBound:
    """An angle that must stay in bounds, and the instruction that first has it."""

    expression: Expression
    low_rad: float
    high_rad: float
    source: int
    """Instruction of the circuit."""
    gate: str
    qubits: tuple[int, ...]

    def holds(self, angles_rad: Any) -> Any:
        """Return whether an angle, or each of an array, is in bounds; NaN is not."""
        return (angles_rad >= self.low_rad - _SLACK_RAD) & (angles_rad <= self.high_rad + _SLACK_RAD)

    def check(self, columns: NDArray[np.float64], parameters: tuple[str, ...] = ()) -> None:
        """Refuse parameter values that bring the angle out of bounds.

        Args:
            columns: Parameter values, shape ``(n_bindings, n_parameters)``.
            parameters: Their names.

        Raises:
            CompileError: An angle is out of bounds, or not a number.
        """
        angles_rad = self.expression.evaluate(columns)
        inside = self.holds(angles_rad)
        if inside.all():
            return
        binding = int(np.argmin(inside))
        names = sorted(self.expression.parameters)
        given = ", ".join(f"{parameters[index]} = {float(columns[binding, index])!r}" for index in names)
        where = f"instruction {self.source}: {self.gate} on qubits {self.qubits}"
        angle = f"angle {float(angles_rad[binding])!r} rad"
        limits = f"is out of bounds [{self.low_rad:.9g}, {self.high_rad:.9g}]"
        if given:
            text = f"binding {binding}: {where}: {angle} with {given} {limits}; bind another value"
        else:
            text = f"{where}: {angle} {limits}; transpile the circuit for this backend"
        raise CompileError(text, instruction=self.source, gate=self.gate, qubits=self.qubits)
