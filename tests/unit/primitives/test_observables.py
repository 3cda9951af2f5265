"""Grouping, bases and values of observables, against dense matrices."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparseObservable, SparsePauliOp, Statevector

from qctrl.errors import CompileError
from qctrl.primitives.bases import REGISTER, measured
from qctrl.primitives.observables import estimate, group_terms, observable_terms, plan_pub, term_values

LETTERS = "IXYZ+-rl01"
TERMS = st.dictionaries(st.integers(0, 4), st.sampled_from(LETTERS[1:]), max_size=5).map(
    lambda letters: tuple(sorted(letters.items()))
)
BASIS_OF = dict(zip("XYZ+-rl01", "XYZXXYYZZ", strict=True))


def dense(term, n_qubits):
    label = "".join(dict(term).get(qubit, "I") for qubit in reversed(range(n_qubits)))
    return SparsePauliOp.from_sparse_observable(SparseObservable(label)).to_matrix()


@settings(deadline=None)
@given(st.sets(TERMS, max_size=12))
def test_groups_cover_every_term_once_and_commute_qubit_by_qubit(terms):
    groups = group_terms(terms)
    assert sorted(term for group in groups for term in group.terms) == sorted(term for term in terms if term)
    for group in groups:
        basis = dict(group.basis)
        for term in group.terms:
            assert all(basis[qubit] == BASIS_OF[letter] for qubit, letter in term)
    assert groups == group_terms(sorted(terms, reverse=True)), "the order of the input does not matter"


def test_commuting_terms_share_one_basis():
    terms = [((0, "Z"),), ((0, "Z"), (1, "Z")), ((1, "1"),), ((2, "+"),)]
    (group,) = group_terms(terms)
    assert group.basis == ((0, "Z"), (1, "Z"), (2, "X"))


@settings(deadline=None, max_examples=40)
@given(st.lists(TERMS, min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_values_in_the_measured_basis_give_the_exact_expectation(terms, seed):
    """Rotating by ISA gates, then reading signs and projectors, equals the dense expectation value."""
    n_qubits = 5
    state = Statevector(np.random.default_rng(seed).normal(size=(2, 2**n_qubits)).T @ [1, 1j])
    state /= np.linalg.norm(state.data)
    for group in group_terms(set(terms)):
        circuit = measured(QuantumCircuit(n_qubits), group.basis)
        circuit.remove_final_measurements()
        probabilities = state.evolve(circuit).probabilities([qubit for qubit, _ in group.basis])
        outcomes = np.array([[k >> bit & 1 for bit in range(len(group.basis))] for k in range(len(probabilities))])
        values = term_values(group.terms, [qubit for qubit, _ in group.basis], outcomes)
        for term, value in zip(group.terms, values @ probabilities, strict=True):
            assert value == pytest.approx(state.expectation_value(dense(term, n_qubits)).real, abs=1e-9)


def test_terms_of_an_observable_keep_their_coefficients():
    observable = SparseObservable.from_list([("IZ", 2.0), ("II", -1.0), ("0+", 0.5)])
    assert observable_terms(observable) == {((0, "Z"),): 2.0, (): -1.0, ((0, "+"), (1, "0")): 0.5}


def test_a_basis_that_several_points_need_is_measured_by_one_circuit():
    circuit = QuantumCircuit(2)
    pub = EstimatorPub.coerce((circuit, [["ZZ", "ZI"], ["XX", "IX"]]))
    plan = plan_pub(pub)
    assert plan.bases == (((0, "X"), (1, "X")), ((0, "Z"), (1, "Z")))
    assert plan.rows == ((0,), (0,))
    assert plan.shape == (2, 2)


def test_the_identity_is_free():
    plan = plan_pub(EstimatorPub.coerce((QuantumCircuit(1), SparsePauliOp("I", 3.0))))
    assert plan.bases == ()
    evs, stds = estimate(plan, [], 100)
    assert (evs.shape, float(evs), float(stds)) == ((), 3.0, 0.0)


def test_the_standard_error_knows_covariances():
    """Z0 - Z1 on equal bits never fluctuates, Z0 + Z1 fluctuates twice as much as one of them."""
    words = np.array([[0b00], [0b11]] * 50, dtype=np.uint8)[None]
    for sign, expected in ((-1.0, 0.0), (1.0, 2.0 / np.sqrt(100))):
        observable = SparsePauliOp(["IZ", "ZI"], [1.0, sign])
        plan = plan_pub(EstimatorPub.coerce((QuantumCircuit(2), observable)))
        evs, stds = estimate(plan, [words], 100)
        assert float(evs) == 0.0
        assert float(stds) == pytest.approx(expected)


@pytest.mark.parametrize("n_bits", [1, 8, 13, 19])
def test_outcomes_of_many_bits_are_unpacked_in_order(n_bits):
    rng = np.random.default_rng(n_bits)
    bools = rng.random((200, n_bits)) < np.linspace(0.1, 0.9, n_bits)
    padded = np.zeros((200, -(-n_bits // 8) * 8), dtype=bool)
    padded[:, :n_bits] = bools
    words = np.packbits(padded[:, ::-1], axis=1)[None]
    observables = [f"{'I' * (n_bits - 1 - q)}Z{'I' * q}" for q in range(n_bits)]
    plan = plan_pub(EstimatorPub.coerce((QuantumCircuit(n_bits), observables)))
    evs, _ = estimate(plan, [words], 200)
    assert evs == pytest.approx(1 - 2 * bools.mean(axis=0))


def test_the_register_of_the_basis_is_the_last_and_its_name_is_kept_free():
    circuit = QuantumCircuit(2, 1)
    extended = measured(circuit, ((0, "X"), (1, "Z")))
    assert [register.name for register in extended.cregs] == ["c", REGISTER]
    assert [instruction.name for instruction in extended.data] == ["rz", "sx", "barrier", "measure", "measure"]
    assert circuit.size() == 0
    with pytest.raises(CompileError, match="rename it"):
        measured(extended, ((0, "Z"),))


def test_zipped_and_crossed_broadcasts_keep_their_places():
    from qiskit.circuit import Parameter

    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    zipped = plan_pub(EstimatorPub.coerce((circuit, ["Z", "X", "Z"], [0.1, 0.2, 0.3])))
    assert dict(zip(zipped.bases, zipped.rows, strict=True)) == {((0, "Z"),): (0, 2), ((0, "X"),): (1,)}
    crossed = plan_pub(EstimatorPub.coerce((circuit, [["Z"], ["X"]], [0.1, 0.2, 0.3])))
    assert crossed.shape == (2, 3)
    assert all(rows == (0, 1, 2) for rows in crossed.rows)
    outputs = sorted(itertools.chain.from_iterable(readout.outputs for readout in crossed.readouts))
    assert outputs == sorted([0, 1, 2, 3, 4, 5] * 2)
