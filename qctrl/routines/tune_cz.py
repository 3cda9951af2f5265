"""Tune the flux pulses of a CZ, then its virtual Z."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from qctrl.calibration import FluxCz
from qctrl.errors import CalibrationError
from qctrl.routines import fidelity
from qctrl.routines.bench import Bench, Path

_QUBIT_SCAN: Final = np.linspace(0.85, 1.15, 25)
_COUPLER_SCAN: Final = np.linspace(0.7, 1.3, 13)
"""Amplitudes tried before the fine search, relative to the nominal ones."""
_RETURNED: Final = 0.1
"""Infidelity below which a coarse amplitude brings the state back."""
_WEAK: Final = 0.8
"""Coupler amplitude, relative to the nominal one, at which the levels' meeting is one dip without side lobes."""


def tune_cz(bench: Bench, edge: str) -> Bench:
    """Return a bench whose CZ has the flux amplitudes of highest fidelity, noise off, and matching virtual Z."""
    gate = _gate(bench, edge)
    if gate.coupler_waveform is None:
        raise CalibrationError(f"edges.{edge}.gates.cz has no coupler_waveform to tune; add one to the nominal file")
    nominal = np.array([gate.waveform.amp.value, gate.coupler_waveform.amp.value])
    most = 1 / np.abs(nominal)

    def cost(scale: NDArray[np.float64]) -> float:
        return _infidelity(_channel(bench.changed(_amplitudes(edge, *(nominal * scale))), edge, noise=False))

    amplitude = min(_QUBIT_SCAN, key=lambda scale: cost(np.array([scale, _WEAK])))
    reachable = [scale for scale in _COUPLER_SCAN.tolist() if scale <= most[1]]
    coupler = reachable[first_return([cost(np.array([amplitude, scale])) for scale in reachable])]
    start = np.array([amplitude, coupler])
    simplex = start + np.array([[0.0, 0.0], [0.008, 0.0], [0.0, 0.03]])
    options = {"initial_simplex": simplex, "xatol": 1e-6, "fatol": 1e-9, "maxfev": 120}
    bounds = [(0.0, scale) for scale in most]
    best = minimize(cost, start, method="Nelder-Mead", bounds=bounds, options=options)
    amplitudes = [bench.measured(float(value)) for value in nominal * best.x]
    return _with_virtual_z(bench.changed(_amplitudes(edge, *amplitudes)), edge)


def characterise_cz(bench: Bench, edge: str) -> Bench:
    """Return a bench with the error and leakage of the CZ that the physics shows."""
    channel = _channel(bench, edge, noise=True)
    virtual_z = _gate(bench, edge).virtual_z
    left, right = (virtual_z[name].value for name in _ends(bench, edge))
    # The shifts come after the pulse, so the pulse alone must leave what they undo.
    ideal = fidelity.CZ @ np.diag([cmath.exp(-1j * phase) for phase in (0.0, right, left, left + right)])
    place = ("edges", edge, "gates", "cz")
    return bench.changed(
        {
            (*place, "error"): bench.measured(1 - fidelity.average_fidelity(channel, ideal)),
            (*place, "leakage"): bench.measured(max(fidelity.leakage(channel), 0.0)),
        }
    )


def _with_virtual_z(bench: Bench, edge: str) -> Bench:
    left, right, conditional = fidelity.cz_phases(_channel(bench, edge, noise=False))
    names = _ends(bench, edge)
    place = ("edges", edge, "gates", "cz")
    return bench.changed(
        {
            (*place, "virtual_z"): {names[0]: bench.measured(-left), names[1]: bench.measured(-right)},
            (*place, "conditional_phase"): bench.measured(conditional),
        }
    )


def first_return(costs: Sequence[float]) -> int:
    """Return the first low valley of costs over rising coupler amplitudes; at later ones the state swings again."""
    padded = [math.inf, *costs, math.inf]
    valleys = [k for k, value in enumerate(costs) if value < _RETURNED and value <= min(padded[k], padded[k + 2])]
    return valleys[0] if valleys else min(range(len(costs)), key=costs.__getitem__)


def _ends(bench: Bench, edge: str) -> list[str]:
    """Return the names of the two qubits by ascending index, the order in which channels count them."""
    return sorted(edge.split("-"), key=lambda name: bench.document.qubits[name].index)


def _gate(bench: Bench, edge: str) -> FluxCz:
    gate = bench.document.edges[edge].gates.get("cz")
    if not isinstance(gate, FluxCz) or gate.kind != "flux_cz":
        kind = "none" if gate is None else f"of kind {gate.kind}"
        raise CalibrationError(f"edge {edge}: tuning needs a cz of kind flux_cz, this is {kind}; tune it by hand")
    return gate


def _amplitudes(edge: str, qubit: object, coupler: object) -> dict[Path, Any]:
    place = ("edges", edge, "gates", "cz")
    return {(*place, "waveform", "amp"): qubit, (*place, "coupler_waveform", "amp"): coupler}


def _channel(bench: Bench, edge: str, *, noise: bool) -> NDArray[np.complex128]:
    left, right = (bench.document.qubits[name].index for name in _ends(bench, edge))
    circuit = bench.circuit()
    circuit.cz(left, right)
    return bench.channel(circuit, [left, right], noise=noise)


def _infidelity(channel: NDArray[np.complex128]) -> float:
    """Return 1 - fidelity to a CZ with whatever single-qubit phases suit the channel."""
    left, right, _ = fidelity.cz_phases(channel)
    local = np.diag([cmath.exp(1j * phase) for phase in (0.0, right, left, left + right)])
    return 1 - fidelity.average_fidelity(channel, fidelity.CZ @ local)
