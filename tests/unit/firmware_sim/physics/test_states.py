from __future__ import annotations

import numpy as np
import pytest

from firmware_sim.physics.states import State, apply_superoperator, extend, ground, left_multiply, project


def random_ket(rng, dim):
    ket = rng.normal(size=dim) + 1j * rng.normal(size=dim)
    return ket / np.linalg.norm(ket)


@pytest.mark.parametrize("positions", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("mixed", [False, True])
def test_an_operator_acts_on_its_digits_alone(positions, mixed):
    rng = np.random.default_rng(0)
    k = len(positions)
    matrix = rng.normal(size=(3**k, 3**k)) + 1j * rng.normal(size=(3**k, 3**k))
    array = random_ket(rng, 27) if not mixed else rng.normal(size=(27, 27)).astype(complex)
    tensor = matrix.reshape((3,) * (2 * k))
    moved = np.tensordot(tensor, array.reshape((3, 3, 3, -1)), axes=(range(k, 2 * k), positions))
    expected = np.moveaxis(moved, range(k), positions).reshape(array.shape)
    assert left_multiply(matrix, array, positions, 3, 3) == pytest.approx(expected)


@pytest.mark.parametrize("positions", [(0,), (2,), (0, 1), (0, 2)])
def test_a_superoperator_of_a_conjugation_is_the_conjugation(positions):
    rng = np.random.default_rng(1)
    dim = 3 ** len(positions)
    a = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))
    rho = rng.normal(size=(27, 27)) + 1j * rng.normal(size=(27, 27))
    left = left_multiply(a, rho, positions, 3, 3)
    expected = left_multiply(a, left.conj().T.copy(), positions, 3, 3).conj().T
    assert apply_superoperator(np.kron(a, a.conj()), rho, positions, 3, 3) == pytest.approx(expected)


@pytest.mark.parametrize("mixed", [False, True])
def test_extending_adds_qubits_in_the_ground_state_in_order(mixed):
    rng = np.random.default_rng(2)
    ket = random_ket(rng, 3)
    state = State((2,), 3, np.outer(ket, ket.conj()) if mixed else ket)
    grown = extend(state, [0, 4, 2])
    assert grown.qubits == (0, 2, 4)
    expected = np.zeros((3, 3, 3))
    expected[0, :, 0] = np.abs(ket) ** 2
    assert grown.populations() == pytest.approx(expected)
    assert grown.marginal([4, 2]) == pytest.approx(expected[0].T)


@pytest.mark.parametrize("mixed", [False, True])
def test_projection_moves_the_found_level_to_the_left_one(mixed):
    rng = np.random.default_rng(3)
    ket = random_ket(rng, 9)
    state = State((0, 1), 3, np.outer(ket, ket.conj()) if mixed else ket)
    after = project(state, [1], [2], [1])
    given = ket.reshape(3, 3)[:, 2]
    expected = np.zeros((3, 3))
    expected[:, 1] = np.abs(given) ** 2 / np.sum(np.abs(given) ** 2)
    assert after.populations() == pytest.approx(expected)


def test_nothing_is_the_state_of_no_qubits():
    assert ground(3, mixed=True).data.shape == (1, 1)
    assert extend(ground(2, mixed=False), [0, 1]).data.tolist() == [1, 0, 0, 0]
