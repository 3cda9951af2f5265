"""What a block does to operators on some qubits: its quantum process, without any measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics.evolution import Plan, evolve
from firmware_sim.physics.states import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def processed(
    plans: Sequence[Plan], start: State, inputs: NDArray[np.complex128], phases: tuple[NDArray[np.complex128], ...]
) -> NDArray[np.complex128]:
    """Return the outputs of a process for some inputs.

    Args:
        plans: Operators of the block's segments.
        start: A state of the qubits; its data do not matter.
        inputs: Kets ``(n, dim)`` or operators ``(n, dim, dim)``.
        phases: Of the levels, before and after the block, each of shape ``(dim,)``.
    """
    before, after = phases
    outputs: list[NDArray[np.complex128]] = []
    for given in inputs:
        state = State(start.qubits, start.levels, _turn(given, before))
        for plan in plans:
            state = evolve(plan, state)
        outputs.append(_turn(state.data, after))
    return np.array(outputs)


def frame_phases(detunings_hz: NDArray[np.float64], levels: int, time_s: float) -> NDArray[np.complex128]:
    """Return the phases by which frames, one per qubit, are ahead at a time, shape ``(levels ** n_qubits,)``."""
    shape = (levels,) * len(detunings_hz)
    return np.exp(2j * np.pi * time_s * (detunings_hz @ np.indices(shape).reshape(len(shape), -1)))


def _turn(data: NDArray[np.complex128], phases: NDArray[np.complex128]) -> NDArray[np.complex128]:
    if data.ndim == 1:
        return data * phases
    return phases[:, None] * data * phases.conj()
