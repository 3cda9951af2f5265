"""Read the angles of fractional gates: numbers are checked at once, open ones when they are bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qctrl.compiler.parameters import is_open, real, steps_of
from qctrl.errors import UnsupportedInstructionError
from qctrl.ir.angle_bound import AngleBound
from qctrl.ir.expression import Expression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NO_VALUES: Final = np.empty((1, 0))


class Angles:
    """Reads the angles of one circuit's gates, and collects the bounds of those that are open.

    Args:
        bounds: Lowest and highest angle of the gates that have such, by name and qubits.
        by_parameter: Index of each parameter of the circuit.
    """

    def __init__(
        self, bounds: Mapping[tuple[str, tuple[int, ...]], tuple[float, float]], by_parameter: Mapping[Any, int]
    ) -> None:
        self._bounds_of = bounds
        self.by_parameter = by_parameter
        self._bounds: dict[tuple[Expression, float, float], AngleBound] = {}

    @property
    def bounds(self) -> tuple[AngleBound, ...]:
        """What binding must check, one for every open angle and its bounds."""
        return tuple(self._bounds.values())

    def read(
        self, index: int, name: str, qubits: tuple[int, ...], params: Sequence[Any]
    ) -> tuple[float | Expression, ...]:
        """Return the arguments of a gate: its angle, or nothing if it has none.

        Args:
            index: Instruction of the circuit.
            name: Name of a gate that the calibration has on these qubits.
            qubits: Its qubits.
            params: Parameters of the instruction.

        Raises:
            UnsupportedInstructionError: It takes another number of angles, or an operation is not supported.
            CompileError: The angle is a number out of bounds.
        """
        bounds = self._bounds_of.get((name, qubits))
        takes = 0 if bounds is None else 1
        if len(params) != takes:
            what = "no parameter" if bounds is None else "one angle"
            raise _unsupported(index, name, qubits, f"it takes {what}, not {len(params)}; transpile with this backend")
        if bounds is None:
            return ()
        angle = params[0]
        if not is_open(angle):
            number = real(angle)
            bound = AngleBound(Expression((("constant", number),)), *bounds, index, name, qubits)
            if not bound.holds(number):
                bound.check(_NO_VALUES)
            return (number,)
        steps = steps_of(angle, self.by_parameter)
        if isinstance(steps, str):
            raise _unsupported(
                index, name, qubits, f"operation {steps} in angle {angle} is not supported; bind it first"
            )
        expression = Expression(steps)
        self._bounds.setdefault((expression, *bounds), AngleBound(expression, *bounds, index, name, qubits))
        return (expression,)


def _unsupported(index: int, name: str, qubits: tuple[int, ...], why: str) -> UnsupportedInstructionError:
    return UnsupportedInstructionError(
        f"instruction {index}: {name} on qubits {qubits}: {why}", instruction=index, gate=name, qubits=qubits
    )
