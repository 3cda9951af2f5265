"""Scaled numbers are the same to the last bit, whether the angle is a number or bound later."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qctrl.compiler.fractional import scaled, scaled_squared
from qctrl.ir import Expression

OPEN = Expression((("parameter", 0), ("constant", 3.0), ("div", 0)))


@pytest.mark.parametrize("scale", [scaled, scaled_squared])
@given(value=st.floats(-1, 1), parameter=st.floats(-10, 10), full=st.sampled_from([math.pi, math.pi / 2]))
def test_binding_equals_scaling_the_number(scale, value, parameter, full):
    bound = float(scale(value, OPEN, full).evaluate(np.array([[parameter]]))[0])
    assert bound == scale(value, parameter / 3.0, full)


def test_the_full_angle_leaves_the_value_and_half_of_it_a_half_or_a_quarter():
    assert scaled(0.3, math.pi, math.pi) == pytest.approx(0.3)
    assert scaled(0.3, -math.pi / 4, math.pi / 2) == pytest.approx(-0.15)
    assert scaled_squared(0.3, -math.pi / 2, math.pi / 2) == pytest.approx(0.3)
    assert scaled_squared(0.3, math.pi / 4, math.pi / 2) == pytest.approx(0.075)
