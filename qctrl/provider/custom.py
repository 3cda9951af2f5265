"""Gates of the user's own, in the backend and in its ``Target``."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

from qiskit import QuantumCircuit
from qiskit.circuit import ControlFlowOp, Instruction, Parameter, get_control_flow_name_mapping
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import InstructionProperties, Target

from qctrl.calibration import Calibration
from qctrl.compiler import check_gate, structural_parameters
from qctrl.errors import CompileError
from qctrl.protocol import Setup
from qctrl.pulse import CustomGate, CustomGates

NO_CUSTOM_GATES: Final[CustomGates] = MappingProxyType({})
_RESERVED: Final = frozenset({"barrier", "box", "global_phase", "initialize", "snapshot", "unitary"})


def with_custom_gate(gates: CustomGates, gate: CustomGate, target: Target) -> CustomGates:
    """Return custom gates with one more.

    Args:
        gates: Those that the backend has.
        gate: The new one.
        target: What the device can do, custom gates included.

    Raises:
        CompileError: The name is taken, or the gate differs in form from others of its name.
    """
    name, others = gate.name, [each for each in gates.values() if each.name == gate.name]
    if (gate.name, gate.qubits) in gates:
        raise CompileError(
            f"the backend already has a custom gate {name} on qubits {gate.qubits}; choose another name, or begin "
            "with the backend without it"
        )
    known = set(target.operation_names) | get_standard_gate_name_mapping().keys() | _RESERVED
    if not others and name in known:
        raise CompileError(f"{name!r} is an operation of the device or of Qiskit; choose another name, as 'my_{name}'")
    form = (len(gate.qubits), len(gate.parameters), gate.n_captures)
    for other in others:
        theirs = (len(other.qubits), len(other.parameters), other.n_captures)
        if form != theirs:
            raise CompileError(
                f"custom gate {name} has {form[0]} qubits, {form[1]} parameters and {form[2]} captures, on qubits "
                f"{other.qubits} it has {theirs[0]}, {theirs[1]} and {theirs[2]}; choose another name"
            )
    return MappingProxyType({**gates, (name, gate.qubits): gate})


def add_custom_gates(target: Target, gates: CustomGates, calibration: Calibration, setup: Setup) -> None:
    """Add custom gates to a ``Target``, as instructions: an opaque ``Gate`` would be synthesised, and fail.

    Args:
        target: Changed in place.
        gates: What to add.
        calibration: For the durations.
        setup: The rack.
    """
    placed: dict[str, dict[tuple[int, ...], InstructionProperties]] = {}
    forms: dict[str, CustomGate] = {}
    for gate in gates.values():
        ticks = check_gate(gate, calibration, setup)
        duration_s = None if ticks is None else float(ticks * calibration.dt_s)
        placed.setdefault(gate.name, {})[gate.qubits] = InstructionProperties(duration=duration_s)
        forms[gate.name] = gate
    for name, properties in placed.items():
        gate = forms[name]
        params = [Parameter(each) for each in gate.parameters]
        target.add_instruction(Instruction(name, len(gate.qubits), gate.n_captures, params), properties)


def structural_of(circuit: QuantumCircuit, gates: CustomGates) -> dict[Any, str]:
    """Return the parameters of a circuit whose values change what is played when, each with the first reason.

    Those are parameters in lengths of delays, and in durations and envelopes of custom gates.

    Args:
        circuit: An ISA circuit.
        gates: Custom gates of its backend.
    """
    walked = {"delay", *get_control_flow_name_mapping(), *(name for name, _ in gates)}
    if circuit.num_parameters == 0 or walked.isdisjoint(circuit.count_ops()):
        return {}
    by_gate = {
        key: {index: gate.parameters[index] for index in structural_parameters(gate)} for key, gate in gates.items()
    }
    qubits = {qubit: index for index, qubit in enumerate(circuit.qubits)}
    found: dict[Any, str] = {}
    for expression, why in _structural(circuit, qubits, by_gate):
        for parameter in sorted(getattr(expression, "parameters", ()), key=lambda each: each.name):
            found.setdefault(parameter, why)
    # Parameters of loops are unrolled: nobody binds them.
    return {parameter: found[parameter] for parameter in circuit.parameters if parameter in found}


def _structural(
    circuit: Any, qubits: dict[Any, int], by_gate: dict[tuple[str, tuple[int, ...]], dict[int, str]]
) -> Iterator[tuple[Any, str]]:
    """Yield each number that changes the structure, and what it is."""
    for instruction in circuit.data:
        name, on = instruction.name, tuple(qubits[qubit] for qubit in instruction.qubits)
        if name == "delay":
            yield instruction.operation.params[0], f"length of the delay on qubits {on}"
            continue
        for index, argument in by_gate.get((name, on), {}).items():
            yield (
                instruction.operation.params[index],
                f"{argument} of {name} on qubits {on}, in a length or an envelope",
            )
        if isinstance(instruction.operation, ControlFlowOp):
            for block in instruction.operation.blocks:
                yield from _structural(block, dict(zip(block.qubits, on, strict=True)), by_gate)
