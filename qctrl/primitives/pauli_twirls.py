"""Which Paulis before a gate of two qubits are undone by which Paulis behind it."""

from __future__ import annotations

from functools import cache
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit.library import CXGate, CZGate, ECRGate, RZXGate, RZZGate

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOME_ANGLE_RAD: Final = 0.7
"""Paulis that pass a rotation by this angle pass it by any."""
_GATES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "cx": CXGate(),
        "cz": CZGate(),
        "ecr": ECRGate(),
        "rzx": RZXGate(_SOME_ANGLE_RAD),
        "rzz": RZZGate(_SOME_ANGLE_RAD),
    }
)
TWIRLED: Final = frozenset(_GATES)
"""Names of the gates that can be twirled; of rotations, by the Paulis that commute with them."""


@cache
def twirls(gate: str) -> NDArray[np.uint8]:
    """Return all twirls of a gate, read-only.

    Args:
        gate: One of ``TWIRLED``.

    Returns:
        ``(n_twirls, 4, 2)``: for the first qubit before the gate, the second before, the first behind and the second
        behind, the exponents of X and of Z. The gate between the two layers is the gate alone, up to a phase.
    """
    matrix = np.asarray(_GATES[gate].to_matrix())
    paulis = [(bits, _pauli(*bits)) for bits in product((0, 1), repeat=4)]
    found = [
        (before, behind)
        for before, inner in paulis
        for behind, outer in paulis
        if abs(np.trace(outer.conj().T @ matrix @ inner @ matrix.conj().T)) > 4 - 1e-6
    ]
    table = np.array(found, dtype=np.uint8).reshape(-1, 4, 2)
    table.flags.writeable = False
    return table


def _pauli(x0: int, z0: int, x1: int, z1: int) -> NDArray[np.complex128]:
    x, z = np.array([[0, 1], [1, 0]], dtype=np.complex128), np.diag([1, -1]).astype(np.complex128)
    power = np.linalg.matrix_power
    first, second = power(x, x0) @ power(z, z0), power(x, x1) @ power(z, z1)
    return np.einsum("ij,kl->ikjl", second, first).reshape(4, 4)  # Qiskit's first qubit is the last factor
