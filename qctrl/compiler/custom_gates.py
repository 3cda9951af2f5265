"""From a user's function to a ``CustomGate``: it is called once, with the parameters for numbers."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from qctrl.compiler.parameters import is_open, real, steps_of
from qctrl.errors import CompileError
from qctrl.ir.expression import Expression
from qctrl.pulse import Barrier, Capture, CustomGate, Delay, Play, SetFrequency, ShiftPhase
from qctrl.pulse.gate import map_quantities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from qctrl.ir.gate_program import GateSite
    from qctrl.pulse import Step

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STEPS: Final = (Barrier, Capture, Delay, Play, SetFrequency, ShiftPhase)


def make_gate(name: str, qubits: Sequence[int], params: Sequence[Any], pulses: Callable[..., object]) -> CustomGate:
    """Return a custom gate.

    Args:
        name: Name of the instruction.
        qubits: Qubits of the device that it acts on, in order.
        params: Parameters of the instruction, Qiskit's ``Parameter``.
        pulses: Called with ``params``; returns a list of steps.

    Raises:
        CompileError: An argument is not usable, or a step depends on another parameter.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance] users may err
        raise CompileError(f"gate name {name!r}: use letters, digits and _, beginning with a letter")
    on = tuple(qubits)
    if not on or len(set(on)) < len(on) or not all(isinstance(qubit, int) and qubit >= 0 for qubit in on):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise CompileError(f"gate {name}: qubits {list(on)}; give one or more different qubit indices, as [0]")
    by_parameter = {parameter: index for index, parameter in enumerate(params)}
    if len(by_parameter) < len(params) or not all(hasattr(each, "name") and is_open(each) for each in params):
        raise CompileError(f"gate {name}: params {list(params)}; give a list of different Parameter objects")
    found = pulses(*params)
    if not isinstance(found, list | tuple) or not all(isinstance(step, _STEPS) for step in cast("list[Any]", found)):
        raise CompileError(
            f"gate {name}: pulses returned {found!r}; return a list of steps: play, capture, delay, barrier, "
            "shift_phase or set_frequency"
        )
    steps = [_closed(name, step, by_parameter) for step in cast("list[Step]", found)]
    return CustomGate(name, on, tuple(str(each.name) for each in params), tuple(steps))


@lru_cache(maxsize=256)
def structural_parameters(gate: CustomGate) -> frozenset[int]:
    """Return which arguments of a gate change the structure of a program: those in durations and envelopes."""
    found: set[int] = set()
    for step in gate.steps:
        quantities: list[Any] = []
        if isinstance(step, Play):
            quantities = [step.waveform.duration, *(value for _, value in step.waveform.parameters)]
        elif isinstance(step, Capture | Delay):
            quantities = [step.duration]
        for value in quantities:
            found |= value.parameters if isinstance(value, Expression) else frozenset()
    return frozenset(found)


def structural_arguments(sites: Iterable[GateSite]) -> tuple[str, ...]:
    """Return, in words, the arguments of custom gates for whose values a program is compiled."""
    found: dict[str, None] = {}
    for site in sites:
        if site.custom is not None:
            for index in sorted(structural_parameters(site.custom)):
                name, value = site.custom.parameters[index], site.arguments[index]
                found[f"{site.name} on qubits {site.qubits}: {name} = {value!r}"] = None
    return tuple(found)


def gate_arguments(
    gate: CustomGate, values: Sequence[Any], by_parameter: Mapping[Any, int], where: str
) -> tuple[float | Expression, ...]:
    """Return the arguments of an instruction: numbers, or expressions of the circuit's parameters.

    Args:
        gate: The gate.
        values: ``params`` of the instruction.
        by_parameter: Index of each parameter of the circuit.
        where: The instruction, for messages.

    Raises:
        CompileError: There are too many or too few, one is not finite, or an operation is not supported.
    """
    if len(values) != len(gate.parameters):
        expected = ", ".join(gate.parameters) or "none"
        raise CompileError(f"{where}: {len(values)} arguments, it takes {len(gate.parameters)}: {expected}")
    found: list[float | Expression] = []
    for name, value in zip(gate.parameters, values, strict=True):
        if not is_open(value):
            number = real(value)
            if not math.isfinite(number):
                raise CompileError(f"{where}: argument {name} is {value!r}; bind a finite number")
            found.append(number)
            continue
        steps = steps_of(value, by_parameter)
        if isinstance(steps, str):
            raise CompileError(f"{where}: operation {steps} in {name} = {value} is not supported; bind it first")
        found.append(Expression(steps))
    return tuple(found)


def _closed(name: str, step: Step, by_parameter: Mapping[Any, int]) -> Step:
    def convert(value: Any) -> float | Expression:
        if not is_open(value):
            return float(value)
        try:
            steps = steps_of(value, by_parameter)
        except KeyError as error:
            known = ", ".join(str(each) for each in by_parameter) or "none"
            raise CompileError(
                f"gate {name}: {value} depends on parameter {error.args[0]}, its params are {known}; add it to params"
            ) from error
        if isinstance(steps, str):
            raise CompileError(f"gate {name}: operation {steps} in {value} is not supported; use another form")
        return Expression(steps)

    return map_quantities(step, convert)
