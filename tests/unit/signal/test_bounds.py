"""The bound on what predistortion makes of its input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qctrl.signal.bounds import filter_gain
from qctrl.signal.filters import predistortion_section

SAMPLE_S = 1e-9
SECTIONS = st.lists(st.tuples(st.floats(-0.3, 0.5), st.floats(2e-9, 3e-7)), max_size=3)
# Below, products lose the digits that the comparison is made to.
NORMAL = st.floats(-0.4, 0.4).filter(lambda tap: tap == 0 or abs(tap) > 1e-290)
TAPS = st.lists(NORMAL, max_size=7)


def impulse_response(iir, fir, n):
    """Of FIR first, sections after it, one operation after the other."""
    x = np.zeros(n)
    x[: len(fir) or 1] = fir or 1.0
    for amplitude, tau_s in iir:
        direct, from_state, pole, feed = predistortion_section(amplitude, tau_s, SAMPLE_S)
        state = 0.0
        for k in range(n):
            x[k], state = direct * x[k] + from_state * state, pole * state + feed * x[k]
    return x


@given(SECTIONS, TAPS)
def test_it_is_the_sum_of_the_impulse_response_and_never_below(iir, fir):
    exact = np.abs(impulse_response(iir, fir, 20_000)).sum()
    bound = filter_gain(tuple(iir), tuple(fir), SAMPLE_S)
    assert exact <= bound * (1 + 1e-12)
    assert bound <= exact * 1.01 + 1e-12


@pytest.mark.parametrize("tau_s", [1e-8, 1e-5, 1.0])
def test_what_undoes_an_overshoot_amplifies_nothing(tau_s):
    assert filter_gain(((0.2, tau_s),), (), SAMPLE_S) == pytest.approx(1.0)
    # Undoing an undershoot does: (1 + |A|) / (1 - |A|).
    assert filter_gain(((-0.2, tau_s),), (), SAMPLE_S) == pytest.approx(1.5)


def test_without_filters_nothing_changes():
    assert filter_gain((), (), SAMPLE_S) == 1.0
    assert filter_gain((), (1.5, -0.5), SAMPLE_S) == 2.0
