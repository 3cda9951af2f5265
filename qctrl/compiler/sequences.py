"""Decoupling sequences: which pulses, and where in a window they go."""

from __future__ import annotations

import math
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qctrl.calibration import Calibration
    from qctrl.compiler.compile_options import Decoupling

ANGLES_RAD: Final[Mapping[str, tuple[float, ...]]] = MappingProxyType(
    {
        "XX": (0.0, 0.0),
        "XpXm": (0.0, math.pi),
        "XY4": (0.0, math.pi / 2, 0.0, math.pi / 2),
    }
)
"""By sequence, the axis of each half turn in the plane of X and Y: X, Y and -X (Souza et al. 2012, section 2)."""

_LEAST_IDLE: Final = 1
"""Idle time that a window must leave, in lengths of its pulses: with less, they cost more than they protect."""


def starts(
    window: tuple[int, int], pulse_ticks: int, grid_ticks: int, decoupling: Decoupling, parity: int
) -> list[int]:
    """Return where the pulses of a sequence start; empty if the window is too short for them.

    On qubits of parity 0 they are centred in equal parts of the window; on their neighbours, of parity 1, they come
    half a part later, so that a coupling of Z to Z, which pulses at the same time would leave alone, averages out too.

    Args:
        window: Begin and end, in ticks.
        pulse_ticks: Length of a pulse.
        grid_ticks: Grid of their starts.
        decoupling: Which sequence.
        parity: Of the qubit.
    """
    n_pulses = len(ANGLES_RAD[decoupling.sequence])
    begin = -(-window[0] // grid_ticks) * grid_ticks
    slack = (window[1] - begin - n_pulses * pulse_ticks) // grid_ticks
    if slack * grid_ticks < _LEAST_IDLE * n_pulses * pulse_ticks:
        return []
    # In units of half a part: 1, 2, 2, ..., 1, or 2, 2, ..., 0.
    shares = [2] * n_pulses + [0] if parity else [1] + [2] * (n_pulses - 1) + [1]
    gaps = [slack * share // (2 * n_pulses) for share in shares]
    left = slack - sum(gaps)
    if decoupling.slack == "middle":
        gaps[n_pulses // 2] += left
    else:
        gaps[0] += left // 2
        gaps[-1] += left - left // 2
    found: list[int] = []
    at = begin
    for gap in gaps[:-1]:
        at += gap * grid_ticks
        found.append(at)
        at += pulse_ticks
    return found


@lru_cache(maxsize=8)
def parities(calibration: Calibration) -> tuple[int, ...]:
    """Return 0 or 1 for every qubit, neighbours different wherever the device's graph allows it."""
    near: dict[int, list[int]] = {}
    for first, second in calibration.edge_names:
        near.setdefault(first, []).append(second)
        near.setdefault(second, []).append(first)
    found: dict[int, int] = {}
    for seed in range(calibration.num_qubits):
        waiting = [seed] if seed not in found else []
        found.setdefault(seed, 0)
        while waiting:
            qubit = waiting.pop(0)
            for other in sorted(near.get(qubit, ())):
                if other not in found:
                    found[other] = 1 - found[qubit]
                    waiting.append(other)
    return tuple(found[qubit] for qubit in range(calibration.num_qubits))
