"""Factors of coherences as turns and jumps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.physics.dephasing import dephased, split_channel
from firmware_sim.physics.states import State

SIZES = st.floats(0, 6)


def of_fields(fields, phases):
    """Exponents of what photons tell that leave with these amplitudes."""
    overlap = fields.conj()[:, None] * fields[None, :]
    photons = np.diag(overlap).real
    return overlap - (photons[:, None] + photons[None, :]) / 2 + 1j * (phases[:, None] - phases[None, :])


@given(levels=st.sampled_from([2, 3, 4]), size=SIZES, seed=st.integers(0, 99))
def test_turns_and_jumps_make_the_factors(levels: int, size: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    fields = size * (rng.normal(size=levels) + 1j * rng.normal(size=levels))
    exponents = of_fields(fields, rng.uniform(0, 6, levels))
    diagonal, jumps = split_channel(exponents, noisy=True)
    found = np.outer(diagonal, diagonal.conj())
    if jumps is not None:
        rest = np.einsum("kmm,knn->mn", jumps.operators, jumps.operators.conj())
        turns = diagonal / np.abs(diagonal)
        found = found + turns[:, None] * rest * turns.conj()[None, :]
        assert jumps.keep @ jumps.undo == pytest.approx(np.eye(levels))
        assert np.sum(jumps.weights, axis=0) + jumps.keep**2 == pytest.approx(np.eye(levels), abs=1e-6)
    assert found == pytest.approx(np.exp(exponents), abs=1e-6)


def test_what_did_not_leave_dephases_nothing() -> None:
    exponents = of_fields(np.array([0.3, 0.3, 0.3 + 0j]), np.array([0.0, 1.0, 3.0]))
    diagonal, jumps = split_channel(exponents, noisy=True)
    assert jumps is None
    assert diagonal == pytest.approx(np.exp(1j * np.array([0.0, 1.0, 3.0])))
    assert split_channel(of_fields(np.array([0.0, 2.0 + 0j]), np.zeros(2)), noisy=False)[1] is None


@pytest.mark.parametrize("qubit", [0, 1])
def test_a_density_matrix_and_a_ket_take_the_factors_on_their_own_digit(qubit: int) -> None:
    rng = np.random.default_rng(3)
    ket = rng.normal(size=9) + 1j * rng.normal(size=9)
    turns = of_fields(np.zeros(3, complex), np.array([0.0, 0.4, 1.1]))
    digit = np.indices((3, 3)).reshape(2, 9)[qubit]
    turned = dephased(State((4, 7), 3, ket), {(4, 7)[qubit]: turns})
    assert turned == pytest.approx(ket * np.exp(1j * np.array([0.0, 0.4, 1.1])[digit]))
    rho, blur = np.outer(ket, ket.conj()), of_fields(np.array([0.1, 0.9, -0.4j]), np.zeros(3))
    found = dephased(State((4, 7), 3, rho), {(4, 7)[qubit]: blur})
    assert found == pytest.approx(rho * np.exp(blur)[digit[:, None], digit[None, :]])
