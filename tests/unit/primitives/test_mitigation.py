"""Letters read through the inverse of an assignment matrix."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qctrl.calibration import load
from qctrl.errors import CalibrationError
from qctrl.primitives.mitigation import NONE, Assignment, Mitigation

RATES = st.floats(0, 0.4)
LETTERS = {"Z": [1, -1], "X": [1, -1], "0": [1, 0], "-": [0, 1]}


@given(RATES, RATES, st.sampled_from(sorted(LETTERS)))
def test_the_mean_over_misread_outcomes_is_the_true_value(p10, p01, letter):
    values = Mitigation({3: Assignment(p10, p01)}).values(letter, 3)
    read = np.array([[1 - p10, p10], [p01, 1 - p01]])
    assert read @ values == pytest.approx(LETTERS[letter])


@given(RATES, RATES, st.sampled_from(sorted(LETTERS)))
def test_the_mean_over_twirled_outcomes_is_the_true_value(p10, p01, letter):
    values = Mitigation({3: Assignment(p10, p01)}).twirled().values(letter, 3)
    read = np.array([[1 - p10, p10], [p01, 1 - p01]])
    assert (read + read[::-1, ::-1]) / 2 @ values == pytest.approx(LETTERS[letter])


@given(RATES, RATES, st.sampled_from(sorted(LETTERS)))
def test_slopes_are_the_derivatives(p10, p01, letter):
    step = 1e-6
    mitigation = Mitigation({0: Assignment(p10, p01)})
    for index, (d10, d01) in enumerate(((step, 0.0), (0.0, step))):
        up = Mitigation({0: Assignment(p10 + d10, p01 + d01)}).values(letter, 0)
        down = Mitigation({0: Assignment(p10 - d10, p01 - d01)}).values(letter, 0)
        assert mitigation.slopes(letter, 0)[index] == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-4)


def test_qubits_without_an_assignment_are_taken_as_they_are():
    assert NONE.values("Y", 0).tolist() == [1, -1]
    assert Mitigation({1: Assignment(0.1, 0.1)}).values("1", 0).tolist() == [0, 1]


def test_the_calibration_gives_the_assignments_and_the_document_keeps_them():
    calibration = load("calibrations/pair2/working.yaml")
    mitigation = Mitigation.from_calibration(calibration, [1, 0, 1])
    matrix = calibration.live_qubit(1).readout.assignment
    assert mitigation.assignments[1] == Assignment(matrix.value[1][0], matrix.value[0][1], matrix.unc)
    assert 0 < matrix.unc < 1e-3
    assert Mitigation.from_document(mitigation.to_document()) == mitigation
    assert list(mitigation.assignments) == [0, 1]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [(None, "qubit 0 has no readout.assignment"), (((0.5, 0.45), (0.5, 0.55)), "has a contrast of 0.05")],
)
def test_a_readout_that_cannot_be_inverted_is_refused(matrix, message):
    calibration = load("calibrations/pair2/working.yaml")
    document = calibration.document
    readout = document.qubits["q0"].readout
    value = None if matrix is None else readout.assignment.model_copy(update={"value": matrix})
    qubit = document.qubits["q0"].model_copy(update={"readout": readout.model_copy(update={"assignment": value})})
    changed = dataclasses.replace(calibration, qubits=(qubit, *calibration.qubits[1:]))
    with pytest.raises(CalibrationError, match=message):
        Mitigation.from_calibration(changed, [0])
