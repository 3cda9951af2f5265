"""What was measured, by the names of the older interface."""

import pytest

from qctrl.calibration import load
from qctrl.errors import CalibrationError
from qctrl.provider import Properties, build_target


@pytest.fixture
def calibration():
    return load("calibrations/pair2/working.yaml")


def test_numbers_are_those_of_the_calibration_and_of_the_target(calibration):
    properties, target = Properties(calibration), build_target(calibration)
    for qubit in range(2):
        assert properties.t1(qubit) == target.qubit_properties[qubit].t1
        assert properties.t2(qubit) == target.qubit_properties[qubit].t2
        assert properties.frequency(qubit) == target.qubit_properties[qubit].frequency
        assert properties.readout_error(qubit) == target["measure"][qubit,].error
        assert properties.readout_length(qubit) == target["measure"][qubit,].duration
        wrong = properties.prob_meas0_prep1(qubit) + properties.prob_meas1_prep0(qubit)
        assert properties.readout_error(qubit) == pytest.approx(wrong / 2)
    assert properties.gate_error("cz", [0, 1]) == target["cz"][0, 1].error
    assert properties.gate_length("sx", 0) == target["sx"][0,].duration
    assert properties.backend_name == "pair2"
    assert properties.backend_version == calibration.id
    assert properties.last_update_date.isoformat() == calibration.document.created.replace("Z", "+00:00")


def test_what_is_not_there_is_not_operational(calibration):
    properties = Properties(calibration)
    assert properties.is_gate_operational("cz", (0, 1))
    assert not properties.is_gate_operational("ecr", (0, 1))
    with pytest.raises(CalibrationError, match="has no ecr on qubits"):
        properties.gate_length("ecr", (0, 1))
    assert properties.is_qubit_operational(1)
    assert not properties.is_qubit_operational(2)
    assert properties.faulty_qubits() == []


def test_all_of_it_is_a_dict(calibration):
    found = Properties(calibration).to_dict()
    assert found["qubits"][0]["T1"] == Properties(calibration).t1(0)
    assert {gate["gate"] for gate in found["gates"]} >= {"rz", "sx", "x", "cz"}
