"""Read a ``QuantumCircuit`` into a ``GateProgram``; no Qiskit object goes beyond the readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from qiskit.circuit import QuantumCircuit

from qctrl.compiler.fast_reader import lower_fast
from qctrl.compiler.slow_reader import lower_slowly
from qctrl.errors import CompileError

if TYPE_CHECKING:
    from qctrl.calibration import Calibration
    from qctrl.ir.gate_program import GateProgram
    from qctrl.pulse import CustomGates

Circuit: TypeAlias = QuantumCircuit
"""What is compiled, for stages that know no Qiskit."""


def lower(circuit: Circuit, calibration: Calibration, custom_gates: CustomGates | None = None) -> GateProgram:
    """Return a circuit as columns, every gate resolved against the calibration.

    Args:
        circuit: An ISA circuit: its gates, on its qubits, are in the device's ``Target``.
        calibration: The calibration that it will be played with.
        custom_gates: Gates of the user's own, by name and qubits.

    Raises:
        UnsupportedInstructionError: The device has no such gate there, or the instruction is not supported.
        CompileError: There are too many qubits, or an angle is not finite.
        TimingError: A delay is not a whole number of ticks.
    """
    n_qubits = len(calibration.qubit_names)
    if circuit.num_qubits > n_qubits:
        raise CompileError(
            f"the circuit has {circuit.num_qubits} qubits, {calibration.name} has {n_qubits}; "
            "use fewer qubits or another device"
        )
    program = lower_fast(circuit, calibration, custom_gates)
    return lower_slowly(circuit, calibration, custom_gates) if program is None else program
