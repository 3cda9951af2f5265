"""The parameters and registers of a ``QuantumCircuit``."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from qctrl.ir.interface import Interface

if TYPE_CHECKING:
    from qctrl.calibration import Calibration


def interface_of(
    circuit: Any, calibration: Calibration, parameters: list[Any], structure: tuple[str, ...] = ()
) -> Interface:
    """Return what a circuit shows to its caller.

    Args:
        circuit: A ``QuantumCircuit``.
        calibration: The calibration that it is compiled against.
        parameters: ``circuit.parameters`` as a list.
        structure: See ``Interface``.
    """
    clbits = circuit.clbits
    names = tuple([parameter.name for parameter in parameters])
    return _known_interface(names, tuple(_registers(circuit.cregs, clbits)), len(clbits), calibration, structure)


@lru_cache(maxsize=256)
def _known_interface(
    parameters: tuple[str, ...],
    cregs: tuple[tuple[str, tuple[int, ...]], ...],
    n_clbits: int,
    calibration: Calibration,
    structure: tuple[str, ...],
) -> Interface:
    return Interface(parameters, cregs, n_clbits, calibration.id, calibration.hash, structure)


def _registers(cregs: list[Any], clbits: list[Any]) -> list[tuple[str, tuple[int, ...]]]:
    """Return every register with the indices of its bits; most registers are simply a stretch of the circuit's bits."""
    found: list[tuple[str, tuple[int, ...]]] = []
    position, index_of = 0, None
    for register in cregs:
        bits = register[:]
        end = position + len(bits)
        if clbits[position:end] == bits:
            found.append((register.name, tuple(range(position, end))))
            position = end
            continue
        if index_of is None:
            index_of = {bit: index for index, bit in enumerate(clbits)}
        found.append((register.name, tuple([index_of[bit] for bit in bits])))
    return found
