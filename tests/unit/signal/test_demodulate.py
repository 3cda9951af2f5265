import cmath
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qctrl.errors import ResourceError
from qctrl.signal import carrier, demodulate, demodulation_weights, discriminate

WORDS = st.integers(0, 2**32 - 1)
TUNING_WORDS = st.integers(-(2**47), 2**47 - 1)
TICKS = st.integers(0, 2**40)


def exact_phasor(ftw, phase_word, tick):
    turns = Fraction(ftw * tick, 2**48) + Fraction(phase_word, 2**32)
    return cmath.exp(2j * math.pi * float(turns % 1))


@settings(deadline=None)
@given(ftw=TUNING_WORDS, phase_word=WORDS, first_tick=TICKS, sample_ticks=st.integers(1, 8))
def test_the_carrier_is_exact_at_any_tick(ftw, phase_word, first_tick, sample_ticks):
    samples = carrier(ftw, phase_word, first_tick, sample_ticks, 9)

    expected = [exact_phasor(ftw, phase_word, first_tick + k * sample_ticks) for k in range(9)]
    assert np.allclose(samples, expected, rtol=0, atol=1e-12)


@settings(deadline=None)
@given(ftw=TUNING_WORDS, phase_word=WORDS, first_tick=TICKS)
def test_demodulating_ones_own_carrier_gives_its_amplitude(ftw, phase_word, first_tick):
    tone = (0.3 - 0.2j) * carrier(ftw, phase_word, first_tick, 2, 50)

    assert demodulate(tone, first_tick, 2, ftw, phase_word) == pytest.approx(0.3 - 0.2j, abs=1e-12)


def test_weights_multiply_before_the_mean():
    samples = np.array([1.0, 2.0, 3.0], dtype=complex)
    weights = np.array([1.0, 0.5j, 0.0])

    assert demodulate(samples, 0, 1, 0, 0, weights) == pytest.approx((1 + 1j) / 3)


def test_demodulation_weights_integrate_many_shots_at_once():
    rng = np.random.default_rng(5)
    shots = rng.normal(size=(4, 20)) + 1j * rng.normal(size=(4, 20))
    vector = demodulation_weights(carrier(123456789 << 10, 77, 40, 4, 20), None)

    expected = [demodulate(shot, 40, 4, 123456789 << 10, 77) for shot in shots]
    assert np.allclose(shots @ vector, expected)


def test_an_empty_window_is_refused():
    with pytest.raises(ResourceError, match="no samples"):
        demodulate(np.empty(0, dtype=complex), 0, 1, 0, 0)


def test_weights_of_another_length_are_refused():
    with pytest.raises(ResourceError, match="weights have 2 samples, the window has 3"):
        demodulate(np.ones(3, dtype=complex), 0, 1, 0, 0, np.ones(2, dtype=complex))


def test_a_window_that_is_not_a_number_is_refused():
    with pytest.raises(ResourceError, match="window at tick 12 integrates to"):
        demodulate(np.array([1.0, math.nan], dtype=complex), 12, 1, 0, 0)


COEF = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.5]])


def test_the_largest_score_wins_and_shape_is_kept():
    iq = np.array([[1.0, -1.0, 0.2], [0.1j, 0.6, -0.4 + 3j]])

    assert discriminate(iq, COEF, 3).tolist() == [[0, 1, 2], [2, 0, 2]]
    assert discriminate(iq, COEF, 2).tolist() == [[0, 1, 0], [0, 0, 1]]
    assert discriminate(iq, COEF, 2).dtype == np.uint8


def test_a_single_value_and_a_tie_are_discriminated():
    assert discriminate(0j, COEF, 2).shape == ()
    assert int(discriminate(0j, COEF, 2)) == 0


def test_a_value_that_is_not_a_number_has_no_class():
    with pytest.raises(ResourceError, match="has no class"):
        discriminate([0.1, math.nan], COEF, 2)


@pytest.mark.parametrize("n_classes", [0, 4])
def test_a_wrong_number_of_classes_is_refused(n_classes):
    with pytest.raises(ResourceError, match="allow 1 to 3"):
        discriminate([0.1], COEF, n_classes)
