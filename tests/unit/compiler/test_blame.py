"""Errors get the name of their instruction."""

import pytest
from qiskit import QuantumCircuit

from qctrl.compiler.blame import blame
from qctrl.errors import CompileError, TimingError


@pytest.fixture
def circuit():
    made = QuantumCircuit(3)
    made.x(0)
    made.cz(2, 1)
    return made


def test_an_index_becomes_name_and_qubits(circuit):
    error = blame(TimingError("instruction 1: too late; wait", instruction=1), circuit)
    assert isinstance(error, TimingError)
    assert str(error) == "instruction 1: cz on qubits (2, 1): too late; wait"
    assert (error.instruction, error.gate, error.qubits) == (1, "cz", (2, 1))


@pytest.mark.parametrize("known", [{}, {"instruction": 1, "gate": "cz"}])
def test_what_is_nobodys_fault_or_known_stays(circuit, known):
    error = CompileError("wrong", **known)
    assert blame(error, circuit) is error
