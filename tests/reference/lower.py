"""A circuit as plain tuples, read the obvious way; angles must be bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}


@dataclass(frozen=True)
class Gate:
    """One instruction."""

    name: str
    qubits: tuple[int, ...]
    value: float = 0.0
    """Angle in rad of a rotation, duration in ticks of a delay."""
    clbit: int = -1


def lower(circuit: Any, dt_s: float) -> list[Gate]:
    """Return the instructions of a circuit in order."""
    gates = []
    for instruction in circuit.data:
        operation = instruction.operation
        qubits = tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)
        value, clbit = 0.0, -1
        if operation.name in ("rz", "rx", "rzx", "rzz"):
            value = float(operation.params[0])
        if operation.name == "delay":
            duration = float(operation.params[0])
            value = duration if operation.unit == "dt" else round(duration * SECONDS[operation.unit] / dt_s)
        if operation.name == "measure":
            clbit = circuit.find_bit(instruction.clbits[0]).index
        gates.append(Gate(operation.name, qubits, value, clbit))
    return gates
