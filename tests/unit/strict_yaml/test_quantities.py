from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from qctrl.strict_yaml import parse_quantity
from qctrl.strict_yaml.quantities import SUFFIXES, to_si


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("4.913 GHz", "Hz", 4.913e9),
        ("24 ns", "s", 2.4e-8),
        ("24ns", "s", 2.4e-8),
        (" .5 us ", "s", 5e-7),
        ("3 µs", "s", 3e-6),
        ("-2e1 kHz", "Hz", -2e4),
        ("10 mrad", "rad", 0.01),
        ("12 mV", "V", 0.012),
        ("3 V/us", "V/s", 3e6),
        ("3 %", "", 0.03),
    ],
)
def test_quantity_becomes_the_nearest_si_float(text, unit, value):
    assert parse_quantity(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit"),
    [("4.9 ghz", "Hz"), ("24 ns", "Hz"), ("ns", "s"), ("1 2 ns", "s"), ("4.9", "Hz"), ("3 dB", ""), ("1e9999 s", "s")],
)
def test_wrong_or_missing_suffix_is_refused(text, unit):
    with pytest.raises(PydanticCustomError, match="is not a number"):
        parse_quantity(text, unit)


@pytest.mark.parametrize(
    ("value", "text"), [(10**400, "is not finite"), (None, "is not a number"), (False, "is not a")]
)
def test_value_that_is_no_finite_number_is_refused(value, text):
    with pytest.raises(PydanticCustomError, match=text):
        to_si(value, "Hz")


def test_overflowing_quantity_is_refused():
    with pytest.raises(PydanticCustomError, match="is not finite"):
        to_si("1e308 GHz", "Hz")


@given(st.integers(0, 10**6), st.sampled_from([(u, s) for u, table in SUFFIXES.items() for s in table]))
def test_whole_numbers_scale_as_decimals_do(count, suffix):
    unit, name = suffix
    assert parse_quantity(f"{count} {name}", unit) == float(count * SUFFIXES[unit][name])
