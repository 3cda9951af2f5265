"""Shots that share one history, hence one state."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics.random import Draws

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from firmware_sim.physics.states import State


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """Shots of one binding with equal measured levels and equal path through the flow.

    The per-shot arrays belong to this branch alone; the engine writes into them.
    """

    state: State
    draws: Draws
    used_blocks: int
    """Draw blocks that each of these shots has used."""
    bits: NDArray[np.uint8]
    """Classical bits, shape ``(n_shots, n_clbits)``."""
    iq: NDArray[np.complex64]
    """Integrated captures, shape ``(n_shots, n_captures)``."""
    traces: NDArray[np.complex64] | None
    """ADC samples, shape ``(n_shots, n_captures, n_samples)``, if asked for."""
    in_readout: tuple[tuple[int, int], ...] = field(default=())
    """Qubits in a readout window and the tick where it ends: their noise is already drawn."""

    @property
    def shots(self) -> NDArray[np.uint64]:
        """Absolute shot indices, shape ``(n_shots,)``."""
        return self.draws.shots

    @property
    def binding(self) -> int:
        """Absolute binding index."""
        return self.draws.binding

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Branch:
        """Return a branch of some of the shots, in the same state."""
        return replace(
            self,
            draws=Draws(self.draws.key, self.draws.binding, self.draws.shots[rows]),
            bits=self.bits[rows],
            iq=self.iq[rows],
            traces=None if self.traces is None else self.traces[rows],
        )


def split(branch: Branch, chosen: NDArray[np.bool_]) -> dict[bool, Branch]:
    """Return the shots of a branch by whether they are chosen; only what occurs."""
    if chosen.all():
        return {True: branch}
    if not chosen.any():
        return {False: branch}
    return {True: branch.take(chosen), False: branch.take(~chosen)}
