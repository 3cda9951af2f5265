"""Bases, points and shots of estimator pubs."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import ObservablesArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparseObservable, SparsePauliOp

from qctrl.primitives.mitigation import Assignment, Mitigation
from qctrl.primitives.plan import pauli_shots, plan_pub

PRECISION = 0.1


def planned(circuit, observables, values=None, mitigation=None):
    pub = EstimatorPub.coerce((circuit, observables, values, PRECISION))
    return plan_pub(pub) if mitigation is None else plan_pub(pub, mitigation)


def test_a_basis_that_several_points_need_is_measured_by_one_circuit():
    plan = planned(QuantumCircuit(2), [["ZZ", "ZI"], ["XX", "IX"]])
    assert [(each.basis, each.rows) for each in plan.measurements] == [
        (((0, "X"), (1, "X")), (0,)),
        (((0, "Z"), (1, "Z")), (0,)),
    ]
    assert plan.shape == (2, 2)


def test_zipped_and_crossed_broadcasts_keep_their_places():
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    zipped = planned(circuit, ["Z", "X", "Z"], [0.1, 0.2, 0.3])
    assert {each.basis: each.rows for each in zipped.measurements} == {((0, "Z"),): (0, 2), ((0, "X"),): (1,)}
    crossed = planned(circuit, [["Z"], ["X"]], [0.1, 0.2, 0.3])
    assert crossed.shape == (2, 3)
    assert all(each.rows == (0, 1, 2) for each in crossed.measurements)
    outputs = sorted(itertools.chain.from_iterable(readout.outputs.ravel().tolist() for readout in crossed.readouts))
    assert outputs == sorted([0, 1, 2, 3, 4, 5] * 2)


def test_equal_observables_are_planned_alike_whether_they_are_one_object_or_two():
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    one = SparsePauliOp("Z")
    same = planned(circuit, ObservablesArray([one, "X", one]), [0.1, 0.2, 0.3])
    equal = planned(circuit, ObservablesArray([SparsePauliOp("Z"), "X", SparsePauliOp("Z")]), [0.1, 0.2, 0.3])
    assert same.measurements == equal.measurements


@pytest.mark.parametrize(
    ("observable", "shots"),
    [
        ("ZZ", [100]),
        (SparsePauliOp("ZZ", 3.0), [900]),
        (SparsePauliOp("ZZ", 0.01), [1]),
        (SparsePauliOp(["ZZ", "ZI"], [1.0, 1.0]), [400]),
        (SparsePauliOp(["ZZ", "XX"], [1.0, 3.0]), [1200, 400]),
        (SparsePauliOp(["ZZ", "II"], [1.0, 9.0]), [100]),
        (SparsePauliOp(["ZZ", "ZI", "IZ"], [-1.0, 1.0, 1.0]), [400]),
        (SparseObservable("00"), [25]),
        (["ZZ", SparsePauliOp("ZI", 2.0)], [400]),
    ],
)
def test_shots_follow_the_coefficients(observable, shots):
    """Half the range of a group bounds its deviation: shots go by it, and a projector needs a quarter.

    No outcome makes all of ZI, IZ and -ZZ one: their sum is in -3..1."""
    if isinstance(observable, list):
        observable = [[each] for each in observable]
    assert [each.shots for each in planned(QuantumCircuit(2), observable).measurements] == shots


def test_any_positive_precision_and_any_coefficient_has_a_number_of_shots():
    assert (pauli_shots(0.1), pauli_shots(1e300), pauli_shots(2)) == (100, 1, 1)
    assert pauli_shots(1e-300) > 10**17
    assert planned(QuantumCircuit(2), SparsePauliOp("ZZ", 1e200)).measurements[0].shots > 10**17
    assert planned(QuantumCircuit(2), SparsePauliOp(["ZZ", "XX"], [1.0, 1e-7])).total_shots == 102


@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=3))
def test_the_worst_state_still_meets_the_precision(coefficients):
    """Three bases, each at its largest variance: the sum of variances over shots is at most the precision squared."""
    plan = planned(QuantumCircuit(2), SparsePauliOp(["XX", "YY", "ZZ"], coefficients))
    shots = {each.basis[0][1]: each.shots for each in plan.measurements}
    variance = sum(c**2 / shots[letter] for letter, c in zip("XYZ", coefficients, strict=True))
    assert variance <= PRECISION**2 * (1 + 1e-9)
    assert plan.total_shots <= math.ceil(sum(coefficients) ** 2 / PRECISION**2) + 3


def test_correcting_the_readout_takes_more_shots():
    mitigation = Mitigation({0: Assignment(0.1, 0.1)})
    (plain,) = planned(QuantumCircuit(2), "IZ").measurements
    (mitigated,) = planned(QuantumCircuit(2), "IZ", mitigation=mitigation).measurements
    assert (plain.shots, mitigated.shots) == (100, math.ceil(100 / 0.8**2))


def test_the_ends_bound_every_shot():
    plan = planned(QuantumCircuit(2), [[SparseObservable.from_list([("0I", 2.0), ("ZZ", -1.0), ("I1", -0.5)])]])
    (readout,) = plan.readouts
    assert readout.ends.tolist() == [[-1.5, 2.5]]
    assert np.array_equal(np.sort(readout.weights[0]), [-1.0, -0.5, 2.0])


def test_many_qubits_are_bounded_term_by_term():
    observable = SparseObservable.from_list([("Z" * 12, 1.0), ("0" * 12, 2.0), ("IZ" * 6, -0.5)])
    (readout,) = planned(QuantumCircuit(12), observable).readouts
    assert readout.ends.tolist() == [[-1.5, 3.5]]
