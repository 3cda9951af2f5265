"""Plays of known shapes, recognised in the samples that reach the chip; and the phases that they give to drives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from firmware_sim.shapes import Plays

_ROUNDING_STEPS = 2.0
"""Steps of the converter by which samples may differ from their shape: one of its own, one of a mixer correction."""


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """Where on a drive line known shapes play."""

    events: NDArray[np.int64]
    """Row of each play among the events of the program."""
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    digests: list[bytes]
    samples: list[NDArray[np.complex128]]
    phases: NDArray[np.float64]
    known: NDArray[np.bool_]
    """Whether the samples are the shape at the phase, to within the converter's rounding."""
    told: NDArray[np.bool_]
    """Whether the phase is the one that the program's words say."""


def recognise(line: NDArray[np.complex128], plays: Plays, port: int, step: float) -> Recognised | None:
    """Return the plays of a drive line as they are found in its samples; None if it has none.

    Args:
        line: What reaches the chip from the port, at its own rate.
        plays: What the program plays in the block.
        port: Index of the port.
        step: One step of its converter.
    """
    mine = plays.of_port(port)
    if mine is None:
        return None
    told = plays.phases[port]
    phases, known = told.copy(), np.zeros(len(mine.starts), dtype=np.bool_)
    for number, samples in enumerate(mine.samples):
        rows = np.flatnonzero(mine.shape == number)
        found = line[mine.starts[rows, None] + np.arange(len(samples))]
        phases[rows], known[rows] = _match(found, samples, told[rows], _ROUNDING_STEPS * step)
    digests = [mine.digests[k] for k in mine.shape.tolist()]
    chosen = [mine.samples[k] for k in mine.shape.tolist()]
    return Recognised(
        mine.events, mine.starts, mine.ends, digests, chosen, phases, known & mine.alone, phases == told
    )  # fmt: skip


def _match(
    found: NDArray[np.complex128], samples: NDArray[np.complex128], told: NDArray[np.float64], tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the phases at which plays are a shape, and whether they are; what they are told to be comes first."""
    rest = np.abs(found - np.exp(1j * told)[:, None] * samples).max(axis=1, initial=0.0)
    if bool((rest < tolerance).all()):
        return told, np.ones(len(told), dtype=np.bool_)
    seen = np.angle(found @ samples.conj())
    rest_seen = np.abs(found - np.exp(1j * seen)[:, None] * samples).max(axis=1, initial=0.0)
    return np.where(rest < tolerance, told, seen), (rest < tolerance) | (rest_seen < tolerance)


def drive_angles(
    phases: NDArray[np.float64], sources: NDArray[np.int64], leads: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the phases of all drives, and 0 behind them, shape ``(..., n_segments, n + 1)``.

    Args:
        phases: Of all known plays, and 0 behind them, shape ``(..., n_plays + 1)``.
        sources: Play of each drive in each segment, -1 for none, shape ``(n_segments, n)``.
        leads: Phase of each LO, same shape.
    """
    angles = np.zeros((*phases.shape[:-1], len(sources), sources.shape[1] + 1))
    angles[..., :-1] = phases[..., sources] + leads
    return angles
