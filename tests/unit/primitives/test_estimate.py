"""Values and standard errors from bits, against dense matrices and exact distributions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparseObservable, SparsePauliOp, Statevector
from scipy.stats import chi2

from qctrl.primitives.bases import measured
from qctrl.primitives.estimate import estimate, estimate_in_groups
from qctrl.primitives.mitigation import NONE, Assignment, Mitigation
from qctrl.primitives.observables import group_terms
from qctrl.primitives.plan import plan_pub
from qctrl.primitives.readings import reading_values
from tests.reference.dense_observables import matrix

LETTERS = "XYZ+-rl01"
TERMS = st.dictionaries(st.integers(0, 4), st.sampled_from(LETTERS), max_size=5).map(
    lambda letters: tuple(sorted(letters.items()))
)


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
        read = [reading.read for reading in group.readings]
        values = reading_values(read, [qubit for qubit, _ in group.basis], outcomes, NONE)
        for term, value in zip(read, values @ probabilities, strict=True):
            assert value == pytest.approx(state.expectation_value(matrix(term, n_qubits)).real, abs=1e-9)


def plan_of(n_qubits, observables, mitigation=NONE, precision=0.1):
    return plan_pub(EstimatorPub.coerce((QuantumCircuit(n_qubits), observables, None, precision)), mitigation)


def test_the_identity_is_free():
    plan = plan_of(1, SparsePauliOp("I", 3.0))
    assert plan.measurements == ()
    evs, stds = estimate(plan, [])
    assert (evs.shape, float(evs), float(stds)) == ((), 3.0, 0.0)


def succession(variance, half, shots):
    """Standard error with one shot more at each end of a range around a mean of zero."""
    return math.sqrt((shots * variance + 2 * half**2) / (shots + 2) / shots)


def test_the_standard_error_knows_covariances():
    """Z0 - Z1 on equal bits never fluctuates, Z0 + Z1 fluctuates twice as much as one of them."""
    words = np.array([[0b00], [0b11]] * 50, dtype=np.uint8)[None]
    for sign, variance in ((-1.0, 0.0), (1.0, 4.0)):
        evs, stds = estimate(plan_of(2, SparsePauliOp(["IZ", "ZI"], [1.0, sign])), [words])
        assert float(evs) == 0.0
        assert float(stds) == pytest.approx(succession(variance, 2.0, 100))


def test_what_was_never_seen_is_not_impossible():
    evs, stds = estimate(plan_of(1, "Z"), [np.zeros((1, 100, 1), dtype=np.uint8)])
    assert float(evs) == 1.0
    assert float(stds) == pytest.approx(2 * math.sqrt(101 / 102 * 1 / 102 / 100))


@pytest.mark.parametrize("common", [0.0, 0.5])
def test_standard_errors_of_twirled_shots_are_neither_too_small_nor_too_large(common):
    """2000 results with 8 draws; their variance is known to 3.2 %, so 18 % is more than 5 standard deviations.

    Draws that do not differ are taken for such that do in one case of 20, which adds 6 % on average.
    """
    rng = np.random.default_rng(7)
    p = 0.5 + common * (rng.random((2000, 8, 1)) - 0.5)
    words = (rng.random((2000, 8, 64)) < p).astype(np.uint8).reshape(2000, 512, 1)
    circuit = QuantumCircuit(1)
    circuit.rz(Parameter("a"), 0)
    plan = plan_pub(EstimatorPub.coerce((circuit, "Z", np.zeros((2000, 1)), 0.1)))
    evs, stds = estimate_in_groups(plan, [words], [8])
    assert 1 - 0.12 < np.mean(stds**2) / np.var(evs) < 1 + 0.06 + 0.12


@pytest.mark.parametrize("n_bits", [1, 8, 13, 19])
def test_outcomes_of_many_bits_are_unpacked_in_order(n_bits):
    rng = np.random.default_rng(n_bits)
    bools = rng.random((3, 200, n_bits)) < np.linspace(0.1, 0.9, n_bits)
    padded = np.zeros((3, 200, -(-n_bits // 8) * 8), dtype=bool)
    padded[..., :n_bits] = bools
    words = np.packbits(padded[..., ::-1], axis=2)
    observables = [f"{'I' * (n_bits - 1 - q)}Z{'I' * q}" for q in range(n_bits)]
    plan = plan_of(n_bits, [observables] * 3)
    evs, _ = estimate(plan, [words[:1]])
    assert evs[0] == pytest.approx(1 - 2 * bools[0].mean(axis=0))


MATRICES = st.tuples(st.floats(0, 0.3), st.floats(0, 0.3))


@settings(deadline=None, max_examples=30)
@given(
    st.lists(TERMS, min_size=1, max_size=5, unique=True),
    st.lists(MATRICES, min_size=5, max_size=5),
    st.integers(0, 2**32),
)
def test_mitigated_estimates_and_their_errors_are_those_of_the_exact_distribution(terms, matrices, seed):
    """20 000 misread shots of a random state; false alarm below 1e-6 by Bernstein, with the true variance."""
    rng = np.random.default_rng(seed)
    shots, n_qubits = 20_000, 5
    mitigation = Mitigation({q: Assignment(*matrix) for q, matrix in enumerate(matrices)})
    true = rng.dirichlet(np.full(2**n_qubits, 0.3))
    weights = rng.uniform(-1, 1, len(terms))
    in_z = [tuple((qubit, {"X": "Z", "Y": "Z"}.get(letter, letter)) for qubit, letter in term) for term in terms]
    in_z = [tuple((qubit, {"+": "0", "r": "0", "-": "1", "l": "1"}.get(x, x)) for qubit, x in term) for term in in_z]
    observable = SparseObservable.from_sparse_list(
        [("".join(x for _, x in term), [q for q, _ in term], w) for term, w in zip(in_z, weights, strict=True)],
        num_qubits=n_qubits,
    )
    plan = plan_of(n_qubits, observable, mitigation)
    exact = (dense_diagonal(observable) * true).sum()
    if not plan.measurements:
        assert float(estimate(plan, [])[0]) == pytest.approx(exact)
        return
    qubits = [qubit for qubit, _ in plan.measurements[0].basis]
    prepared = rng.choice(2**n_qubits, size=shots, p=true)
    words = np.zeros(shots, dtype=np.uint8)
    for place, qubit in enumerate(qubits):
        bit = prepared >> qubit & 1
        wrong = rng.random(shots) < np.where(bit, matrices[qubit][1], matrices[qubit][0])
        words |= ((bit ^ wrong) << place).astype(np.uint8)
    evs, stds = estimate(plan, [words.reshape(1, shots, 1)])
    (low, high) = plan.readouts[0].ends[0]
    log = math.log(2 / 1e-8)
    variance = (float(stds) ** 2) * shots
    # Maurer and Pontil, "Empirical Bernstein bounds", theorem 4: variance from the sample itself.
    allowed = math.sqrt(2 * variance * log / shots) + 7 * (high - low) * log / (3 * (shots - 1))
    assert abs(float(evs) - exact) <= allowed
    assert float(stds) <= (high - low) / 2 / math.sqrt(shots) * 1.001


def dense_diagonal(observable):
    return np.diag(SparsePauliOp.from_sparse_observable(observable).to_matrix()).real


def test_uncertain_matrices_add_to_the_error():
    """The estimate of Z is (m - a) / b with b = 1 - p10 - p01: its slope by p10 at m = b + a is checked by hand."""
    words = np.zeros((1, 10_000, 1), dtype=np.uint8)
    for unc in (0.0, 0.01):
        mitigation = Mitigation({0: Assignment(0.1, 0.2, unc)})
        evs, stds = estimate(plan_of(1, "Z", mitigation), [words])
        by_p10, by_p01 = 2 * (1 - 0.2) / 0.7**2, 2 * 0.1 / 0.7**2
        assert float(evs) == pytest.approx(1 + 2 * 0.1 / 0.7)
        if unc == 0.0:
            alone = float(stds)
    assert float(stds) == pytest.approx(math.sqrt(alone**2 + unc**2 * (by_p10**2 + by_p01**2)), rel=1e-6)


def test_standard_errors_hold_what_is_not_known_of_the_matrices():
    """Seed 5: 300 calibrations miss the true matrices by their unc; chi square of the deviations, false alarm 1e-6.

    A calibration that claims to be exact is caught: shots alone explain a tenth of the variance.
    """
    rng, unc, shots, true = np.random.default_rng(5), 0.01, 20_000, [(0.05, 0.08), (0.1, 0.03)]
    prepared = rng.integers(2, size=(300, 2))
    exact = (1 - 2 * prepared[:, 0]) * (1 - 2 * prepared[:, 1])
    pulls = {0.0: [], unc: []}
    for bits, wanted in zip(prepared, exact, strict=True):
        chance = [true[q][1] if bit else true[q][0] for q, bit in enumerate(bits)]
        read = bits ^ (rng.random((shots, 2)) < chance)
        words = (read[:, 0] | read[:, 1] << 1).astype(np.uint8).reshape(1, shots, 1)
        known = [np.clip(rng.normal(pair, unc), 0, 1) for pair in true]
        for claimed, found in pulls.items():
            mitigation = Mitigation({q: Assignment(*pair, claimed) for q, pair in enumerate(known)})
            evs, stds = estimate(plan_of(2, "ZZ", mitigation), [words])
            found.append((float(evs) - wanted) / float(stds))
    low, high = chi2.ppf([5e-7, 1 - 5e-7], 300)
    assert low < np.sum(np.square(pulls[unc])) < high
    assert np.sum(np.square(pulls[0.0])) > 4 * high
