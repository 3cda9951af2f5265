"""The readable form of every stage, for a straight line with parameters and for resets."""

import math

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from qctrl.compiler import assemble, lower, schedule
from qctrl.ir import gate_text, pulse_text
from tests.unit.compiler import trio


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


@pytest.mark.parametrize("circuit", [parametric, resets])
def test_texts_of_all_stages_are_as_reviewed(circuit, golden):
    gates = lower(circuit(), trio.calibration())
    pulses = schedule(gates, trio.calibration())
    golden(f"{circuit.__name__}_gates.txt", gate_text(gates))
    golden(f"{circuit.__name__}_pulses.txt", pulse_text(pulses))
    golden(f"{circuit.__name__}_program.txt", assemble(pulses, trio.setup()).text() + "\n")
