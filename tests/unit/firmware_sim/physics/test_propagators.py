from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from firmware_sim.physics.propagators import Controls, edge_ratio, hamiltonians, ordered_product, runs, unitary


def controls(rng, n_runs, n_qubits, *, driven=True):
    pairs = tuple((q, q + 1) for q in range(n_qubits - 1))
    drive = rng.normal(size=(n_runs, n_qubits)) + 1j * rng.normal(size=(n_runs, n_qubits))
    return Controls(
        counts=rng.integers(1, 5, n_runs),
        detuning_rad_s=2e9 * rng.normal(size=(n_runs, n_qubits)),
        drive_rad_s=3e8 * driven * drive,
        coupling_rad_s=1e7 * rng.normal(size=(n_runs, len(pairs))),
        pairs=pairs,
        anharmonicity_rad_s=-2e9 * np.ones(n_qubits),
        dt_s=1e-9,
    )


@pytest.mark.parametrize("levels", [2, 3])
@pytest.mark.parametrize("n_qubits", [1, 2, 3])
@pytest.mark.parametrize("driven", [True, False])
def test_the_propagator_is_the_product_of_matrix_exponentials(levels, n_qubits, driven):
    given = controls(np.random.default_rng(n_qubits), 5, n_qubits, driven=driven)
    expected = np.eye(levels**n_qubits)
    for h, count in zip(hamiltonians(given, levels), given.counts, strict=True):
        assert np.abs(h - h.conj().T).max() == 0
        expected = expm(-1j * h * count * 1e-9) @ expected
    assert np.abs(unitary(given, levels) - expected).max() < 1e-12


def test_the_drive_term_is_half_of_e_conjugate_times_raising():
    given = Controls(np.ones(1, int), np.zeros((1, 1)), np.array([[2 - 6j]]), np.zeros((1, 0)), (), np.zeros(1), 1e-9)
    h = hamiltonians(given, 3)[0]
    assert h[1, 0] == 1 + 3j
    assert h[2, 1] == pytest.approx(np.sqrt(2) * (1 + 3j))


def test_an_ordered_product_applies_the_first_factor_first():
    factors = np.random.default_rng(0).normal(size=(7, 3, 3))
    expected = np.eye(3)
    for factor in factors:
        expected = factor @ expected
    assert ordered_product(factors) == pytest.approx(expected)


def test_runs_end_where_any_column_changes():
    starts, counts = runs([np.array([1, 1, 1, 1, 5]), np.array([2.0, 2.0, 3.0, 2.0, 2.0])])
    assert starts.tolist() == [0, 2, 3, 4]
    assert counts.tolist() == [2, 1, 1, 1]


def test_an_edge_ratio_completes_the_product_of_its_sides():
    rng = np.random.default_rng(1)
    whole, part = (np.linalg.qr(rng.normal(size=(4, 4)))[0].astype(complex) for _ in range(2))
    assert edge_ratio(whole, lambda m: part @ m) @ part == pytest.approx(whole)
