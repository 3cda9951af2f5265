"""Shots that took the same path through the flow: one state, or columns with a history each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics.columns import Columns
from firmware_sim.physics.columns import join as join_columns
from firmware_sim.physics.random import Draws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.states import State


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """Shots of one binding with equal path through the flow; with a ``State`` also with equal measured levels.

    The per-shot arrays belong to this branch alone; the engine writes into them.
    """

    state: State | Columns
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
    offsets: int = 0
    """Label of the slow noise that all these shots share."""
    fields: NDArray[np.complex128] | None = None
    """Field of each qubit's resonator by level, shape ``(n_qubits, levels)``; None while all are empty."""
    left: NDArray[np.complex128] | None = None
    """Likewise at the start of the block."""
    resting: frozenset[int] = frozenset()
    """Qubits that nothing acted on since they were measured, with photons still about."""

    @property
    def shots(self) -> NDArray[np.uint64]:
        """Absolute shot indices, shape ``(n_shots,)``."""
        return self.draws.shots

    @property
    def binding(self) -> int:
        """Absolute binding index."""
        return self.draws.binding

    def take(self, rows: NDArray[np.intp]) -> Branch:
        """Return a branch of some of the shots, by their places."""
        return replace(
            self,
            state=self.state.take(rows),
            draws=Draws(self.draws.key, self.draws.binding, self.draws.shots.take(rows)),
            bits=self.bits.take(rows, axis=0),
            iq=self.iq.take(rows, axis=0),
            traces=None if self.traces is None else self.traces.take(rows, axis=0),
        )


def split(branch: Branch, chosen: NDArray[np.bool_]) -> dict[bool, Branch]:
    """Return the shots of a branch by whether they are chosen; only what occurs."""
    taken = np.flatnonzero(chosen)
    if len(taken) == len(chosen):
        return {True: branch}
    if not len(taken):
        return {False: branch}
    return {True: branch.take(taken), False: branch.take(np.flatnonzero(~chosen))}


def join(branches: Sequence[Branch]) -> list[Branch]:
    """Return the branches with those of columns put together that differ only in their shots."""
    together: dict[tuple[object, ...], list[Branch]] = {}
    for number, branch in enumerate(branches):
        state = branch.state
        alike = (
            (state.qubits, branch.used_blocks, branch.in_readout, branch.offsets, _ringing(branch))
            if isinstance(state, Columns)
            else (number,)
        )
        together.setdefault(alike, []).append(branch)
    return [parts[0] if len(parts) == 1 else _joined(parts) for parts in together.values()]


def _ringing(branch: Branch) -> tuple[bytes, frozenset[int]]:
    return b"" if branch.fields is None else branch.fields.tobytes(), branch.resting


def _joined(parts: list[Branch]) -> Branch:
    draws = parts[0].draws
    traces = [part.traces for part in parts if part.traces is not None]
    return replace(
        parts[0],
        state=join_columns([part.state for part in parts if isinstance(part.state, Columns)]),
        draws=Draws(draws.key, draws.binding, np.concatenate([part.shots for part in parts])),
        bits=np.concatenate([part.bits for part in parts]),
        iq=np.concatenate([part.iq for part in parts]),
        traces=np.concatenate(traces) if traces else None,
    )
