"""Circuits made to fit a device."""

from pathlib import Path

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter

from qctrl.cli.device import Choice, check_runnable, fit, opened
from qctrl.errors import CompileError, ConfigError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def backend(nominal):
    with opened(Choice("pair2")) as found:
        yield found


def test_gates_outside_the_target_are_translated(backend):
    circuit = QuantumCircuit(2)
    circuit.swap(0, 1)
    circuit.ry(0.3, 0)
    assert set(fit(circuit, backend).count_ops()) <= {"rz", "sx", "x", "cz"}


def test_equal_seeds_give_equal_circuits(backend):
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    assert fit(circuit, backend, seed=5) == fit(circuit, backend, seed=5)


def test_too_many_qubits_are_refused(backend):
    with pytest.raises(CompileError, match="the circuit has 3 qubits, pair2 has 2; use fewer qubits"):
        fit(QuantumCircuit(3), backend)


def test_gate_without_definition_is_refused(backend):
    circuit = QuantumCircuit(1, name="odd")
    circuit.append(Gate("mystery", 1, []), [0])
    with pytest.raises(CompileError, match=r"odd: cannot be transpiled for pair2: .*mystery"):
        fit(circuit, backend)


def test_switches_reach_the_emulator(nominal):
    with opened(Choice("pair2", seed=3, noise=False)) as backend:
        assert backend.emulation.seed == 3
        assert backend.emulation.noise is False


def test_unknown_device_is_refused_with_the_known_ones(nominal):
    with pytest.raises(ConfigError, match=r"pair2.*chain5"), opened(Choice("pair3")):
        pass


def test_only_device_of_a_rack_is_the_default(nominal):
    with opened(Choice(config=ROOT / "configs" / "rack_visa.yaml")) as backend:
        assert backend.name == "pair2"
    with opened(Choice()) as backend:
        assert backend.name == "chain5"


def test_open_parameter_is_named():
    circuit = QuantumCircuit(1, 1)
    circuit.rx(Parameter("theta"), 0)
    circuit.measure(0, 0)
    with pytest.raises(CompileError, match="input theta has no value"):
        check_runnable(circuit)


def test_circuit_without_measurement_is_refused():
    with pytest.raises(CompileError, match="measures nothing"):
        check_runnable(QuantumCircuit(1, 1))


def test_measurement_inside_a_branch_counts():
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test((circuit.clbits[0], 0)):
        circuit.measure(0, 0)
    check_runnable(circuit)
