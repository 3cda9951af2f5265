"""Folded circuits do the same with more gates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qctrl.primitives.folding import count_foldable, fold
from tests.unit.primitives.test_euler import distance
from tests.unit.primitives.test_twirling import build, steps

AMPLIFIERS = ["gate_folding", "gate_folding_front", "gate_folding_back"]


@given(
    steps=st.lists(steps, min_size=1, max_size=10).filter(lambda steps: count_foldable(build(steps)) > 0),
    factor=st.floats(1, 6),
    amplifier=st.sampled_from(AMPLIFIERS),
)
@settings(deadline=None, max_examples=25)
def test_a_folded_circuit_does_the_same_with_as_many_gates_as_it_says(steps, factor, amplifier):
    circuit = build(steps)
    made, got = fold(circuit, factor, amplifier)
    n_gates = count_foldable(circuit)
    assert count_foldable(made) == pytest.approx(got * n_gates)
    assert abs(got - factor) <= 1 / n_gates + 1e-9
    values = np.linspace(0.3, 0.9, circuit.num_parameters)
    assert distance(made.assign_parameters(values), circuit.assign_parameters(values)) < 1e-9


@pytest.mark.parametrize(
    ("amplifier", "folds"),
    [(AMPLIFIERS[0], [1, 3, 1, 3]), (AMPLIFIERS[1], [3, 3, 1, 1]), (AMPLIFIERS[2], [1, 1, 3, 3])],
)
def test_folds_that_are_left_over_are_spread_or_at_an_end(amplifier, folds):
    circuit = QuantumCircuit(2)
    for _ in range(4):
        circuit.cz(0, 1)
        circuit.sx(0)
    made, factor = fold(circuit, 2.0, amplifier)
    assert factor == 2.0
    names = "".join("c" if each.name == "cz" else "s" for each in made.data)
    assert [len(run) for run in names.split("s")[:-1]] == folds


def test_gates_in_control_flow_are_folded():
    circuit = QuantumCircuit(2, 1)
    circuit.cz(0, 1)
    with circuit.if_test((0, 1)):
        circuit.rzz(Parameter("a"), 0, 1)
    made, factor = fold(circuit, 3.0, "gate_folding")
    assert factor == 3.0
    assert made.count_ops()["cz"] == 3
    (body,) = made.data[-1].operation.blocks
    assert body.count_ops() == {"rzz": 3, "sx": 4}
