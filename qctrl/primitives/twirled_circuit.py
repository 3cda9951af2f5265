"""A circuit whose twirls are still open, and the bindings that draw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qctrl.ir.expression import Expression
from qctrl.primitives.euler import dressed_angles, euler_angles, gate_matrices
from qctrl.primitives.pauli_twirls import twirls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

NO_PAULI = 0
"""Slot that is always the identity."""


class DressedGate(NamedTuple):
    """A gate of one qubit that a dressing takes in."""

    name: str
    angle: float | Expression | None


class Dressing(NamedTuple):
    """A run of gates on one qubit between two Paulis, numbered by their slots."""

    run: tuple[DressedGate, ...]
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
    waiting: tuple[int, ...]
    """Slots of qubits that wait beside twirled gates, with the same Pauli before and behind."""
    measured: tuple[int, ...]
    """Slots of twirled measurements."""
    flips: dict[int, int]
    """Slot that inverts each classical bit."""
    dressings: tuple[Dressing, ...]
    kept: tuple[tuple[int, int], ...]
    """Parameters that stayed: column of the twirled circuit, column of the original one."""
    columns: NDArray[np.int64]
    """Column of the twirled circuit for each angle of each dressing, ``(n_dressings, 3)``."""

    @property
    def n_slots(self) -> int:
        """Number of Paulis, the one that is always the identity among them."""
        return 1 + 4 * len(self.gates) + len(self.waiting) + len(self.measured)

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
        for slot in self.waiting:
            paulis[:, slot] = rng.integers(2, size=(n_bindings, 2))
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


def _angles(run: Sequence[DressedGate], values: NDArray[np.float64]) -> NDArray[np.float64]:
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
