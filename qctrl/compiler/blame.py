"""Say in an error which instruction of the circuit is to blame: later stages know only its index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qctrl.compiler.lower import Circuit
    from qctrl.errors import CompileError


def blame(error: CompileError, circuit: Circuit) -> CompileError:
    """Return the error with the name and the qubits of its instruction, if it has one and does not name it yet.

    Args:
        error: As raised by a stage.
        circuit: What was compiled.
    """
    index = error.instruction
    if index is None or error.gate is not None:
        return error
    instruction: Any = circuit.data[index]
    qubits = tuple(circuit.find_bit(bit).index for bit in instruction.qubits)
    text = str(error).removeprefix(f"instruction {index}: ").removeprefix(f"{instruction.name}: ")
    return type(error)(
        f"instruction {index}: {instruction.name} on qubits {qubits}: {text}",
        instruction=index,
        gate=instruction.name,
        qubits=qubits,
    )
