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
