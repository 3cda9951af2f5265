from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from firmware_sim.physics.device import build_chip
from firmware_sim.physics.noise import block_superoperator, local_superoperator
from firmware_sim.physics.propagators import Controls, hamiltonians


def generator(qubits, levels, h=None):
    """Lindblad generator on row-major vectors, from the jump operators."""
    dims = levels ** len(qubits)
    one = np.eye(dims)
    result = np.zeros((dims**2, dims**2), dtype=complex)
    if h is not None:
        result += -1j * (np.kron(h, one) - np.kron(one, h.T))
    for position, qubit in enumerate(qubits):
        before, after = np.eye(levels**position), np.eye(levels ** (len(qubits) - 1 - position))
        jumps = [np.sqrt(2 * qubit.dephasing_per_s) * np.diag(np.arange(levels))]
        for upper in range(1, levels):
            jump = np.zeros((levels, levels))
            jump[upper - 1, upper] = np.sqrt(qubit.decay_per_s[upper])
            jumps += [jump, np.sqrt(qubit.heating_per_s[upper - 1]) * (jump.T > 0)]
        for jump in jumps:
            full = np.kron(np.kron(before, jump), after)
            rate = full.T @ full
            result += np.kron(full, full) - 0.5 * (np.kron(rate, one) + np.kron(one, rate.T))
    return result


@pytest.mark.parametrize("levels", [2, 3, 4])
@pytest.mark.parametrize("hot", [0.0, 0.03])
@pytest.mark.parametrize("t1_21", [None, 7.4e-5, 2e-5])
@pytest.mark.parametrize("time_s", [1e-9, 3e-5, 1e-3])
def test_idle_noise_is_the_exponential_of_its_generator(first_qubit, pair2, levels, hot, t1_21, time_s):
    qubit = build_chip(first_qubit(pair2, t1_21=t1_21, thermal_population=hot)).qubits[0]
    expected = expm(generator([qubit], levels) * time_s)
    assert local_superoperator(qubit, levels, time_s) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("driven", [True, False])
@pytest.mark.parametrize("n_qubits", [1, 2])
def test_noisy_propagators_agree_with_the_lindblad_equation(pair2, n_qubits, driven):
    qubits = build_chip(pair2).qubits[:n_qubits]
    rng = np.random.default_rng(2)
    n_runs = 12
    given = Controls(
        counts=rng.integers(1, 9, n_runs),
        detuning_rad_s=1e9 * rng.normal(size=(n_runs, n_qubits)),
        drive_rad_s=driven * 2e8 * rng.normal(size=(n_runs, n_qubits)).astype(complex),
        coupling_rad_s=4e7 * rng.normal(size=(n_runs, n_qubits - 1)),
        pairs=((0, 1),)[: n_qubits - 1],
        anharmonicity_rad_s=np.array([qubit.anharmonicity_rad_s for qubit in qubits]),
        dt_s=1e-9,
    )
    expected = np.eye(9**n_qubits)
    noiseless = np.eye(9**n_qubits)
    for h, count in zip(hamiltonians(given, 3), given.counts, strict=True):
        expected = expm(generator(qubits, 3, h) * count * 1e-9) @ expected
        step = expm(-1j * h * count * 1e-9)
        noiseless = np.kron(step, step.conj()) @ noiseless
    error = np.abs(block_superoperator(given, qubits, 3) - expected).max()
    effect = np.abs(noiseless - expected).max()
    print(f"error {error:.2g} of a noise of {effect:.2g}")
    assert error < 0.02 * effect


def test_a_quiet_qubit_has_no_noise(pair2):
    given = Controls(
        np.array([500]), np.zeros((1, 2)), np.zeros((1, 2), complex), np.zeros((1, 1)), ((0, 1),), np.zeros(2), 1e-9
    )
    chip = build_chip(pair2)
    found = block_superoperator(given, [None, chip.qubits[1]], 3).reshape((3,) * 8)
    # rho_0 = |1><1| x |0><0| stays.
    assert found[1, 0, 1, 0, 1, 0, 1, 0].real == pytest.approx(1, abs=1e-12)
    assert found[0, 1, 0, 1, 0, 1, 0, 1].real == pytest.approx(np.exp(-500e-9 / 6.2e-5), abs=1e-12)


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_populations_settle_in_the_boltzmann_ratio(first_qubit, pair2, levels):
    qubit = build_chip(first_qubit(pair2, thermal_population=0.1, t1_21=3e-5)).qubits[0]
    late = local_superoperator(qubit, levels, 1.0)[:: levels + 1, :: levels + 1]
    settled = np.array(qubit.thermal[:levels]) / sum(qubit.thermal[:levels])
    assert late == pytest.approx(np.repeat(settled[:, None], levels, axis=1), abs=1e-12)
    assert settled[1:] / settled[:-1] == pytest.approx(np.full(levels - 1, 1 / 9))
