"""Which gates are twirled at once, and which qubits wait beside them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr, types
from qiskit.quantum_info import Operator

from qctrl.primitives.twirl_layers import STRATEGIES, steps


def layers(circuit, strategy, playable=None):
    """Return the gates of each layer and the qubits that wait, by index."""

    def places(qubits):
        return tuple(circuit.find_bit(qubit).index for qubit in qubits)

    able = [qubit for k, qubit in enumerate(circuit.qubits) if playable is None or k in playable]
    found = steps(circuit, lambda each: each.name == "cz", strategy, able)
    return [
        ([places(gate.qubits) for gate in step.instructions], places(step.waiting)) for step in found if step.is_layer
    ]


@pytest.fixture
def circuit():
    made = QuantumCircuit(6)
    made.cz(0, 1)
    made.sx(0)
    made.cz(2, 3)
    made.cz(1, 2)
    made.cz(3, 4)
    return made


def test_active_takes_each_gate_alone(circuit):
    assert layers(circuit, "active") == [([(0, 1)], ()), ([(2, 3)], ()), ([(1, 2)], ()), ([(3, 4)], ())]


@pytest.mark.parametrize(
    ("strategy", "waiting"),
    [("active-circuit", [(4,), (0,)]), ("active-accum", [(), (0,)]), ("all", [(4, 5), (0, 5)])],
)
def test_gates_that_have_equally_many_layers_before_them_are_one_layer(circuit, strategy, waiting):
    assert layers(circuit, strategy) == [([(0, 1), (2, 3)], waiting[0]), ([(1, 2), (3, 4)], waiting[1])]
    playable = [(gates, tuple(k for k in waits if k != 0)) for gates, waits in layers(circuit, strategy)]
    assert layers(circuit, strategy, playable={1, 2, 3, 4, 5}) == playable


def test_no_layer_waits_for_a_delay_or_a_measurement():
    circuit = QuantumCircuit(4, 4)
    circuit.sx([2, 3])
    circuit.cz(0, 1)
    circuit.delay(100, 2)
    circuit.sx(2)
    circuit.cz(0, 1)
    circuit.measure(3, 3)
    circuit.cz(0, 1)
    circuit.measure(range(3), range(3))
    assert layers(circuit, "all") == [([(0, 1)], (3,)), ([(0, 1)], (2, 3)), ([(0, 1)], (2,))]
    read = [step.instructions[0].name for step in steps(circuit, lambda each: each.name == "cz", "all", circuit.qubits)]
    assert read[-3:] == ["measure"] * 3


def test_what_may_read_or_write_anything_ends_a_layer():
    circuit = QuantumCircuit(4, 1)
    var = circuit.add_var("v", expr.lift(0, types.Uint(3)))
    circuit.cz(0, 1)
    circuit.store(var, expr.lift(1, types.Uint(3)))
    circuit.cz(2, 3)
    assert [gates for gates, _ in layers(circuit, "all")] == [[(0, 1)], [(2, 3)]]


@given(
    names=st.lists(st.tuples(st.sampled_from(["sx", "cz", "cz", "barrier"]), st.permutations(range(4))), max_size=14),
    strategy=st.sampled_from(STRATEGIES),
)
@settings(deadline=None, max_examples=30)
def test_the_order_of_the_steps_is_that_of_the_circuit_on_every_qubit(names, strategy):
    circuit = QuantumCircuit(4)
    for name, (first, second, *_) in names:
        getattr(circuit, name)(first, *(() if name == "sx" else (second,)))
    made = circuit.copy_empty_like()
    for step in steps(circuit, lambda each: each.name == "cz", strategy, circuit.qubits):
        busy = [qubit for each in step.instructions for qubit in each.qubits]
        assert len(set(busy)) == len(busy)
        assert not set(busy) & set(step.waiting)
        for each in step.instructions:
            made.append(each)
    assert dict(made.count_ops()) == dict(circuit.count_ops())
    assert Operator(made).equiv(Operator(circuit))
