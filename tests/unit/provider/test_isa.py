"""The early check names the instruction, its qubits, its place and the fix."""

import pytest
from qiskit import QuantumCircuit

from qctrl.calibration import load
from qctrl.errors import ResourceError, UnsupportedInstructionError
from qctrl.provider import build_target, check_isa


@pytest.fixture
def target():
    return build_target(load("calibrations/pair2/nominal.yaml"))


def test_isa_circuits_pass(target):
    circuit = QuantumCircuit(2, 2)
    circuit.rz(0.1, 0)
    circuit.sx(0)
    circuit.cz(1, 0)
    circuit.barrier()
    circuit.delay(16, 1)
    circuit.reset(0)
    circuit.measure([0, 1], [0, 1])
    check_isa(circuit, target, device="pair2")


def test_the_message_says_what_where_and_what_to_do(target):
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.cx(1, 0)
    with pytest.raises(UnsupportedInstructionError) as caught:
        check_isa(circuit, target, device="pair2")
    error = caught.value
    assert str(error) == (
        "instruction cx on qubits (1, 0) is not supported by pair2, at position 1 of the circuit; transpile first: "
        "generate_preset_pass_manager(optimization_level=1, backend=backend).run(circuit)"
    )
    assert (error.gate, error.qubits, error.instruction) == ("cx", (1, 0), 1)


def test_a_circuit_may_have_fewer_qubits_but_not_more(target):
    check_isa(QuantumCircuit(1), target, device="pair2")
    with pytest.raises(ResourceError, match="use at most 2 qubits or a larger device"):
        check_isa(QuantumCircuit(3), target, device="pair2")


def test_bodies_of_control_flow_are_checked_too(target):
    circuit = QuantumCircuit(2, 1)
    with circuit.if_test((circuit.clbits[0], 1)), circuit.for_loop(range(3)):
        circuit.x(1)
        circuit.break_loop()
    circuit.store(circuit.clbits[0], True)
    check_isa(circuit, target, device="pair2")
    with circuit.while_loop((circuit.clbits[0], 1)), circuit.box():
        circuit.h(1)
    where = r"instruction h on .*, at position 0 of box at position 0 of while_loop at position 2 of the circuit"
    with pytest.raises(UnsupportedInstructionError, match=where):
        check_isa(circuit, target, device="pair2")
