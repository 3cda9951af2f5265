"""Which qubits and edges can be used, and why the others cannot.

One live qubit that lacks an operation breaks the transpiler for the whole device, so a partial qubit
counts as dead; a dead one keeps its index.
"""

from __future__ import annotations

from qctrl.calibration.document import Document, Edge, Qubit
from qctrl.calibration.values import Value

REQUIRED_GATES = ("rz", "sx")


def demoted(document: Document) -> dict[str, str]:
    """Return the reason for every qubit and edge that cannot be used, by name.

    Args:
        document: The calibration file.
    """
    reasons: dict[str, str] = {}
    for name, qubit in document.qubits.items():
        if reason := _qubit_reason(qubit):
            reasons[name] = reason
    for name, edge in document.edges.items():
        if reason := _edge_reason(name, edge, reasons):
            reasons[name] = reason
    return reasons


def _qubit_reason(qubit: Qubit) -> str:
    if not qubit.operational:
        return "operational: false"
    if qubit.frequency is None:
        return "no frequency"
    for port in ("drive", "readout", "acquire"):
        if getattr(qubit.ports, port) is None:
            return f"no {port} port"
    if qubit.readout is None:
        return "no readout"
    known = set(qubit.gates)
    for gate in REQUIRED_GATES:
        if gate not in known:
            return f"no gate {gate}"
    for name, gate in qubit.gates.items():
        if gate.kind != "virtual_z" and _useless(gate.error):
            return f"error of {name} is 1"
    return ""


def _edge_reason(name: str, edge: Edge, reasons: dict[str, str]) -> str:
    if not edge.operational:
        return "operational: false"
    for end in name.split("-"):
        if end in reasons:
            return f"qubit {end}: {reasons[end]}"
    if not edge.gates:
        return "no gates"
    return next((f"error of {key} is 1" for key, gate in edge.gates.items() if _useless(gate.error)), "")


def _useless(error: Value | None) -> bool:
    return error is not None and error.value >= 1
