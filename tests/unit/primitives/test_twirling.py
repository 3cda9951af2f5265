"""Every draw of a twirled circuit does what the circuit did, and all draws together turn errors into Paulis."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.classical import expr
from qiskit.quantum_info import SuperOp, random_unitary

from qctrl.primitives.pauli_twirls import TWIRLED, twirls
from qctrl.primitives.twirl_layers import STRATEGIES
from qctrl.primitives.twirling import twirled
from tests.unit.primitives.test_euler import distance

A, B = Parameter("a"), Parameter("b")
FORMS = [lambda x: x, lambda x: A, lambda x: A * x - B, lambda x: (A + x).sin()]
angles = st.tuples(st.sampled_from(FORMS), st.floats(-3, 3)).map(lambda pair: pair[0](pair[1]))
qubits = st.integers(0, 2)
pairs = st.permutations([0, 1, 2]).map(lambda order: tuple(order[:2]))
steps = st.one_of(
    st.tuples(st.sampled_from(["rz", "rx"]), angles, qubits),
    st.tuples(st.sampled_from(["sx", "x", "h", "id"]), qubits),
    st.tuples(st.sampled_from(["cz", "ecr", "cx"]), pairs),
    st.tuples(st.sampled_from(["rzz", "rzx"]), angles, pairs),
    st.tuples(st.just("barrier"), st.just((0, 1))),
)


def build(steps):
    circuit = QuantumCircuit(3)
    for name, *rest in steps:
        where = rest.pop()
        getattr(circuit, name)(*rest, *(where if isinstance(where, tuple) else (where,)))
    return circuit


@given(steps=st.lists(steps, max_size=12), strategy=st.sampled_from(STRATEGIES), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_every_draw_does_what_the_circuit_did(steps, strategy, seed):
    circuit = build(steps)
    points = np.array([[0.3, -1.2], [2.5, 0.8]])[:, : circuit.num_parameters]
    made = twirled(circuit, gates=True, measurements=False, strategy=strategy)
    draw = made.draw(points, 3, np.random.default_rng(seed))
    assert draw.values.shape == (6, made.circuit.num_parameters)
    assert not draw.flips.any()
    for row, values in enumerate(draw.values):
        wanted = circuit.assign_parameters(points[row // 3])
        assert distance(made.circuit.assign_parameters(values), wanted) < 1e-9


@pytest.mark.parametrize("gate", sorted(TWIRLED))
def test_paulis_before_a_gate_are_undone_behind_it(gate):
    table = twirls(gate)
    assert len(table) == (8 if gate in ("rzz", "rzx") else 16)
    assert len(np.unique(table[:, :2].reshape(-1, 4), axis=0)) == len(table)


@pytest.mark.parametrize("gate", ["cz", "ecr", "cx"])
def test_all_draws_together_make_a_pauli_channel_of_any_error(gate):
    """The transfer matrix of the averaged error is diagonal, and that of the error itself is not."""
    circuit, ideal = QuantumCircuit(2), QuantumCircuit(2)
    getattr(circuit, gate)(0, 1)
    getattr(ideal, gate)(0, 1)
    error = random_unitary(4, seed=7).to_matrix()
    made = twirled(circuit, gates=True, measurements=False)
    choices = twirls(gate)
    paulis = np.zeros((len(choices), made.n_slots, 2), dtype=np.uint8)
    paulis[:, 1:5] = choices
    draw = made.bind(np.empty((1, 0)), paulis)
    total = SuperOp(np.zeros((16, 16)))
    for values in draw.values:
        bound = made.circuit.assign_parameters(values)
        noisy = bound.copy_empty_like()
        for instruction in bound.data:
            noisy.append(instruction)
            if instruction.name == gate:
                noisy.unitary(error, [0, 1])
        total = total + SuperOp(noisy) / len(choices)
    undone = SuperOp(ideal).adjoint()

    def off_diagonal(channel):
        matrix = _transfer(undone.compose(channel) if gate is None else channel.compose(undone))
        return np.abs(matrix - np.diag(np.diag(matrix))).max()

    plain = circuit.copy()
    plain.unitary(error, [0, 1])
    assert off_diagonal(SuperOp(plain)) > 0.1
    assert off_diagonal(total) < 1e-9


def _transfer(channel):
    """Return the Pauli transfer matrix."""
    one = [np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]
    paulis = [np.kron(a, b) for a, b in product(one, one)]
    return np.array([[np.trace(p @ _evolved(channel, q)).real / 4 for q in paulis] for p in paulis])


def _evolved(channel, matrix):
    return (channel.data @ matrix.reshape(-1, order="F")).reshape(4, 4, order="F")


def test_a_run_between_two_gates_becomes_one_gate_of_two_pulses():
    circuit = QuantumCircuit(2)
    circuit.cz(0, 1)
    for _ in range(5):
        circuit.sx(0)
        circuit.rz(A, 0)
    circuit.cz(0, 1)
    made = twirled(circuit, gates=True, measurements=False).circuit
    assert made.count_ops() == {"rz": 18, "sx": 12, "cz": 2}
    assert A not in made.parameters


def test_what_no_twirl_touches_stays_as_it_is():
    circuit = QuantumCircuit(3, 1)
    circuit.sx(2)
    circuit.rz(A, 2)
    circuit.measure(2, 0)
    circuit.cz(0, 1)
    made = twirled(circuit, gates=True, measurements=False)
    assert [each.name for each in made.circuit.data if made.circuit.qubits[2] in each.qubits] == ["sx", "rz", "measure"]
    untouched = twirled(circuit, gates=False, measurements=False)
    assert untouched.circuit == circuit
    draw = untouched.draw(np.array([[0.5]]), 2, np.random.default_rng(1))
    assert draw.values.tolist() == [[0.5], [0.5]]


def test_a_qubit_that_waits_has_random_paulis_between_barriers():
    circuit = QuantumCircuit(4)
    circuit.sx(2)
    circuit.cz(0, 1)
    circuit.sx(2)
    made = twirled(circuit, gates=True, measurements=False, strategy="active-accum", playable=range(9))
    assert made.circuit.count_ops() == {"rz": 18, "sx": 12, "cz": 1, "barrier": 2}
    assert [each.name for each in made.circuit.data if made.circuit.qubits[3] in each.qubits] == []
    draw = made.draw(np.empty((1, 0)), 400, np.random.default_rng(5))
    waiting = [made.circuit.find_bit(each.qubits[0]).index == 2 for each in made.circuit.data if each.name == "rz"]
    assert sum(waiting) == 6
    seen = np.unique(np.round(draw.values, 6), axis=0)
    assert len(seen) == pytest.approx(16 * 4, abs=12), "16 twirls of the gate, 4 of the qubit that waits"
    all_of_them = twirled(circuit, gates=True, measurements=False, strategy="all", playable=[0, 1, 2])
    assert all_of_them.circuit.count_ops() == made.circuit.count_ops()


def test_gates_in_control_flow_are_twirled_and_loop_parameters_stay_open():
    circuit, k = QuantumCircuit(2, 1), Parameter("k")
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.rz(A, 0)
        circuit.cz(0, 1)
    with circuit.for_loop(range(3), k):
        circuit.rz(k, 0)
        circuit.cz(0, 1)
    made = twirled(circuit, gates=True, measurements=True)
    assert len(made.gates) == 2
    assert made.measured == ()
    (branch,), (loop,) = (each.operation.blocks for each in made.circuit.data[1:])
    assert branch.count_ops() == {"rz": 12, "sx": 8, "cz": 1}
    assert loop.count_ops() == {"rz": 13, "sx": 8, "cz": 1}
    assert k in loop.parameters
    assert set(made.circuit.parameters).isdisjoint({A, k})


def test_measurements_are_twirled_where_nobody_reads_the_bit():
    circuit = QuantumCircuit(3, 4)
    var = circuit.add_var("v", expr.lift(circuit.clbits[3]))
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.measure(1, 1)
    circuit.measure(2, 3)
    with circuit.if_test((1, 1)):
        circuit.x(2)
    circuit.sx(0)
    circuit.measure(0, 2)
    assert var is not None
    made = twirled(circuit, gates=False, measurements=True)
    assert sorted(made.flips) == [0, 2]
    paulis = np.zeros((3, made.n_slots, 2), dtype=np.uint8)
    paulis[1, made.flips[0], 0] = paulis[2, made.flips[2], 0] = 1
    draw = made.bind(np.empty((1, 0)), paulis)
    assert draw.flips.tolist() == [[0], [1], [4]]
    for values in draw.values:
        bound = made.circuit.assign_parameters(values)
        assert bound.num_parameters == 0


def test_points_without_bindings_have_no_draws():
    circuit = QuantumCircuit(2)
    circuit.rz(A, 0)
    circuit.cz(0, 1)
    made = twirled(circuit, gates=True, measurements=False)
    assert made.draw(np.empty((0, 1)), 5, np.random.default_rng(1)).values.shape == (0, 12)
