from __future__ import annotations

import numpy as np
import pytest

from firmware_sim.physics import _kernels
from firmware_sim.physics.random import Draws, stream_key

KEY = stream_key(7, 1, b"program")


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("counter", [(1, 0, 0, 0), (5, 7, 2**63 + 11, 1), (2**64 - 1, 3, 2**64 - 1, 2**64 - 1)])
def test_philox_equals_numpys(compiled, counter):
    out = np.empty(4, dtype=np.uint64)
    words = np.array(counter, dtype=np.uint64)
    kernel = _kernels.philox if compiled else _kernels.philox.py_func
    with np.errstate(over="ignore"):
        kernel(words, KEY, out)
        before = words - np.array([1, 0, 0, 0], dtype=np.uint64)  # NumPy counts up before it draws
    assert out.tolist() == np.random.Philox(counter=before, key=KEY).random_raw(4).tolist()


def test_keys_depend_on_seed_pub_and_program():
    keys = {stream_key(*args).tobytes() for args in [(7, 1, b"a"), (8, 1, b"a"), (7, 2, b"a"), (7, 1, b"b")]}
    assert len(keys) == 4


def test_outcomes_follow_the_probabilities():
    # 5 standard deviations on each of 3 cells: false alarm 2e-6 at most, seed 7.
    shots = np.arange(200_000, dtype=np.uint64)
    probabilities = np.array([0.2, 0.0, 0.5, 0.3])
    found = np.bincount(Draws(KEY, 0, shots).outcomes(3, probabilities), minlength=4) / len(shots)
    assert found[1] == 0
    assert np.abs(found - probabilities).max() < 5 * np.sqrt(0.25 / len(shots))


def test_normals_have_unit_variance_and_no_correlation():
    shots = np.arange(200_000, dtype=np.uint64)
    values = Draws(KEY, 0, shots).normals(0, 2)
    quadratures = np.stack([values[:, 0].real, values[:, 0].imag, values[:, 1].real, values[:, 1].imag])
    # Standard deviation of an entry is at most sqrt(2 / n): 5.5 of them, false alarm below 1e-6, seed 7.
    assert np.abs(np.cov(quadratures) - np.eye(4)).max() < 5.5 * np.sqrt(2 / len(shots))


def steady(rates, n_samples):
    """Hazards of constant rates per sample, downwards only."""
    rates = np.array(rates)
    return rates[:, :, None] * np.arange(n_samples + 1), np.zeros_like(rates)


def test_decays_are_exponential_and_go_down_one_level_at_a_time():
    shots = np.arange(100_000, dtype=np.uint64)
    levels = np.full((len(shots), 1), 2, dtype=np.uint8)
    (times, after), _ = Draws(KEY, 0, shots).windows(0, steady([[0.0, 1e-3, 3e-3]], 500), levels)
    first, second, third = times[:, 0].T
    stayed = np.mean(first == 500)
    # 5 standard deviations, false alarm below 1e-6, seed 7.
    assert stayed == pytest.approx(np.exp(-1.5), abs=5 * np.sqrt(0.25 / len(shots)))
    assert np.all(second >= first)
    assert np.all(third == 500)
    passed = 3 / (1 - 3) * (np.exp(-1.5) - np.exp(-0.5))
    assert np.mean((first < 500) & (second == 500)) == pytest.approx(passed, abs=5 * np.sqrt(0.25 / len(shots)))
    assert np.array_equal(after[:, 0, -1], 2 - (first < 500) - (second < 500))


def test_jumps_up_and_down_come_to_equilibrium():
    shots = np.arange(100_000, dtype=np.uint64)
    levels = np.zeros((len(shots), 1), dtype=np.uint8)
    hazards = steady([[2e-3, 8e-3]], 600)[0], np.array([[1.0, 0.0]])
    (times, after), _ = Draws(KEY, 3, shots).windows(0, hazards, levels)
    up = times[:, 0, 0] < 600
    # 5 standard deviations, false alarm below 1e-6, seed 7.
    slack = 5 * np.sqrt(0.25 / len(shots))
    assert np.mean(up) == pytest.approx(1 - np.exp(-1.2), abs=slack)
    assert set(after[up, 0, 0]) == {1}
    # Up, down, up within 600 samples; a fourth jump is left out.
    t = np.linspace(0, 600, 60_001)
    down = 2e-3 * 8e-3 * (np.exp(-2e-3 * t) - np.exp(-8e-3 * t)) / (8e-3 - 2e-3)
    third = np.trapezoid(down * (1 - np.exp(-2e-3 * (600 - t))), t)
    assert np.mean(times[:, 0, 2] < 600) == pytest.approx(third, abs=slack + 2e-3)


def test_a_rising_hazard_moves_the_jumps():
    shots = np.arange(100_000, dtype=np.uint64)
    expected = np.zeros((1, 2, 401))
    expected[0, 1] = (np.arange(401) / 400) ** 2
    (times, _), _ = Draws(KEY, 4, shots).windows(
        0, (expected, np.zeros((1, 2))), np.ones((len(shots), 1), dtype=np.uint8)
    )
    for sample in (100, 200, 400):
        lived = np.exp(-((sample / 400) ** 2))
        assert np.mean(times[:, 0, 0] >= sample) == pytest.approx(lived, abs=5 * np.sqrt(0.25 / len(shots)))


@pytest.mark.parametrize("pick", [slice(10, 20), np.array([3, 50])])
def test_a_draw_does_not_depend_on_the_other_shots(pick):
    shots = np.arange(64, dtype=np.uint64)
    probabilities = np.array([0.4, 0.6])
    whole, part = Draws(KEY, 2, shots), Draws(KEY, 2, shots[pick].copy())
    assert whole.outcomes(1, probabilities)[pick].tolist() == part.outcomes(1, probabilities).tolist()
    assert whole.normals(4, 3)[pick].tolist() == part.normals(4, 3).tolist()
    assert whole.normals(4, 3).tolist() != Draws(KEY, 3, shots).normals(4, 3).tolist()


def test_python_forms_of_the_draws_agree_with_the_compiled_ones():
    shots = np.arange(5, dtype=np.uint64)
    hazards = steady([[0.3, 0.4, 0.5, 0.6], [0.0, 0.0, 0.0, 0.0]], 40)
    hazards[1][0] = (1.0, 0.5, 0.2, 0.0)
    levels = np.array([[2, 1], [1, 0], [0, 2], [2, 2], [1, 1]], dtype=np.uint8)
    draws = Draws(KEY, 1, shots)
    jumps, noise = draws.windows(2, hazards, levels)
    again = np.empty_like(jumps[0]), np.empty_like(jumps[1])
    normals, outcomes = np.empty((5, 2), dtype=complex), np.empty(5, dtype=np.int64)
    again_noise = np.empty_like(noise)
    header = (KEY, np.uint64(1), np.uint64(2))
    with np.errstate(over="ignore"):
        _kernels.draw_windows.py_func(header, shots, hazards, levels, again, again_noise)
        _kernels.draw_normals.py_func(header, np.uint64(0), shots, normals)
        _kernels.draw_outcomes.py_func(header, shots, np.array([0.3, 0.7, 1.0]), outcomes)
    assert np.any(jumps[0][:, 0, 2] < 40)
    assert again[0].tolist() == jumps[0].tolist()
    assert again[1].tolist() == jumps[1].tolist()
    assert noise.tolist() == draws.normals(2, 2).tolist()
    assert np.stack([normals, again_noise]) == pytest.approx(np.stack([noise, noise]), abs=1e-14)
    assert outcomes.tolist() == draws.outcomes(2, np.array([0.3, 0.4, 0.3])).tolist()
