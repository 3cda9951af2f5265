"""All twirls of a circuit are bindings of one packed program, and on perfect qubits each does what the circuit does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.circuit import Parameter

from qctrl.compiler import compile_circuit
from qctrl.primitives.twirl_layers import STRATEGIES
from qctrl.primitives.twirling import twirled
from tests.property.test_compiled_unitaries import CALIBRATION, SETUP, assert_same, isa, native
from tests.reference import ideal_qubits

A = Parameter("a")


@given(
    steps=st.lists(native(), max_size=12),
    value=st.floats(0.1, 0.9),
    forms=st.lists(st.booleans(), min_size=12, max_size=12),
    strategy=st.sampled_from(STRATEGIES),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=25)
def test_every_twirl_is_the_circuit(steps, value, forms, strategy, seed):
    form = iter(forms)
    circuit = isa(steps, lambda angle: angle * A if next(form) else angle)
    made = twirled(circuit, gates=True, measurements=False, strategy=strategy)
    values = np.full((1, circuit.num_parameters), value)
    draw = made.draw(values, 3, np.random.default_rng(seed))
    compiled = compile_circuit(made.circuit, CALIBRATION, SETUP)
    bound = circuit.assign_parameters(values[0])
    for words in compiled.bind(draw.values).words.tolist():
        assert_same(bound, compiled, words)


@given(prepared=st.tuples(st.booleans(), st.booleans()), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=10)
def test_bits_of_twirled_measurements_are_those_that_were_prepared(prepared, seed):
    circuit = isa([("x", (k,), None) for k, one in enumerate(prepared) if one])
    circuit = circuit.measure_all(inplace=False)
    made = twirled(circuit, gates=False, measurements=True)
    draw = made.draw(np.empty((1, 0)), 4, np.random.default_rng(seed))
    compiled = compile_circuit(made.circuit, CALIBRATION, SETUP)
    for words, flips in zip(compiled.bind(draw.values).words.tolist(), draw.flips[:, 0].tolist(), strict=True):
        bits = ideal_qubits.shot(compiled, CALIBRATION, words, round)
        assert [bit ^ (flips >> k & 1) for k, bit in enumerate(bits)] == [*prepared, False]


def test_a_twirled_sweep_is_one_program():
    circuit = isa([("sx", (0,), None), ("rz", (0,), A), ("sx", (0,), None), ("cz", (0, 1), None)], lambda angle: angle)
    made = twirled(circuit, gates=True, measurements=False)
    compiled = compile_circuit(made.circuit, CALIBRATION, SETUP)
    draw = made.draw(np.array([[0.1], [0.2]]), 50, np.random.default_rng(1))
    words = compiled.bind(draw.values).words
    assert words.shape[0] == 100
    assert len(np.unique(words, axis=0)) == pytest.approx(32, abs=12)
