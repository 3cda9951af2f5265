"""Bring angles of fractional gates into bounds, for the pass of Qiskit's that finds them out of the target's.

Qiskit keeps one such function per gate name for all devices, and does not tell it the bounds. These give the range that
any device with such gates accepts: [0, pi] for ``rx``, [0, pi/2] for ``rzx`` and ``rzz``. A global phase is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.circuit.library import RZGate, XGate
from qiskit.converters import circuit_to_dag
from qiskit.transpiler.passes import WrapAngles

_TURN_RAD: Final = 2 * math.pi
_X: Final = XGate()
_Z: Final = RZGate(math.pi)


@cache
def register_wrappers() -> None:
    """Tell Qiskit how to bring angles of ``rx``, ``rzx`` and ``rzz`` into bounds; once in a process."""
    for name, wrap in (("rx", wrap_rx), ("rzx", wrap_rzx), ("rzz", wrap_rzz)):
        WrapAngles.DEFAULT_REGISTRY.add_wrapper(name, partial(_replacement, wrap))


def _replacement(wrap: Callable[[float], QuantumCircuit], angles: list[float], _qubits: list[int]) -> Any:
    return circuit_to_dag(wrap(angles[0]))


def wrap_rx(angle_rad: float) -> QuantumCircuit:
    """Return ``rx`` with an angle in [0, pi], between two Z where it turns the other way."""
    angle = math.remainder(angle_rad, _TURN_RAD)
    circuit = QuantumCircuit(1)
    circuit.rx(abs(angle), 0)
    return circuit if angle >= 0 else _between(circuit, _Z, 0)


def wrap_rzx(angle_rad: float) -> QuantumCircuit:
    """Return ``rzx`` with an angle in [0, pi/2]: a Z on the target reverses it, Z and X are half a turn."""
    angle, is_half = _folded(angle_rad)
    circuit = QuantumCircuit(2)
    circuit.rzx(abs(angle), 0, 1)
    circuit = circuit if angle >= 0 else _between(circuit, _Z, 1)
    if is_half:
        circuit.rz(math.pi, 0)
        circuit.x(1)
    return circuit


def wrap_rzz(angle_rad: float) -> QuantumCircuit:
    """Return ``rzz`` with an angle in [0, pi/2]: an X on a qubit reverses it, two Z are half a turn."""
    angle, is_half = _folded(angle_rad)
    circuit = QuantumCircuit(2)
    circuit.rzz(abs(angle), 0, 1)
    circuit = circuit if angle >= 0 else _between(circuit, _X, 0)
    if is_half:
        circuit.rz(math.pi, [0, 1])
    return circuit


def _folded(angle: float) -> tuple[float, bool]:
    """Return an angle in [-pi/2, pi/2], and whether half a turn is missing."""
    rest = math.remainder(angle, _TURN_RAD)
    is_half = abs(rest) > math.pi / 2
    return (rest - math.copysign(math.pi, rest) if is_half else rest), is_half


def _between(circuit: QuantumCircuit, gate: Gate, qubit: int) -> QuantumCircuit:
    """Return a circuit with a gate before and after it on one qubit."""
    made = QuantumCircuit(circuit.num_qubits)
    made.append(gate, [qubit])
    made.compose(circuit, inplace=True)
    made.append(gate, [qubit])
    return made
