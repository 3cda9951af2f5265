"""Durations on the grid of the device."""

from fractions import Fraction

import pytest

from qctrl.calibration import loads
from qctrl.calibration.grid import grid_fault
from qctrl.errors import CalibrationError
from tests.unit.compiler import trio

NS = Fraction(1, 10**9)


def test_a_whole_number_of_steps_is_no_fault():
    assert grid_fault(2.4e-8, NS) is None
    assert grid_fault(2.4e-8, NS, 24, 8) is None


def test_faults_name_what_is_allowed():
    assert grid_fault(2.43e-8, NS) == (
        "value 2.43e-08 s is 24.3 ticks of 1e-09 s",
        "write a whole number of ticks, 2.4e-08 or 2.5e-08",
    )
    assert grid_fault(6e-9, NS, 0, 4) == (
        "value 6e-09 s is 6 ticks of 1e-09 s",
        "write a whole number of steps of granularity 4, 4e-09 or 8e-09",
    )
    assert grid_fault(4e-9, NS, 8) == (
        "value 4e-09 s is 4 ticks of 1e-09 s, below min_length 8",
        "write at least 8e-09",
    )


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("padding: {before: 4.0e-9", "padding: {before: 6.0e-9", "qubits.q2.gates.sx.padding.before"),
        ("acquisition: {delay: 1.6e-7", "acquisition: {delay: 1.62e-7", "qubits.q0.readout.acquisition.delay"),
    ],
)
def test_what_would_start_off_the_granularity_is_refused_at_load(old, new, place):
    text = trio.TEXT.read_text()
    assert old in text
    with pytest.raises(CalibrationError, match=rf"^f.yaml:\d+:\d+: {place}: .*; write a whole number of steps"):
        loads(text.replace(old, new, 1), "f.yaml")
