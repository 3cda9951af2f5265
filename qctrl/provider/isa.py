"""The early answer to "can this circuit run here?", before a job exists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qctrl.errors import ResourceError, UnsupportedInstructionError

_REMEDY = "transpile first: generate_preset_pass_manager(optimization_level=1, backend=backend).run(circuit)"
# Directives carry no operation, so no Target lists them.
_DIRECTIVES = frozenset({"barrier"})


def check_isa(circuit: QuantumCircuit, target: Target, *, device: str) -> None:
    """Refuse a circuit that the device cannot run as it stands.

    Args:
        circuit: The circuit; qubit ``k`` is the device's qubit ``k``.
        target: What the device can do.
        device: Name of the device, for the message.

    Raises:
        ResourceError: The circuit has more qubits than the device.
        UnsupportedInstructionError: The device lacks an instruction on its qubits.
    """
    have = target.num_qubits or 0
    if circuit.num_qubits > have:
        raise ResourceError(f"the circuit has {circuit.num_qubits} qubits, {device} has {have}; {_too_many(have)}")
    qubits = {qubit: index for index, qubit in enumerate(circuit.qubits)}
    _check(circuit.data, qubits, (_Supported(target), device), "")


def _too_many(have: int) -> str:
    return f"use at most {have} qubits or a larger device"


class _Supported:
    """Remembers what the Target answered: circuits repeat few (name, qubits) pairs."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._answers: dict[tuple[str, tuple[int, ...]], bool] = {}

    def __call__(self, name: str, qargs: tuple[int, ...]) -> bool:
        key = (name, qargs)
        if key not in self._answers:
            self._answers[key] = self._target.instruction_supported(name, qargs)
        return self._answers[key]


def _check(data: Iterable[Any], qubits: Mapping[Any, int], target: tuple[_Supported, str], around: str) -> None:
    supported, device = target
    for position, instruction in enumerate(data):
        name = instruction.name
        if name in _DIRECTIVES:
            continue
        qargs = tuple(qubits[qubit] for qubit in instruction.qubits)
        if not supported(name, qargs):
            where = ", ".join(str(qubit) for qubit in qargs)
            raise UnsupportedInstructionError(
                f"instruction {name} on qubits ({where}) is not supported by {device}, "
                f"at position {position} of {around}the circuit; {_REMEDY}",
                instruction=position,
                gate=name,
                qubits=qargs,
            )
        # Asking for the operation would make a Python object of every gate.
        if instruction.is_control_flow():
            for block in instruction.operation.blocks:
                inner = {bit: qargs[index] for index, bit in enumerate(block.qubits)}
                _check(block.data, inner, target, f"{name} at position {position} of {around}")
