"""The readable form of every stage, for lines with parameters, resets, control flow and gates of all kinds."""

import math

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Instruction, Parameter
from qiskit.circuit.classical import expr, types

from qctrl.compiler import assemble, lower, make_gate, schedule
from qctrl.ir import gate_text, pulse_text
from qctrl.pulse import (
    CustomGate,
    barrier,
    capture,
    constant,
    delay,
    drag,
    flat_top_cosine,
    frame,
    play,
    set_frequency,
    shift_phase,
    square,
)
from tests.unit.compiler import cross, trio


def parametric() -> QuantumCircuit:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(3, 3)
    circuit.rz(math.pi / 2, 0)
    circuit.sx(0)
    circuit.cz(1, 0)
    circuit.rz(2 * a + 0.25, 0)
    circuit.rz((a * b).sin(), 1)
    circuit.x([0, 1])
    circuit.delay(100, 1, "ns")
    circuit.barrier(0, 1)
    circuit.sx(2)
    circuit.measure([0, 1, 2], [2, 1, 0])
    return circuit


def resets() -> QuantumCircuit:
    low, high = ClassicalRegister(1, "low"), ClassicalRegister(2, "high")
    circuit = QuantumCircuit(QuantumRegister(3, "q"), low, high)
    circuit.sx(0)
    circuit.rz(Parameter("a"), 0)
    circuit.measure(0, low[0])
    circuit.reset([0, 1])
    circuit.reset(2)
    circuit.rz(0.5, 1)
    circuit.x(0)
    circuit.reset(0)
    circuit.measure([0, 1], high)
    return circuit


def branching() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    rounds = circuit.add_var("rounds", expr.lift(0, types.Uint(8)))
    circuit.sx(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)) as else_:
        circuit.rz(Parameter("a"), 0)
        circuit.x(0)
    with else_:
        circuit.rz(0.5, 0)
    with circuit.while_loop(expr.less(rounds, circuit.cregs[0])):
        circuit.store(rounds, expr.add(rounds, 1))
        circuit.reset(1)
        circuit.sx(0)
    circuit.measure(1, 1)
    return circuit


def mine() -> CustomGate:
    own = frame("q0.drive", frequency=4.97e9)
    return make_gate(
        "mine",
        [0, 1],
        [Parameter("amp"), Parameter("phase"), Parameter("hz"), Parameter("length")],
        lambda amp, phase, hz, length: [
            set_frequency("q0.drive", hz),
            play("q0.drive", drag(24e-9, amp=amp / 2, sigma=5e-9, beta=4.1e-10)),
            shift_phase(own, phase),
            play(own, constant(length, amp=0.1, phase=0.5)),
            shift_phase("q1.drive", -phase),
            barrier(),
            play("c01.flux", flat_top_cosine(2 * length, amp=amp, rise=4e-9)),
            play(frame("f0.readout", qubit=1), square(80e-9, amp=0.05)),
            delay(frame("f0.acquire", qubit=1), 16e-9),
            capture(frame("f0.acquire", qubit=1), 64e-9),
        ],
    )


def custom() -> QuantumCircuit:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(3, 2)
    circuit.rz(b, 1)
    circuit.append(Instruction("mine", 2, 1, [2 * a, a + b, 4.91e9, 40e-9]), [0, 1], [1])
    circuit.sx([0, 1])
    circuit.append(Instruction("mine", 2, 1, [0.25, b, 4.9e9 + a, 24e-9]), [0, 1], [0])
    return circuit


@pytest.mark.parametrize("circuit", [parametric, resets, branching, custom])
def test_texts_of_all_stages_are_as_reviewed(circuit, golden):
    gates = lower(circuit(), trio.calibration(), {("mine", (0, 1)): mine()})
    pulses = schedule(gates, trio.calibration())
    golden(f"{circuit.__name__}_gates.txt", gate_text(gates))
    golden(f"{circuit.__name__}_pulses.txt", pulse_text(pulses))
    golden(f"{circuit.__name__}_program.txt", assemble(pulses, trio.setup()).text() + "\n")


def ecr() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.rz(0.75, 0)
    circuit.sx(0)
    circuit.ecr(1, 0)
    circuit.measure([0, 1], [0, 1])
    return circuit


def rzz() -> QuantumCircuit:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.rx(a, [0, 1])
    circuit.rzz(a * b, 1, 0)
    circuit.rzz(0.5, 0, 1)
    circuit.rz(b, 0)
    circuit.cz(0, 1)
    circuit.rx(a, 0)
    return circuit


@pytest.mark.parametrize("circuit", [ecr, rzz])
def test_texts_of_cross_resonance_and_fractional_gates_are_as_reviewed(circuit, golden):
    gates = lower(circuit(), cross.calibration())
    pulses = schedule(gates, cross.calibration())
    golden(f"{circuit.__name__}_gates.txt", gate_text(gates))
    golden(f"{circuit.__name__}_pulses.txt", pulse_text(pulses))
    golden(f"{circuit.__name__}_program.txt", assemble(pulses, cross.setup()).text() + "\n")
