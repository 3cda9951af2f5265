"""Circuits that measure a circuit's qubits in Pauli bases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit.library import CXGate, CZGate, ECRGate, RZGate, SXGate, XGate

from qctrl.errors import CompileError
from qctrl.primitives.observables import Basis, Gate

REGISTER = "__c_basis"
_GATES: Final[Mapping[str, Any]] = MappingProxyType(
    {"rz": RZGate, "sx": SXGate, "x": XGate, "cz": CZGate, "ecr": ECRGate, "cx": CXGate}
)


def measured(circuit: QuantumCircuit, basis: Basis, gates: Sequence[Gate] = ()) -> QuantumCircuit:
    """Return a copy of ``circuit`` that ends by measuring ``basis`` into a register of its own.

    The circuit may be parametric and stays so. The rotations are ISA gates. Measuring Z behind a
    gate U measures U^dagger Z U: sx, which is Rx(pi/2), makes it Y, and rz(pi/2) before it makes it X.

    Args:
        circuit: An ISA circuit.
        basis: What to measure on which qubits; bit ``k`` of the register is its ``k``-th qubit.
        gates: ISA gates to play before it.

    Raises:
        CompileError: The circuit has a register of the same name.
    """
    if any(register.name == REGISTER for register in circuit.cregs):
        raise CompileError(f"the circuit has a classical register named {REGISTER}; rename it")
    extended = circuit.copy()
    register = ClassicalRegister(len(basis), REGISTER)
    extended.add_register(register)
    for name, acted_on, angles in gates:
        extended.append(_GATES[name](*angles), acted_on)
    for qubit, letter in basis:
        if letter == "X":
            extended.rz(math.pi / 2, qubit)
        if letter in "XY":
            extended.sx(qubit)
    qubits = [qubit for qubit, _ in basis]
    # Without the barrier a qubit could be read out while its neighbours are still driven.
    extended.barrier(qubits)
    extended.measure(qubits, register)
    return extended
