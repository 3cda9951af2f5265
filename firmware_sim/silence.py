"""Kinds of noise taken off a truth, and what a short repetition delay would leave of a shot."""

from __future__ import annotations

from collections.abc import Collection
from math import exp, inf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firmware_sim.config import QubitTruth, SlowTruth, Truth
    from qctrl.protocol import NoiseKind


def silenced(truth: Truth, kinds: Collection[NoiseKind]) -> Truth:
    """Return the truth of a device without some kinds of noise."""
    if not kinds:
        return truth
    qubits = {name: _quiet_qubit(qubit, kinds) for name, qubit in truth.qubits.items()}
    resonators = truth.resonators
    if "photons" in kinds:
        resonators = {name: r.model_copy(update={"t1_with_photons": ()}) for name, r in resonators.items()}
    return truth.model_copy(update={"qubits": qubits, "resonators": resonators})


def unrelaxed(truth: Truth, delay_s: float) -> float:
    """Return the largest part of an excitation that survives a delay on any qubit."""
    return max(exp(-delay_s / qubit.t1) for qubit in truth.qubits.values())


def _quiet_qubit(qubit: QubitTruth, kinds: Collection[NoiseKind]) -> QubitTruth:
    changes: dict[str, Any] = {}
    if "thermal" in kinds:
        changes["thermal_population"] = 0.0
    if "relaxation" in kinds:
        # What dephasing remains is that of the same chip: 1 / T2 - 1 / (2 T1).
        dephasing = 1 / qubit.t2_echo - 0.5 / qubit.t1
        changes |= {"t1": inf, "t1_21": inf, "t1_32": inf, "t2_echo": 1 / dephasing if dephasing > 0 else inf}
    if "dephasing" in kinds:
        changes["t2_echo"] = 2 * changes.get("t1", qubit.t1)
    for name in ("frequency_noise", "flux_noise"):
        slow: SlowTruth | None = getattr(qubit, name)
        if slow is not None:
            off = {kind: 0.0 for kind in ("quasi_static", "one_over_f", "drift") if kind in kinds}
            changes[name] = slow.model_copy(update=off)
    return qubit.model_copy(update=changes)
