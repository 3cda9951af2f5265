"""Fits to no noise, and how sure they are."""

import numpy as np
import pytest

from qctrl.primitives.extrapolate import extrapolate, is_extrapolator, n_coefficients

FACTORS = np.array([1.0, 2.0, 3.0, 5.0])
STDS = np.array([0.01, 0.01, 0.02, 0.03])


@pytest.mark.parametrize(
    ("name", "curve", "value"),
    [
        ("linear", lambda x: 0.8 - 0.05 * x, 0.8),
        ("polynomial_degree_1", lambda x: 0.8 - 0.05 * x, 0.8),
        ("polynomial_degree_2", lambda x: 0.9 - 0.1 * x + 0.01 * x**2, 0.9),
        ("exponential", lambda x: -0.95 * np.exp(-0.3 * x), -0.95),
    ],
)
def test_a_model_is_recovered_exactly_from_its_own_curve(name, curve, value):
    fit, used = extrapolate(FACTORS, curve(FACTORS), STDS, [name])
    assert used == name
    assert fit.value == pytest.approx(value, abs=1e-9)
    assert fit.std > STDS[0]


@pytest.mark.parametrize("name", ["linear", "polynomial_degree_2", "exponential"])
def test_standard_errors_are_those_of_repeated_experiments(name, rng):
    """The deviation of 2000 fits is known to 1.6 %; 8 % is five standard deviations away, false alarm 6e-7."""
    truth = 0.9 * np.exp(-0.1 * FACTORS) if name == "exponential" else 0.9 - 0.1 * FACTORS
    stds = STDS / 4
    fits = [extrapolate(FACTORS, truth + stds * rng.standard_normal(4), stds, [name])[0] for _ in range(2000)]
    deviation = np.std([fit.value for fit in fits])
    # Fits that miss by chance are inflated, so the stated errors are a little larger on average, never smaller.
    assert 0.92 * deviation < np.median([fit.std for fit in fits]) < 1.15 * deviation


def test_an_exponential_that_does_not_fit_gives_way_to_a_line():
    fit, used = extrapolate(FACTORS, 0.6 - 0.1 * FACTORS, np.full(4, 1e-3), ["exponential", "linear"])
    assert (used, pytest.approx(0.6)) == ("linear", fit.value)
    fit, used = extrapolate(FACTORS, np.array([0.01, -0.01, 0.0, 0.005]), STDS, ["exponential"])
    assert used == "linear"


def test_a_line_that_does_not_fit_says_so_by_its_error():
    good = extrapolate(FACTORS, 0.6 - 0.1 * FACTORS, np.full(4, 1e-3), ["linear"])[0]
    bad = extrapolate(FACTORS, np.exp(-FACTORS), np.full(4, 1e-3), ["linear"])[0]
    assert bad.std > 20 * good.std


def test_names():
    assert [n_coefficients(name) for name in ("exponential", "linear", "polynomial_degree_7")] == [2, 2, 8]
    assert not any(map(is_extrapolator, ("polynomial_degree_8", "quadratic", 3)))
