"""Stretched programs play longer and weaker pulses, and turn qubits as far."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, Parameter

from qctrl.calibration import stretched
from qctrl.compiler import CompileOptions, compile_circuit, make_gate
from qctrl.errors import CompileError, TimingError, UnsupportedInstructionError
from qctrl.pulse import constant, play
from tests.reference import ideal_qubits
from tests.unit.compiler import cross, trio

CALIBRATION, SETUP = cross.calibration(), cross.setup()
SLOW = CompileOptions(stretch=2.0)


def busy():
    circuit = QuantumCircuit(3)
    circuit.sx(0)
    circuit.x(1)
    circuit.ecr(1, 0)
    circuit.rx(0.7, 2)
    circuit.delay(100, 2)
    circuit.rzx(0.4, 1, 2)
    circuit.rzz(0.9, 1, 0)
    circuit.sx([0, 1, 2])
    return circuit


def test_a_stretched_program_does_the_same_in_twice_the_time():
    plain, slow = (compile_circuit(busy(), CALIBRATION, SETUP, options=each) for each in (CompileOptions(), SLOW))
    # Each of the gates one behind the other ends on the grid, stretched or not.
    assert slow.program.blocks["length_ticks"] == pytest.approx(2 * plain.program.blocks["length_ticks"], rel=0.03)
    wanted = ideal_qubits.unitary(plain, CALIBRATION, [0])
    found = ideal_qubits.unitary(slow, stretched(CALIBRATION, 2.0), [0])
    # The last turns show all phases but those that are left on the frames, which nobody sees.
    assert np.abs(found) == pytest.approx(np.abs(wanted), abs=1e-6)
    assert slow.text().endswith("note pulses and delays stretched by 2")
    assert slow.program.setup_hash == plain.program.setup_hash


def test_the_area_of_each_pulse_stays():
    plain, slow = (compile_circuit(busy(), CALIBRATION, SETUP, options=each) for each in (CompileOptions(), SLOW))
    for port in ("q0.drive", "q1.drive", "q2.drive"):
        one, other = (np.abs(made.samples(port)).sum() for made in (plain, slow))
        assert other == pytest.approx(one, rel=0.01)
        assert np.abs(slow.samples(port)).max() == pytest.approx(np.abs(plain.samples(port)).max() / 2, rel=0.01)


def test_what_cannot_be_stretched_is_refused():
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.cz(0, 1)
    with pytest.raises(UnsupportedInstructionError, match=r"instruction 1: cz on qubits \(0, 1\) cannot be stretched"):
        compile_circuit(circuit, trio.calibration(), trio.setup(), options=SLOW)
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    with pytest.raises(TimingError, match=r"stretched by 1\.01 .* stretch by 1 or 1\.04"):
        compile_circuit(circuit, trio.calibration(), trio.setup(), options=CompileOptions(stretch=1.01))
    for factor in (0.5, float("inf"), float("nan")):
        with pytest.raises(CompileError, match="must be 1 or more"):
            compile_circuit(circuit, trio.calibration(), trio.setup(), options=CompileOptions(stretch=factor))
    with circuit.box(duration=1000, unit="dt"):
        circuit.sx(0)
    with pytest.raises(CompileError, match="boxes with a duration cannot be stretched"):
        compile_circuit(circuit, trio.calibration(), trio.setup(), options=SLOW)


def test_custom_gates_are_refused():
    amplitude = Parameter("a")
    gate = make_gate("mine", [0], [amplitude], lambda a: [play("q0.drive", constant(24e-9, a))])
    circuit = QuantumCircuit(1)
    circuit.append(Instruction("mine", 1, 0, [0.1]), [0])
    with pytest.raises(UnsupportedInstructionError, match="what it plays is the user's own"):
        compile_circuit(circuit, trio.calibration(), trio.setup(), {("mine", (0,)): gate}, options=SLOW)
