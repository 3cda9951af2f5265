"""Gates of two qubits: which kinds serve which names, and what they need of their edge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

from pydantic import Field

from qctrl.calibration.cross_resonance import CrossResonance, Part
from qctrl.calibration.gates import FluxCz, kinds
from qctrl.strict_yaml import problem

if TYPE_CHECKING:
    from qctrl.calibration.document import Coupler, Qubit

EdgeGate: TypeAlias = FluxCz | CrossResonance
AnyEdgeGate = Annotated[EdgeGate, Field(discriminator="kind"), kinds("flux_cz", "coupler_cz", "cr")]
EdgeGateName = Literal["cz", "ecr", "cx", "rzx", "rzz"]

_KINDS: Final = {"cz": ("flux_cz", "coupler_cz")}
_ONLY_CR: Final = ("cr",)
_SCALED: Final = frozenset({"rzx", "rzz"})
_DIRECTED: Final = frozenset({"ecr", "cx", "rzx"})


def check_edge_gate(name: str, gate: EdgeGate, coupler: Coupler | None) -> None:
    """Refuse a gate of a kind that its name or its edge cannot have; paths of errors begin at the edge.

    Args:
        name: Key of the gate.
        gate: The gate.
        coupler: Of the edge.
    """
    path, supported = ("gates", name), _KINDS.get(name, _ONLY_CR)
    if gate.kind not in supported:
        raise problem(f"gate {name} cannot be of kind {gate.kind}", f"supported: {', '.join(supported)}", *path, "kind")
    if isinstance(gate, FluxCz):
        _check_coupler(gate, coupler, path)
        return
    if name in _DIRECTED and gate.symmetric:
        raise problem(f"{name} is another gate on the reversed pair", "set symmetric: false", *path, "symmetric")
    if name in _SCALED and gate.angle_bounds is None:
        raise problem(f"{name} has no angle_bounds", "add angle_bounds: [low, high] in rad", *path)
    if name not in _SCALED and gate.angle_bounds is not None:
        raise problem(f"{name} has no angle", "remove it", *path, "angle_bounds")


def _check_coupler(gate: FluxCz, coupler: Coupler | None, path: tuple[str, ...]) -> None:
    if gate.kind == "flux_cz":
        if gate.coupler_waveform is not None and coupler is None:
            raise problem("edge has no coupler to play this on", "add coupler: {port: ...}", *path, "coupler_waveform")
        return
    if coupler is None:
        raise problem("edge has no coupler", "add coupler: {port: ...}", *path, "kind")
    if gate.actuate != coupler.port:
        raise problem(f"port {gate.actuate} is not that of the edge's coupler", f"use {coupler.port}", *path, "actuate")
    if gate.coupler_waveform is not None:
        raise problem("the coupler plays waveform", "remove it", *path, "coupler_waveform")


def check_ends(name: str, gate: EdgeGate, ends: Mapping[str, Qubit], path: tuple[str, ...]) -> None:
    """Refuse a gate that names other qubits than those of its edge, or plays what they lack.

    Args:
        name: Key of the gate.
        gate: The gate.
        ends: The qubits of the edge, by name.
        path: Of the gate in the document.
    """
    named = [("virtual_z", end) for end in gate.virtual_z]
    if isinstance(gate, CrossResonance):
        named = [("control", gate.control), ("target", gate.target), *named]
    for key, end in named:
        if end not in ends:
            at = (key, end) if key == "virtual_z" else (key,)
            raise problem(f"qubit {end} is not of this edge", f"use {' or '.join(ends)}", *path, *at)
    if not isinstance(gate, CrossResonance):
        return
    parts = {part for moment in gate.moments(name) for part in moment}
    known = set(ends[gate.control].gates)
    if Part.FLIP in parts and "x" not in known:
        raise problem(f"{name} flips {gate.control}, which has no gate x", "add x to its gates", *path, "control")
    if parts & {Part.TURN, Part.BASIS} and "sx" not in set(ends[gate.target].gates):
        raise problem(f"{name} turns {gate.target}, which has no gate sx", "add sx to its gates", *path, "target")
