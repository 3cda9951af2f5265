"""Rows that the C API shows only in outline, read from their objects: gates of the user's own and fractional ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qctrl.compiler.capi import circuit_data
from qctrl.compiler.control_flow import CONTROL_FLOW
from qctrl.compiler.custom_gates import gate_arguments
from qctrl.errors import CompileError
from qctrl.ir.gate_program import GateSite, Opcode

if TYPE_CHECKING:
    from qctrl.compiler.angles import Angles
    from qctrl.compiler.capi import Columns
    from qctrl.pulse import CustomGates

_GATE: Final = int(Opcode.GATE)
_RESERVED: Final = CONTROL_FLOW | {"rz", "barrier", "delay", "measure", "reset", "global_phase"}
"""Names that mean what Qiskit says, whoever uses them."""


def read_argument_rows(
    circuit: Any, columns: Columns, sites: tuple[GateSite, ...], custom_gates: CustomGates, angles: Angles
) -> tuple[Columns, tuple[GateSite, ...]] | None:
    """Finish the pending rows of gates with arguments; return the columns, and all sites in order of first use.

    Args:
        circuit: The circuit.
        columns: As the kernel read it.
        sites: Those of the device, in order of first use.
        custom_gates: Gates of the user's own.
        angles: Reads the angles of fractional gates.

    Returns:
        ``None`` if the slow reader must say what is wrong, or what it is.
    """
    rows, pending = columns.instructions, columns.pending
    is_gate = rows["opcode"][pending] == _GATE
    at = pending[is_gate].tolist()
    if not at:
        return columns, sites
    data = circuit_data(circuit)
    numbers: dict[GateSite, int] = {}
    taken, own = 0, list[int]()
    for row in at:
        index = int(rows["source"][row])
        site = _site(circuit, index, data[index], custom_gates, angles)
        if site is None:
            return None
        before = int(rows["ticks"][row])
        for each in sites[taken:before]:
            numbers[each] = len(numbers)
        taken = before
        own.append(numbers.setdefault(site, len(numbers)))
        rows["ticks"][row], rows["expression"][row] = 0, -1
    for each in sites[taken:]:
        numbers[each] = len(numbers)
    column = rows["site"]
    column[:] = np.array([*(numbers[site] for site in sites), -1], dtype=np.int32)[column]
    column[at] = own
    return columns._replace(pending=pending[~is_gate]), tuple(numbers)


def _site(circuit: Any, index: int, instruction: Any, custom_gates: CustomGates, angles: Angles) -> GateSite | None:
    name, qubits = instruction.name, tuple([circuit.find_bit(bit).index for bit in instruction.qubits])
    gate = custom_gates.get((name, qubits))
    if name in _RESERVED or len(instruction.clbits) != (0 if gate is None else gate.n_captures):
        return None
    try:
        if gate is not None:
            arguments = gate_arguments(gate, instruction.params, angles.by_parameter, "")
        elif not (arguments := angles.read(index, name, qubits, instruction.params)):
            return None
    except CompileError:
        return None  # the slow reader knows the place
    return GateSite(name, qubits, gate, arguments)
