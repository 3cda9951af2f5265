"""Diagonal channels of single qubits: each coherence is multiplied with a factor of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics.gates import Gate
from firmware_sim.physics.kraus import NEGLIGIBLE_JUMP, JumpSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from firmware_sim.physics.photons import Felt
    from firmware_sim.physics.states import State

_SINGULAR = 1e-12
_MARGIN = 1e-9


def dephased(state: State, felt: Felt) -> NDArray[np.complex128]:
    """Return the data of a state after the channels of some of its qubits; a ket is only turned."""
    data, levels = state.data, state.levels
    for qubit, exponents in felt.items():
        position = state.qubits.index(qubit)
        before, after = levels**position, levels ** (len(state.qubits) - 1 - position)
        if state.mixed:
            factor = np.exp(exponents)[:, None, None, :, None]
            data = (data.reshape(before, levels, after, before, levels, after) * factor).reshape(data.shape)
        else:
            factor = np.exp(1j * exponents.imag[:, 0])[:, None]
            data = (data.reshape(before, levels, after) * factor).reshape(data.shape)
    return data


def split_channel(exponents: NDArray[np.complex128], *, noisy: bool) -> tuple[NDArray[np.complex128], JumpSet | None]:
    """Return "no jump" with the phases of the levels, as its diagonal, and the jumps; None if there are none.

    "No jump" of the jumps is a multiple of the identity, the largest that leaves a channel: it can be undone, and does
    not depend on the state.
    """
    phases = np.exp(1j * exponents.imag[:, 0])
    factors = np.exp(exponents) * phases.conj()[:, None] * phases[None, :]
    if not noisy or 1 - float(np.real(factors).min()) < NEGLIGIBLE_JUMP:
        return phases, None
    values, vectors = np.linalg.eigh(factors)
    kept = values > _SINGULAR
    # The largest p with M - p |1><1| >= 0 is 1 / <1| M^-1 |1>.
    ones = np.abs(vectors[:, kept].sum(axis=0)) ** 2
    stay = (1 - _MARGIN) / float(np.sum(ones / values[kept]))
    values, vectors = np.linalg.eigh(factors - stay)
    heavy = values > NEGLIGIBLE_JUMP
    one = np.eye(len(factors), dtype=np.complex128)
    jumps = np.einsum("lk,lm->klm", vectors[:, heavy] * np.sqrt(values[heavy]), one)
    keep = np.sqrt(stay) * one
    weights = np.conj(np.swapaxes(jumps, 1, 2)) @ jumps
    return phases * np.sqrt(stay), JumpSet(keep, one / np.sqrt(stay), np.ascontiguousarray(jumps), weights)


def diagonal_gate(qubit: int, diagonal: NDArray[np.complex128]) -> Gate:
    """Return the gate that multiplies the levels of a qubit."""
    levels = len(diagonal)
    states, sectors = np.arange(levels, dtype=np.int64), np.arange(levels + 1, dtype=np.int64)
    still = np.zeros((levels, 1), dtype=np.int64)
    return Gate((qubit,), (-1,), (0, 0), states, sectors, np.asarray(diagonal, dtype=np.complex128)[None], still, 0.0)
