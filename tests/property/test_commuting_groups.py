"""Groups that commute as wholes say of any state what dense matrices say, by gates that the device has."""

import functools
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparseObservable, random_statevector

from qctrl.calibration import load
from qctrl.primitives.bases import measured
from qctrl.primitives.commuting import CommutingGroups, StoredGroups
from qctrl.primitives.mitigation import NONE
from qctrl.primitives.plan import plan_pub
from qctrl.primitives.readings import reading_values
from qctrl.provider.target import build_target
from tests.reference import dense_observables

N_QUBITS = {"chain5": 5, "heavyhex7": 7}


def terms_of(letters):
    letters_by_qubit = st.dictionaries(st.integers(0, 4), st.sampled_from(letters), min_size=1, max_size=4)
    return letters_by_qubit.map(lambda term: tuple(sorted(term.items())))


@functools.cache
def target(name):
    return build_target(load(f"calibrations/{name}/working.yaml"))


def outcomes(n_bits):
    return (np.arange(1 << n_bits)[:, None] >> np.arange(n_bits)) & 1


@settings(deadline=None, max_examples=20)
@given(
    device=st.sampled_from(sorted(N_QUBITS)),
    terms=st.sets(terms_of("XXYYZZ0-r"), min_size=1, max_size=9),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_term_is_read_in_one_group_with_its_exact_mean(device, terms, seed):
    n_qubits, has = N_QUBITS[device], target(device)
    state = random_statevector(2**n_qubits, seed)
    groups = CommutingGroups(has)(frozenset(terms))
    assert Counter(each.term for group in groups for each in group.readings) == Counter(terms)
    for group in groups:
        circuit = measured(QuantumCircuit(n_qubits), group.basis, group.gates)
        for each in circuit.data:
            places = tuple(circuit.find_bit(qubit).index for qubit in each.qubits)
            assert each.name == "barrier" or has.instruction_supported(each.name, places)
        supports = {qubit for each in group.readings for qubit, _ in each.term}
        assert {qubit for _, places, _ in group.gates for qubit in places} <= supports
        qubits = [qubit for qubit, _ in group.basis]
        circuit.remove_final_measurements()
        probabilities = state.evolve(circuit).probabilities(qubits)
        values = reading_values([each.read for each in group.readings], qubits, outcomes(len(qubits)), NONE)
        for each, value in zip(group.readings, values @ probabilities, strict=True):
            exact = state.expectation_value(dense_observables.matrix(each.term, n_qubits)).real
            assert each.sign * value == pytest.approx(exact, abs=1e-9)
        if group.gates:
            assert dense_observables.commute([each.term for each in group.readings], n_qubits)
            assert 0 < group.contrast < 1


@settings(deadline=None, max_examples=10)
@given(terms=st.lists(terms_of("XYZ"), min_size=1, max_size=7, unique=True), seed=st.integers(0, 2**32 - 1))
def test_shots_are_those_of_the_range_of_each_group_and_no_more_than_qubit_by_qubit(terms, seed):
    """The ends of a group of Paulis are its least and greatest eigenvalue; storing the groups changes no plan."""
    weights = np.random.default_rng(seed).uniform(-1, 1, len(terms)).tolist()
    letters = [("".join(x for _, x in term), [q for q, _ in term], w) for term, w in zip(terms, weights, strict=True)]
    observable = SparseObservable.from_sparse_list(letters, num_qubits=5)
    pub = EstimatorPub.coerce((QuantumCircuit(5), observable, None, 0.1))
    grouping = CommutingGroups(target("chain5"))
    plan, plain = plan_pub(pub, NONE, grouping), plan_pub(pub)
    assert plan.total_shots <= plain.total_shots
    stored = plan_pub(pub, NONE, StoredGroups(json.loads(json.dumps(grouping.to_document()))))
    assert stored.measurements == plan.measurements
    coefficients = dict(zip(terms, weights, strict=True))
    groups = {(group.basis, group.gates): group for group in grouping(frozenset(terms))}
    for readout in plan.readouts:
        measurement = plan.measurements[readout.measurement]
        group = groups.get((measurement.basis, measurement.gates))
        if group is not None and measurement.gates:
            members = [each.term for each in group.readings]
            matrix = dense_observables.weighted(members, [coefficients[term] for term in members], 5)
            eigenvalues = np.linalg.eigvalsh(matrix)
            assert readout.ends[0] == pytest.approx([eigenvalues[0], eigenvalues[-1]], abs=1e-9)


def test_a_bell_measurement_takes_four_ninths_of_the_shots():
    observable = SparseObservable.from_sparse_list([(pair, [1, 2], 1.0) for pair in ("XX", "YY", "ZZ")], num_qubits=5)
    pub = EstimatorPub.coerce((QuantumCircuit(5), observable, None, 0.1))
    (measurement,) = plan_pub(pub, NONE, CommutingGroups(target("chain5"))).measurements
    assert [name for name, places, _ in measurement.gates if len(places) == 2] == ["cz"]
    assert (measurement.shots, plan_pub(pub).total_shots) == (400, 900)


def test_qubits_that_are_not_coupled_are_measured_one_by_one():
    observable = SparseObservable.from_sparse_list([("XX", [0, 3], 1.0), ("YY", [0, 3], 1.0)], num_qubits=5)
    pub = EstimatorPub.coerce((QuantumCircuit(5), observable, None, 0.1))
    measurements = plan_pub(pub, NONE, CommutingGroups(target("chain5"))).measurements
    assert [each.gates for each in measurements] == [(), ()]
