"""Rows that the C API shows only in outline: the gates of the user's own, read from their objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qctrl.compiler.capi import circuit_data
from qctrl.compiler.control_flow import CONTROL_FLOW
from qctrl.compiler.custom_gates import gate_arguments
from qctrl.errors import CompileError
from qctrl.ir.gate_program import GateSite, Opcode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qctrl.compiler.capi import Columns
    from qctrl.pulse import CustomGates

_GATE: Final = int(Opcode.GATE)
_RESERVED: Final = CONTROL_FLOW | {"rz", "barrier", "delay", "measure", "reset", "global_phase"}
"""Names that mean what Qiskit says, whoever uses them."""


def read_custom_rows(
    circuit: Any, columns: Columns, sites: tuple[GateSite, ...], custom_gates: CustomGates, parameters: list[Any]
) -> tuple[Columns, tuple[GateSite, ...]] | None:
    """Finish the pending rows of custom gates; return the columns, and all sites in order of first use.

    Args:
        circuit: The circuit.
        columns: As the kernel read it.
        sites: Those of the device, in order of first use.
        custom_gates: Gates of the user's own.
        parameters: Of the circuit.

    Returns:
        ``None`` if the slow reader must say what is wrong, or what it is.
    """
    rows, pending = columns.instructions, columns.pending
    is_mine = rows["opcode"][pending] == _GATE
    mine = pending[is_mine].tolist()
    if not mine:
        return columns, sites
    data, by_parameter = circuit_data(circuit), {item: index for index, item in enumerate(parameters)}
    numbers: dict[GateSite, int] = {}
    taken, own = 0, list[int]()
    for row in mine:
        site = _site(circuit, data[int(rows["source"][row])], custom_gates, by_parameter)
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
    column[mine] = own
    return columns._replace(pending=pending[~is_mine]), tuple(numbers)


def _site(
    circuit: Any, instruction: Any, custom_gates: CustomGates, by_parameter: Mapping[Any, int]
) -> GateSite | None:
    name, qubits = instruction.name, tuple([circuit.find_bit(bit).index for bit in instruction.qubits])
    gate = custom_gates.get((name, qubits))
    if gate is None or name in _RESERVED or len(instruction.clbits) != gate.n_captures:
        return None
    try:
        return GateSite(name, qubits, gate, gate_arguments(gate, instruction.params, by_parameter, ""))
    except CompileError:
        return None  # the slow reader knows the place
