"""Gates of two qubits played more often than needed, so that their noise grows by a known factor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from qiskit import QuantumCircuit
from qiskit.circuit import ControlFlowOp

if TYPE_CHECKING:
    from collections.abc import Iterator

Fold = Literal["gate_folding", "gate_folding_front", "gate_folding_back"]

_OWN_INVERSES = frozenset({"cz", "ecr", "cx"})
_TURNED_BACK = frozenset({"rzz", "rzx"})
"""Rotations that an X on their first qubit, before and behind, turns back."""


def count_foldable(circuit: Any) -> int:
    """Return how many gates of a circuit can be folded; those in control flow count once."""
    count = 0
    for instruction in circuit.data:
        if isinstance(instruction.operation, ControlFlowOp):
            count += sum(count_foldable(block) for block in instruction.operation.blocks)
        else:
            count += _is_foldable(instruction)
    return count


def fold(circuit: QuantumCircuit, factor: float, amplifier: Fold) -> tuple[QuantumCircuit, float]:
    """Return a circuit that does the same with more gates, and how many times more there are.

    A gate G becomes ``G (G^-1 G)^k`` (Giurgica-Tiron et al. 2020, section III.B). Where a whole k does not give the
    factor, some gates get one fold more: spread evenly over the circuit, or the first or the last ones.

    Args:
        circuit: An ISA circuit with gates that can be folded.
        factor: At least 1; the nearest one that this circuit can have is taken.
        amplifier: Which gates get the folds that are left over.
    """
    n_gates = count_foldable(circuit)
    n_folds = round((factor - 1) / 2 * n_gates)
    base, left = divmod(n_folds, n_gates)
    folds = [base + extra for extra in _extras(n_gates, left, amplifier)]
    return _folded(circuit, iter(folds)), 1 + 2 * n_folds / n_gates


def _extras(n_gates: int, left: int, amplifier: Fold) -> list[int]:
    if amplifier == "gate_folding_front":
        return [int(k < left) for k in range(n_gates)]
    if amplifier == "gate_folding_back":
        return [int(k >= n_gates - left) for k in range(n_gates)]
    return [math.floor((k + 1) * left / n_gates) - math.floor(k * left / n_gates) for k in range(n_gates)]


def _is_foldable(instruction: Any) -> bool:
    return len(instruction.qubits) == 2 and instruction.name in _OWN_INVERSES | _TURNED_BACK


def _folded(circuit: Any, folds: Iterator[int]) -> QuantumCircuit:
    made: QuantumCircuit = circuit.copy_empty_like()
    for instruction in circuit.data:
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            blocks = [_folded(block, folds) for block in operation.blocks]
            made.append(instruction.replace(operation=operation.replace_blocks(blocks)))
            continue
        made.append(instruction)
        for _ in range(next(folds) if _is_foldable(instruction) else 0):
            _append_inverse(made, instruction)
            made.append(instruction)
    return made


def _append_inverse(made: QuantumCircuit, instruction: Any) -> None:
    turns = 2 if instruction.name in _TURNED_BACK else 0
    for _ in range(turns):
        made.sx(instruction.qubits[0])
    made.append(instruction)
    for _ in range(turns):
        made.sx(instruction.qubits[0])
