from __future__ import annotations

import numpy as np
import pytest

from firmware_sim.physics.kraus import channel_after, jump_set, kraus_operators, without_phase


def damping(share):
    """Kraus operators of two levels that decay."""
    return np.array([np.diag([1, np.sqrt(1 - share)]), [[0, np.sqrt(share)], [0, 0]]], dtype=complex)


def superoperator(operators):
    return sum(np.kron(operator, operator.conj()) for operator in operators)


def test_operators_make_their_channel_again():
    found = kraus_operators(superoperator(damping(0.2)))
    assert len(found) == 2
    assert superoperator(found) == pytest.approx(superoperator(damping(0.2)), abs=1e-12)
    assert np.linalg.norm(found[0]) > np.linalg.norm(found[1])


def test_a_unitary_before_is_taken_away():
    unitary = np.linalg.qr(np.array([[1, 2j], [3, 1]]))[0]
    both = superoperator(damping(0.2)) @ np.kron(unitary, unitary.conj())
    assert channel_after(both, unitary) == pytest.approx(superoperator(damping(0.2)))


def test_the_heaviest_operator_stays_though_all_are_negligible():
    assert len(kraus_operators(np.zeros((4, 4), dtype=complex))) == 1


def test_jumps_and_no_jump_add_up_to_one():
    jumps = jump_set(1j * damping(0.3), np.arange(2))
    whole = jumps.keep.conj().T @ jumps.keep + jumps.weights.sum(axis=0)
    assert whole == pytest.approx(np.eye(2))
    assert jumps.undo @ jumps.keep == pytest.approx(np.eye(2))
    assert jumps.keep == pytest.approx(damping(0.3)[0])
    assert jumps.nbytes == 4 * 4 * 16


def test_levels_are_cut_off():
    operators = np.array([np.diag([1, 0.9, 0.8]), np.diag([0.1, 0.4], 1)], dtype=complex)
    jumps = jump_set(operators, np.arange(2))
    assert jumps.keep == pytest.approx(np.diag([1, 0.9]))
    assert jumps.operators[0].tolist() == [[0, 0.1], [0, 0]]


def test_a_free_phase_makes_the_trace_positive():
    assert without_phase(np.diag([2j, 1j])) == pytest.approx(np.diag([2, 1]))
