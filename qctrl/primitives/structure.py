"""Parameters that change what is played when: one circuit for each of their distinct values.

A delay whose length is a parameter moves everything behind it, so words cannot express it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ControlFlowOp, Delay, ParameterExpression

from qctrl.errors import TimingError

_SLACK_DT: Final = 1e-6


def split_by_structure(
    circuit: QuantumCircuit, values: NDArray[np.float64], structural: Collection[Any]
) -> list[tuple[QuantumCircuit, NDArray[np.float64], list[int]]]:
    """Return one circuit per distinct set of values that changes the structure.

    Args:
        circuit: An ISA circuit.
        values: Shape ``(n_bindings, n_parameters)``, in the order of ``circuit.parameters``.
        structural: The parameters that change the structure.

    Returns:
        Each circuit with the values of its other parameters, and the bindings that it stands for.

    Raises:
        TimingError: A value is not finite, or a delay in units of dt comes out fractional.
    """
    if len(values) == 0:
        return []
    if not structural:
        return [(circuit, values, list(range(len(values))))]
    parameters = list(circuit.parameters)
    columns = [column for column, parameter in enumerate(parameters) if parameter in structural]
    others = [column for column in range(len(parameters)) if column not in columns]
    wrong = np.argwhere(~np.isfinite(values[:, columns]))
    if len(wrong):
        row, column = int(wrong[0][0]), columns[int(wrong[0][1])]
        raise TimingError(
            f"binding {row}: parameter {parameters[column].name} is {values[row, column]}, on which a length depends; "
            "bind a finite number"
        )
    groups: dict[tuple[float, ...], list[int]] = {}
    for row, chosen in enumerate(values[:, columns]):
        groups.setdefault(tuple(chosen.tolist()), []).append(row)
    return [
        (
            _bound(circuit, {parameters[column]: value for column, value in zip(columns, chosen, strict=True)}),
            values[np.ix_(rows, others)],
            rows,
        )
        for chosen, rows in groups.items()
    ]


def _bound(circuit: QuantumCircuit, values: Mapping[Any, float]) -> QuantumCircuit:
    """Return the circuit with these parameters bound, all that delays depend on among them."""
    bound = _with_delays(circuit, values)
    return bound.assign_parameters({known: value for known, value in values.items() if known in bound.parameters})


def _with_delays(circuit: QuantumCircuit, values: Mapping[Any, float]) -> QuantumCircuit:
    """Return the circuit with its open delays bound, those in control flow too.

    Qiskit's own binding refuses every float in dt, whole ones too, and transpiling may make dt of all units.
    """
    made = circuit.copy_empty_like()
    for instruction in circuit.data:
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            operation = operation.replace_blocks([_with_delays(block, values) for block in operation.blocks])
        elif instruction.name == "delay" and isinstance(operation.params[0], ParameterExpression):
            operation = Delay(_length(operation, values), operation.unit)
        made.append(instruction.replace(operation=operation))
    return made


def _length(delay: Delay, values: Mapping[Any, float]) -> Any:
    """Return the length of a delay; it stays open where it depends on the parameter of a loop around it."""
    expression: Any = delay.params[0]
    used = {known: values[known] for known in expression.parameters if known in values}
    if len(used) < len(expression.parameters):
        return expression.bind(used)
    length = float(expression.bind(used).numeric())
    return _whole(length, used) if delay.unit == "dt" else length


def _whole(length: float, used: Mapping[Any, float]) -> int:
    nearest = round(length)
    if not abs(length - nearest) <= _SLACK_DT:
        given = ", ".join(f"{parameter.name} = {value!r}" for parameter, value in used.items())
        low = math.floor(length)
        raise TimingError(
            f"a delay comes out as {length:g} dt with {given}; the nearest are {low} and {low + 1} dt, choose values "
            "that give whole dt"
        )
    return nearest
