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


def test_all_of_it_has_the_form_of_the_older_interface(calibration):
    properties = Properties(calibration)
    made = properties.last_update_date
    assert properties.qubit_property(0)["T1"] == properties.qubit_property(0, "T1") == (properties.t1(0), made)
    assert properties.gate_property("cz", (0, 1), "gate_error") == (properties.gate_error("cz", (0, 1)), made)
    assert properties.gate_property("sx")[1,]["gate_length"] == (properties.gate_length("sx", 1), made)
    assert properties.faulty_gates() == properties.general == []
    found = properties.to_dict()
    assert found["qubits"][0][0] == {"name": "T1", "value": properties.t1(0), "unit": "s", "date": made}
    assert {gate["name"] for gate in found["gates"]} >= {"rz0", "sx1", "cz0_1"}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("sx", None, "gate_error"), "no gate_error of sx; name its qubits too"),
        (("ecr",), "no property of ecr; the device has no such gate"),
        (("sx", 0, "colour"), "has no 'colour'; measured of it are gate_error, gate_length"),
        (("cz", (1, 2)), "no such qubit|has no qubit 2|has no cz on qubits"),
    ],
)
def test_what_was_not_measured_is_refused(calibration, asked, message):
    with pytest.raises(CalibrationError, match=message):
        Properties(calibration).gate_property(*asked)


@pytest.mark.parametrize("device", ["pair2", "heavyhex7"])
def test_aer_makes_a_noise_model_of_the_older_interface(device):
    from qiskit_aer.noise.device import basic_device_gate_errors, basic_device_readout_errors

    properties = Properties(load(f"calibrations/{device}/working.yaml"))
    n_qubits = properties.calibration.num_qubits
    assert len(basic_device_readout_errors(properties=properties)) == n_qubits
    noisy = {(name, tuple(qubits)) for name, qubits, _ in basic_device_gate_errors(properties=properties)}
    assert {("sx", (qubit,)) for qubit in range(n_qubits)} <= noisy
