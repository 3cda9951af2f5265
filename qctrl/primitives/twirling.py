"""Twirled circuits: Paulis around gates and before measurements, drawn when a circuit is bound.

Between two twirled instructions every qubit has one gate, rz-sx-rz-sx-rz with three open angles. A draw of Paulis,
like a set of parameters, is then a row of angles: all draws are bindings of one program.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ControlFlowOp, Parameter
from qiskit.circuit.classical import expr

from qctrl.compiler.parameters import is_open, real, steps_of
from qctrl.ir.expression import Expression
from qctrl.primitives.euler import ANGLES_OF
from qctrl.primitives.pauli_twirls import TWIRLED
from qctrl.primitives.twirl_layers import Step, steps
from qctrl.primitives.twirled_circuit import NO_PAULI, DressedGate, Dressing, TwirledCircuit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


_PREFIX: Final = "__twirl"


def twirled(
    circuit: QuantumCircuit,
    *,
    gates: bool,
    measurements: bool,
    strategy: str = "active",
    playable: Collection[int] | None = None,
) -> TwirledCircuit:
    """Return a circuit that can be bound to twirls.

    Twirled are gates of two qubits of the device's own, also in control flow, where all rounds of a loop get the same
    Paulis; and measurements outside control flow whose bit nothing in the circuit reads.

    Args:
        circuit: An ISA circuit.
        gates: Whether gates of two qubits are twirled.
        measurements: Whether measurements are.
        strategy: Which qubits that wait are twirled with gates, see :func:`steps`; in control flow, of the body's own.
        playable: Qubits that can be driven, and so twirled while they wait; ``None`` is all.
    """
    able = {qubit for index, qubit in enumerate(circuit.qubits) if playable is None or index in playable}
    twirler = _Twirler(circuit, strategy if gates else None)
    made = twirler.read(circuit, _free_bits(circuit) if measurements else frozenset(), able)
    parameters = {parameter: column for column, parameter in enumerate(made.parameters)}
    original = {parameter: column for column, parameter in enumerate(circuit.parameters)}
    columns = [[parameters[angle] for angle in angles] for angles in twirler.angles]
    return TwirledCircuit(
        circuit=made,
        gates=tuple(twirler.gates),
        waiting=tuple(twirler.waiting),
        measured=tuple(twirler.measured),
        flips=twirler.flips,
        dressings=tuple(twirler.dressings),
        kept=tuple((column, original[each]) for each, column in parameters.items() if each in original),
        columns=np.array(columns, dtype=np.int64).reshape(-1, 3),
    )


@dataclass(slots=True)
class _Wire:
    """What is still to be written on one qubit."""

    run: list[tuple[DressedGate, Any]] = field(default_factory=list["tuple[DressedGate, Any]"])
    """Gates, and their instructions in case that nothing dresses them."""
    before: int = NO_PAULI


class _Twirler:
    def __init__(self, circuit: QuantumCircuit, strategy: str | None) -> None:
        self.gates: list[tuple[str, int]] = []
        self.waiting: list[int] = []
        self.measured: list[int] = []
        self.flips: dict[int, int] = {}
        self.dressings: list[Dressing] = []
        self.angles: list[list[Any]] = []
        self._strategy = strategy
        self._by_parameter = {parameter: index for index, parameter in enumerate(circuit.parameters)}
        self._n_slots = 1

    def read(self, circuit: Any, free_bits: frozenset[Any], playable: Collection[Any]) -> QuantumCircuit:
        """Return a circuit with its twirled instructions dressed; of the measurements, those into free bits."""
        made: QuantumCircuit = circuit.copy_empty_like()
        wires: dict[Any, _Wire] = {}
        order = steps(circuit, self._is_twirled, self._strategy or "active", playable)
        last = {qubit: index for index, step in enumerate(order) for each in step.instructions for qubit in each.qubits}
        for index, step in enumerate(order):
            if step.is_layer:
                self._put_layer(made, wires, step)
                continue
            (instruction,) = step.instructions
            qubits = instruction.qubits
            gate = self._gate(instruction) if len(qubits) == 1 else None
            if gate is not None:
                wires.setdefault(qubits[0], _Wire()).run.append((gate, instruction))
            elif instruction.name == "measure" and instruction.clbits[0] in free_bits:
                slot = self._take(1)
                self.measured.append(slot)
                self.flips[circuit.find_bit(instruction.clbits[0]).index] = slot
                self._put(made, wires, instruction, [slot])
                wires[qubits[0]] = _Wire(before=slot if last[qubits[0]] > index else NO_PAULI)
            else:
                self._put(made, wires, self._inside(instruction, playable), [NO_PAULI] * len(qubits))
        for qubit, wire in wires.items():
            self._close(made, qubit, wire, NO_PAULI)
        return made

    def _is_twirled(self, instruction: Any) -> bool:
        return self._strategy is not None and instruction.name in TWIRLED and len(instruction.qubits) == 2

    def _put_layer(self, made: QuantumCircuit, wires: dict[Any, _Wire], step: Step) -> None:
        """Write the gates of a layer; where qubits wait, between barriers, so that they wait between their Paulis."""
        before: dict[Any, int] = {}
        behind: dict[Any, int] = {}
        for instruction in step.instructions:
            slot = self._take(4)
            self.gates.append((instruction.name, slot))
            for place, qubit in enumerate(instruction.qubits):
                behind[qubit], before[qubit] = slot + place, slot + 2 + place
        for qubit in step.waiting:
            behind[qubit] = before[qubit] = self._take(1)
            self.waiting.append(before[qubit])
        for qubit, slot in behind.items():
            self._close(made, qubit, wires.pop(qubit, _Wire()), slot)
            wires[qubit] = _Wire(before=before[qubit])
        fence = [*behind] if step.waiting else None
        if fence:
            made.barrier(fence)
        for instruction in step.instructions:
            made.append(instruction)
        if fence:
            made.barrier(fence)

    def _inside(self, instruction: Any, playable: Collection[Any]) -> Any:
        operation, outer = instruction.operation, instruction.qubits
        if not isinstance(operation, ControlFlowOp):
            return instruction
        blocks = [
            self.read(
                block, frozenset(), {own for own, qubit in zip(block.qubits, outer, strict=True) if qubit in playable}
            )
            for block in operation.blocks
        ]
        return instruction.replace(operation=operation.replace_blocks(blocks))

    def _take(self, n_slots: int) -> int:
        self._n_slots += n_slots
        return self._n_slots - n_slots

    def _put(self, made: QuantumCircuit, wires: dict[Any, _Wire], instruction: Any, behind: Sequence[int]) -> None:
        """Write an instruction, before it what is still to be written on its qubits, with these Paulis at the end."""
        for qubit, slot in zip(instruction.qubits, behind, strict=True):
            self._close(made, qubit, wires.pop(qubit, _Wire()), slot)
        made.append(instruction)

    def _close(self, made: QuantumCircuit, qubit: Any, wire: _Wire, behind: int) -> None:
        if wire.before == behind == NO_PAULI:
            for _, instruction in wire.run:
                made.append(instruction)
            return
        number = len(self.dressings)
        angles = [Parameter(f"{_PREFIX}{3 * number + k:07d}") for k in range(3)]
        self.dressings.append(Dressing(tuple(gate for gate, _ in wire.run), wire.before, behind))
        self.angles.append(angles)
        made.rz(angles[0], qubit)
        made.sx(qubit)
        made.rz(angles[1], qubit)
        made.sx(qubit)
        made.rz(angles[2], qubit)

    def _gate(self, instruction: Any) -> DressedGate | None:
        """Return a gate that a dressing can take in; loop variables and unknown functions are beyond it."""
        name, params = instruction.name, instruction.params
        if ANGLES_OF.get(name) != len(params):
            return None
        if not params:
            return DressedGate(name, None)
        if not is_open(params[0]):
            return DressedGate(name, real(params[0]))
        if not params[0].parameters <= self._by_parameter.keys():
            return None
        steps = steps_of(params[0], self._by_parameter)
        return None if isinstance(steps, str) else DressedGate(name, Expression(steps))


def _free_bits(circuit: QuantumCircuit) -> frozenset[Any]:
    """Return the bits that nothing in a circuit reads, and that only plain measurements write."""
    read: set[Any] = set()
    for instruction in circuit.data:
        operation: Any = instruction.operation
        if isinstance(operation, ControlFlowOp):
            read |= set(instruction.clbits)
        elif instruction.name == "store":
            for node in (operation.lvalue, operation.rvalue):
                for var in expr.iter_vars(node):
                    read |= set(var.var) if hasattr(var.var, "__iter__") else {var.var}
    return frozenset(circuit.clbits) - read
