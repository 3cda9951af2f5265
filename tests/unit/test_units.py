"""Seconds, hertz, radians and amplitudes to words and back."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qctrl import units
from qctrl.errors import ResourceError, TimingError

NS = Fraction(1, 10**9)


def test_whole_ticks_are_exact() -> None:
    assert units.to_ticks(2.4e-8, NS) == 24
    assert units.to_seconds(24, NS) == 2.4e-8


@pytest.mark.parametrize("bad", [2.43e-8, -1e-9, math.nan, math.inf])
def test_fractional_negative_and_infinite_times_are_refused(bad: float) -> None:
    with pytest.raises(TimingError, match="pulse"):
        units.to_ticks(bad, NS, what="pulse")


@given(st.floats(-1e4, 1e4))
def test_a_phase_word_is_within_half_a_unit(phase_rad: float) -> None:
    back = units.phase_from_word(units.phase_word(phase_rad))
    assert abs(math.remainder(back - phase_rad, 2 * math.pi)) < 2 * math.pi * 0.5000001 / 2**32 + 1e-12


@given(st.lists(st.floats(-10, 10)))
def test_phase_words_agree_with_the_scalar(phases_rad: list[float]) -> None:
    assert units.phase_words(phases_rad).tolist() == [units.phase_word(p) for p in phases_rad]


def test_phases_beyond_reason_are_refused() -> None:
    for bad in (math.nan, math.inf, 1e9):
        with pytest.raises(ResourceError, match="phase"):
            units.phase_words(np.array([0.0, bad]))


@given(st.floats(-4.9e8, 4.9e8))
def test_a_tuning_word_is_within_half_a_unit(frequency_hz: float) -> None:
    back = units.tuning_word_to_hz(units.tuning_word(frequency_hz, NS), NS)
    assert abs(back - frequency_hz) <= 0.51 * 1e9 / 2**48


def test_frequencies_beyond_half_a_turn_are_refused() -> None:
    for bad in (6e8, math.nan):
        with pytest.raises(ResourceError, match="frequency"):
            units.tuning_word(bad, NS)


def test_gains_beyond_full_scale_are_refused() -> None:
    assert units.gain_from_word(units.gain_word(-0.25)) == -0.25
    for bad in (1.0000001, math.nan):
        with pytest.raises(ResourceError, match="amplitude"):
            units.gain_word(bad, what="amplitude")


@pytest.mark.parametrize(
    ("period_s", "expected"),
    [
        (1e-9, Fraction(1, 10**9)),
        (5e-10, Fraction(1, 2 * 10**9)),
        (1 / 2.4e9, Fraction(1, 2_400_000_000)),
        (4.166666666666667e-10, Fraction(1, 2_400_000_000)),
        (1 / 3e9, Fraction(1, 3 * 10**9)),
        (1e-9 / 3, Fraction(1, 3 * 10**9)),
        (1 / 4.5e9, Fraction(1, 4_500_000_000)),
        (3e-10, Fraction(3, 10**10)),
        (7e-10, Fraction(7, 10**10)),
        (9.99e-13, Fraction(999, 10**15)),
        (3.3333e-10, Fraction(33333, 10**14)),
    ],
)
def test_a_clock_has_a_whole_frequency_or_the_printed_period(period_s: float, expected: Fraction) -> None:
    assert units.clock_period(period_s) == expected


@given(st.integers(10**6, 10**11), st.integers(-1, 1), st.integers(0, 10**9))
def test_ticks_of_a_clock_survive_seconds_and_back(frequency_hz: int, ulp: int, ticks: int) -> None:
    period_s = float(Fraction(1, frequency_hz))
    period_s += ulp * math.ulp(period_s)
    tick_s = units.clock_period(period_s)
    assert tick_s == Fraction(1, frequency_hz)
    assert units.to_ticks(units.to_seconds(ticks, tick_s), tick_s) == ticks


def test_frequency_words_are_of_two_to_the_minus_32_turns_and_stay_in_range():
    tick_s = Fraction(1, 10**9)
    words = units.frequency_words(np.array([0.0, 250e6, -250e6, 0.1, 0.2, 0.5e9, -0.5e9]), tick_s)
    assert words.tolist() == [0, 2**30, -(2**30), 0, 1, 2**31 - 1, -(2**31)]
