"""Twirled circuits: Paulis around gates and before measurements, drawn when a circuit is bound.

Between two twirled instructions every qubit has one gate, rz-sx-rz-sx-rz with three open angles. A draw of Paulis,
like a set of parameters, is then a row of angles: all draws are bindings of one program.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ControlFlowOp, Parameter
from qiskit.circuit.classical import expr

from qctrl.compiler.parameters import is_open, real, steps_of
from qctrl.ir.expression import Expression
from qctrl.primitives.euler import ANGLES_OF, dressed_angles, euler_angles, gate_matrices
from qctrl.primitives.pauli_twirls import TWIRLED, twirls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_PREFIX: Final = "__twirl"
_NO_PAULI: Final = 0
"""Slot that is always the identity."""


class _Gate(NamedTuple):
    """A gate of one qubit that a dressing takes in."""

    name: str
    angle: float | Expression | None


class _Dressing(NamedTuple):
    """A run of gates on one qubit between two Paulis, numbered by their slots."""

    run: tuple[_Gate, ...]
    before: int
    behind: int


class Draw(NamedTuple):
    """Bindings of a twirled circuit."""

    values: NDArray[np.float64]
    """``(n_points * n_draws, n_parameters)``, in the order of the twirled circuit's parameters."""
    flips: NDArray[np.uint8]
    """Bits that the twirls of measurements inverted, packed as results are, ``(n_points * n_draws, nbytes)``."""


@dataclass(frozen=True, slots=True)
class TwirledCircuit:
    """A circuit that takes in every draw of its twirls, and how."""

    circuit: QuantumCircuit
    """Parameters that no dressing took in are still open."""
    gates: tuple[tuple[str, int], ...]
    """Twirled gates by name, with the first of their four slots."""
    measured: tuple[int, ...]
    """Slots of twirled measurements."""
    flips: dict[int, int]
    """Slot that inverts each classical bit."""
    dressings: tuple[_Dressing, ...]
    kept: tuple[tuple[int, int], ...]
    """Parameters that stayed: column of the twirled circuit, column of the original one."""
    columns: NDArray[np.int64]
    """Column of the twirled circuit for each angle of each dressing, ``(n_dressings, 3)``."""

    @property
    def n_slots(self) -> int:
        """Number of Paulis, the one that is always the identity among them."""
        return 1 + 4 * len(self.gates) + len(self.measured)

    def draw(self, values: NDArray[np.float64], n_draws: int, rng: np.random.Generator) -> Draw:
        """Return bindings with random Paulis, ``n_draws`` for every point, those of one point behind one another.

        Args:
            values: Of the original circuit, ``(n_points, n_parameters)``.
            n_draws: Draws for each point.
            rng: Where the Paulis come from.
        """
        n_bindings = len(values) * n_draws
        paulis = np.zeros((n_bindings, self.n_slots, 2), dtype=np.uint8)
        for name, slot in self.gates:
            table = twirls(name)
            paulis[:, slot : slot + 4] = table[rng.integers(len(table), size=n_bindings)]
        for slot in self.measured:
            paulis[:, slot, 0] = rng.integers(2, size=n_bindings)
        return self.bind(values, paulis)

    def bind(self, values: NDArray[np.float64], paulis: NDArray[np.uint8]) -> Draw:
        """Return bindings with given Paulis.

        Args:
            values: Of the original circuit, ``(n_points, n_parameters)``.
            paulis: Exponents of X and Z by slot, ``(n_points * n_draws, n_slots, 2)``.
        """
        n_draws = len(paulis) // len(values) if len(values) else 0
        made = np.empty((len(paulis), self.circuit.num_parameters), dtype=np.float64)
        for column, original in self.kept:
            made[:, column] = np.repeat(values[:, original], n_draws)
        if self.dressings:
            plain = np.stack([_angles(dressing.run, values) for dressing in self.dressings], axis=1)
            before = paulis[:, [dressing.before for dressing in self.dressings]]
            behind = paulis[:, [dressing.behind for dressing in self.dressings]]
            made[:, self.columns] = dressed_angles(np.repeat(plain, n_draws, axis=0), before, behind)
        flips = np.zeros((len(paulis), -(-self.circuit.num_clbits // 8)), dtype=np.uint8)
        for clbit, slot in self.flips.items():
            flips[:, clbit >> 3] |= paulis[:, slot, 0] << (clbit & 7)
        return Draw(made, flips)


def twirled(circuit: QuantumCircuit, *, gates: bool, measurements: bool) -> TwirledCircuit:
    """Return a circuit that can be bound to twirls.

    Twirled are gates of two qubits of the device's own, also in control flow, where all rounds of a loop get the same
    Paulis; and measurements outside control flow whose bit nothing in the circuit reads.

    Args:
        circuit: An ISA circuit.
        gates: Whether gates are twirled.
        measurements: Whether measurements are.
    """
    twirler = _Twirler(circuit, gates=gates)
    made = twirler.read(circuit, _free_bits(circuit) if measurements else frozenset())
    parameters = {parameter: column for column, parameter in enumerate(made.parameters)}
    original = {parameter: column for column, parameter in enumerate(circuit.parameters)}
    columns = [[parameters[angle] for angle in angles] for angles in twirler.angles]
    return TwirledCircuit(
        circuit=made,
        gates=tuple(twirler.gates),
        measured=tuple(twirler.measured),
        flips=twirler.flips,
        dressings=tuple(twirler.dressings),
        kept=tuple((column, original[each]) for each, column in parameters.items() if each in original),
        columns=np.array(columns, dtype=np.int64).reshape(-1, 3),
    )


@dataclass(slots=True)
class _Wire:
    """What is still to be written on one qubit."""

    run: list[tuple[_Gate, Any]] = field(default_factory=list["tuple[_Gate, Any]"])
    """Gates, and their instructions in case that nothing dresses them."""
    before: int = _NO_PAULI


class _Twirler:
    def __init__(self, circuit: QuantumCircuit, *, gates: bool) -> None:
        self.gates: list[tuple[str, int]] = []
        self.measured: list[int] = []
        self.flips: dict[int, int] = {}
        self.dressings: list[_Dressing] = []
        self.angles: list[list[Any]] = []
        self._twirls_gates = gates
        self._by_parameter = {parameter: index for index, parameter in enumerate(circuit.parameters)}
        self._n_slots = 1

    def read(self, circuit: Any, free_bits: frozenset[Any]) -> QuantumCircuit:
        """Return a circuit with its twirled instructions dressed; of the measurements, those into free bits."""
        made: QuantumCircuit = circuit.copy_empty_like()
        wires: dict[Any, _Wire] = {}
        last = {qubit: index for index, each in enumerate(circuit.data) for qubit in each.qubits}
        for index, instruction in enumerate(circuit.data):
            qubits = instruction.qubits
            gate = self._gate(instruction) if len(qubits) == 1 else None
            if gate is not None:
                wires.setdefault(qubits[0], _Wire()).run.append((gate, instruction))
            elif self._twirls_gates and instruction.name in TWIRLED and len(qubits) == 2:
                slot = self._take(4)
                self.gates.append((instruction.name, slot))
                self._put(made, wires, instruction, [slot, slot + 1])
                for place, qubit in enumerate(qubits):
                    wires[qubit] = _Wire(before=slot + 2 + place)
            elif instruction.name == "measure" and instruction.clbits[0] in free_bits:
                slot = self._take(1)
                self.measured.append(slot)
                self.flips[circuit.find_bit(instruction.clbits[0]).index] = slot
                self._put(made, wires, instruction, [slot])
                wires[qubits[0]] = _Wire(before=slot if last[qubits[0]] > index else _NO_PAULI)
            else:
                self._put(made, wires, self._inside(instruction), [_NO_PAULI] * len(qubits))
        for qubit, wire in wires.items():
            self._close(made, qubit, wire, _NO_PAULI)
        return made

    def _inside(self, instruction: Any) -> Any:
        operation = instruction.operation
        if not isinstance(operation, ControlFlowOp):
            return instruction
        blocks = [self.read(block, frozenset()) for block in operation.blocks]
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
        if wire.before == behind == _NO_PAULI:
            for _, instruction in wire.run:
                made.append(instruction)
            return
        number = len(self.dressings)
        angles = [Parameter(f"{_PREFIX}{3 * number + k:07d}") for k in range(3)]
        self.dressings.append(_Dressing(tuple(gate for gate, _ in wire.run), wire.before, behind))
        self.angles.append(angles)
        made.rz(angles[0], qubit)
        made.sx(qubit)
        made.rz(angles[1], qubit)
        made.sx(qubit)
        made.rz(angles[2], qubit)

    def _gate(self, instruction: Any) -> _Gate | None:
        """Return a gate that a dressing can take in; loop variables and unknown functions are beyond it."""
        name, params = instruction.name, instruction.params
        if ANGLES_OF.get(name) != len(params):
            return None
        if not params:
            return _Gate(name, None)
        if not is_open(params[0]):
            return _Gate(name, real(params[0]))
        if not params[0].parameters <= self._by_parameter.keys():
            return None
        steps = steps_of(params[0], self._by_parameter)
        return None if isinstance(steps, str) else _Gate(name, Expression(steps))


def _angles(run: Sequence[_Gate], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return phi, theta, lambda of a run at every point, ``(n_points, 3)``."""
    matrix = np.broadcast_to(np.eye(2, dtype=np.complex128), (len(values), 2, 2))
    for gate in run:
        angle: NDArray[np.float64] | None = None
        if isinstance(gate.angle, Expression):
            angle = gate.angle.evaluate(values)
        elif gate.angle is not None:
            angle = np.array([gate.angle])
        matrix = gate_matrices(gate.name, angle) @ matrix
    return euler_angles(matrix)


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
