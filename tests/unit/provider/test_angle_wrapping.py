"""Angles out of bounds become gates with angles in bounds, and do the same."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import RXGate, RZXGate, RZZGate
from qiskit.quantum_info import Operator

from qctrl.provider.angle_wrapping import wrap_rx, wrap_rzx, wrap_rzz
from qctrl.provider.target import build_target
from tests.unit.compiler import cross

WRAPPED = {
    "rx": (RXGate, wrap_rx, math.pi),
    "rzx": (RZXGate, wrap_rzx, math.pi / 2),
    "rzz": (RZZGate, wrap_rzz, math.pi / 2),
}


@pytest.mark.parametrize("name", WRAPPED)
@given(angle=st.floats(-30, 30))
@example(angle=0.0)
@example(angle=math.pi / 2)
@example(angle=-math.pi / 2)
@example(angle=math.pi)
@example(angle=-math.pi)
@example(angle=3 * math.pi)
@settings(deadline=None, max_examples=60)
def test_the_wrapped_gate_is_the_same_and_in_bounds(name, angle):
    gate, wrap, highest = WRAPPED[name]
    circuit = wrap(angle)
    (found,) = [float(each.params[0]) for each in circuit.data if each.name == name]
    assert 0 <= found <= highest
    assert Operator(circuit).equiv(Operator(gate(angle)), atol=1e-9)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_the_transpiler_brings_angles_into_the_bounds_of_the_target(level):
    target = build_target(cross.calibration())
    circuit = QuantumCircuit(3)
    for angle in (-0.3, 2.0, -2.5, 7.0):
        circuit.rzz(angle, 0, 1)
        circuit.rx(angle, 2)
        circuit.h(0)
    made = transpile(circuit, target=target, optimization_level=level, initial_layout=[0, 1, 2], seed_transpiler=3)
    bounds = {"rzz": (0, math.pi / 2), "rzx": (-math.pi / 2, math.pi), "rx": (-math.pi, math.pi)}
    scaled = [(each.name, float(each.params[0])) for each in made.data if each.name in bounds]
    assert any(name == "rzz" for name, _ in scaled)
    assert all(bounds[name][0] <= angle <= bounds[name][1] for name, angle in scaled)
    assert Operator(made).equiv(Operator(circuit), atol=1e-9)
