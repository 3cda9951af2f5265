"""``EstimatorV2`` on ideal state vectors, against Qiskit's exact estimator."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import ObservablesArray, StatevectorEstimator
from qiskit.quantum_info import SparseObservable, SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager
from scipy.stats import chi2

from qctrl import EstimatorOptions
from qctrl.errors import ResourceError, UnsupportedInstructionError
from qctrl.primitives import EstimatorV2, restore
from qctrl.service import Jobs, JobStore
from tests.reference.ideal_backend import ideal_backend


@pytest.fixture
def backend(tmp_path):
    return ideal_backend("chain5", tmp_path / "jobs.sqlite", seed=11)


@pytest.fixture
def estimator(backend):
    return EstimatorV2(backend)


@pytest.fixture
def isa(backend):
    circuit = QuantumCircuit(3)
    for qubit, parameter in enumerate(ParameterVector("p", 3)):
        circuit.ry(parameter, qubit)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    return generate_preset_pass_manager(optimization_level=1, backend=backend, seed_transpiler=1).run(circuit)


def assert_estimates(ours, exact, observables_bound, shots):
    """Hoeffding per basis, 100 numbers: false alarm 1e-6 in all; ``observables_bound`` is sum |c|."""
    assert np.all(np.abs(ours - exact) < observables_bound * math.sqrt(2 * math.log(2 * 100 / 1e-6) / shots))


@pytest.mark.parametrize(
    ("observables", "values"),
    [
        ("ZZI", np.zeros(3)),
        (["ZZI", "XIX", "IYY"], np.full((3,), 0.4)),
        (["ZZI", "XIX", "IYY"], np.linspace(0, 1, 9).reshape(3, 3)),
        ([["ZZI"], ["XIX"]], np.linspace(0, 2, 12).reshape(4, 3)),
        ([SparsePauliOp(["ZZI", "XXI", "IYY", "III"], [1.0, 0.5, -0.25, 2.0])], np.zeros((2, 1, 3))),
        (SparseObservable.from_list([("0+I", 1.0), ("Z1l", -0.5), ("r-X", 0.3)]), np.linspace(0, 2, 6).reshape(2, 3)),
    ],
)
def test_expectation_values_are_within_shot_noise_and_broadcast_as_qiskits(
    backend, estimator, isa, observables, values
):
    """Seed 11; false alarm 1e-6."""
    arranged = ObservablesArray.coerce(observables).apply_layout(isa.layout)
    pub = (isa, arranged, values)
    result = estimator.run([pub], precision=0.03).result()[0]
    paulis = [SparsePauliOp.from_sparse_observable(each) for each in arranged.sparse_observables_array().ravel()]
    expanded = np.empty(len(paulis), dtype=object)
    expanded[:] = paulis
    exact = StatevectorEstimator().run([(isa, expanded.reshape(arranged.shape), values)]).result()[0].data.evs
    assert result.data.evs.shape == result.data.stds.shape == np.shape(exact)
    assert result.data.evs.dtype == result.data.stds.dtype == np.float64
    assert_estimates(result.data.evs, exact, 4.0, result.metadata["shots"])


def test_metadata_are_those_of_qiskit_and_ours_under_one_key(estimator, isa):
    observable = SparsePauliOp("ZZI").apply_layout(isa.layout)
    result = estimator.run(
        [(isa, observable, np.zeros(3)), (isa, observable, np.zeros(3), 0.5)], precision=0.1
    ).result()
    assert result.metadata == {"version": 2}
    first, second = (dict(each.metadata) for each in result)
    ours = first.pop("qctrl")
    second.pop("qctrl")
    assert first == {"target_precision": 0.1, "shots": 100, "circuit_metadata": isa.metadata}
    assert second == {"target_precision": 0.5, "shots": 4, "circuit_metadata": isa.metadata}
    qubits = [qubit for qubit, letter in enumerate(reversed(str(observable.paulis[0]))) if letter == "Z"]
    assert ours == {
        "total_shots": 100,
        "groups": [{"basis": dict.fromkeys(qubits, "Z"), "shots": 100, "points": 1}],
        "measure_mitigation": False,
    }


def test_the_default_precision_is_a_hundredth(backend, isa):
    observable = SparsePauliOp("ZZI").apply_layout(isa.layout)
    result = EstimatorV2(backend).run([(isa, observable, np.zeros(3))]).result()
    assert result[0].metadata["shots"] == 10_000
    for options in ({"default_precision": 0.25}, {"default_shots": 16}):
        loose = EstimatorV2(backend, options=options).run([(isa, observable, np.zeros(3))]).result()
        assert loose[0].metadata["shots"] == 16
        assert loose[0].metadata["target_precision"] == 0.25


def test_without_grouping_each_term_has_shots_of_its_own(backend, isa):
    """Seed 11; false alarm 1e-6. As Qiskit's ``abelian_grouping=False``, also when the job is read back."""
    observable = SparsePauliOp(["ZZI", "IZZ", "ZII"], [1, 0.5, 1]).apply_layout(isa.layout)
    pub = (isa, observable, np.full(3, 0.4))
    job = EstimatorV2(backend, {"abelian_grouping": False}).run([pub], precision=0.1)
    result = job.result()[0]
    assert len(result.metadata["qctrl"]["groups"]) == 3
    exact = StatevectorEstimator().run([pub]).result()[0].data.evs
    assert_estimates(result.data.evs, exact, 2.5, 100)
    again = restore(Jobs(JobStore(backend.jobs.store.path)).find(job.job_id()), lambda: backend).result()[0]
    assert again.data.evs == result.data.evs


def test_each_basis_is_compiled_once_and_bound_at_the_points_it_needs(backend, estimator, isa):
    observables = ObservablesArray.coerce([["ZZI", "XXI", "ZII"]]).apply_layout(isa.layout)
    job = estimator.run([(isa, observables, np.zeros((7, 1, 3)))], precision=0.2)
    job.result()
    works = backend.runner.specs[0].works
    assert [work.patch.n_bindings for work in works] == [7, 7]
    assert len({work.program.hash for work in works}) == 2
    assert job.metrics()["qctrl"]["shots"] == 2 * 7 * 25


def test_the_identity_costs_no_shots(backend, estimator, isa):
    observable = SparsePauliOp("III", 1.5).apply_layout(isa.layout)
    result = estimator.run([(isa, observable, np.zeros((2, 3)))]).result()[0]
    assert result.data.evs.tolist() == [1.5, 1.5]
    assert result.data.stds.tolist() == [0.0, 0.0]
    assert backend.runner.specs[0].works == ()


def test_standard_errors_are_those_of_the_shots(estimator, isa):
    observable = SparsePauliOp("IIX").apply_layout(isa.layout)
    data = estimator.run([(isa, observable, np.zeros(3))], precision=0.02).result()[0].data
    expected = math.sqrt((1 - float(data.evs) ** 2) / 2500)
    assert float(data.stds) == pytest.approx(expected, rel=1e-3)


def test_a_heavy_observable_gets_the_shots_that_its_precision_takes(estimator, backend, isa):
    """Seed 11; the deviations of 60 results agree with their standard errors: chi square, false alarm 1e-6."""
    observable = SparsePauliOp(["ZZI", "XXI", "IYY"], [3.0, 1.0, 0.5]).apply_layout(isa.layout)
    values = np.random.default_rng(3).uniform(0, 2, (60, 3))
    result = estimator.run([(isa, observable, values)], precision=0.1).result()[0]
    exact = StatevectorEstimator().run([(isa, observable, values)]).result()[0].data.evs
    assert result.data.stds.max() <= 0.1
    shots = [each["shots"] for each in result.metadata["qctrl"]["groups"]]
    assert sorted(shots) == [225, 450, 1350]
    assert result.metadata["qctrl"]["total_shots"] == 60 * sum(shots)
    pulls = (result.data.evs - exact) / result.data.stds
    low, high = chi2.ppf([5e-7, 1 - 5e-7], 60)
    assert low < float(pulls @ pulls) < high


@pytest.mark.parametrize("level", [0, 1])
def test_terms_that_commute_share_shots_behind_entangling_gates(tmp_path, isa, level):
    """Seed 11; the deviations of 60 results agree with their standard errors: chi square, false alarm 1e-6."""
    backend = ideal_backend("chain5", tmp_path / "jobs.sqlite", seed=11, calibration="working")
    terms = [(pair, qubits, 1.0) for qubits in ([0, 1], [1, 2]) for pair in ("XX", "YY", "ZZ")]
    observable = SparsePauliOp.from_sparse_list([*terms, ("Y", [0], 0.5)], 3).apply_layout(isa.layout)
    values = np.random.default_rng(3).uniform(0, 2, (60, 3))
    estimator = EstimatorV2(backend, {"grouping": "commuting", "resilience_level": level})
    estimator.options.resilience.measure_mitigation = False if level == 0 else "correlated"
    job = estimator.run([(isa, observable, values)], precision=0.15)
    result = job.result()[0]
    exact = StatevectorEstimator().run([(isa, observable, values)]).result()[0].data.evs
    ours = result.metadata["qctrl"]
    assert any("gates" in group for group in ours["groups"])
    plain = EstimatorV2(backend).run([(isa, observable, values[0])], precision=0.15).result()[0]
    assert sum(group["shots"] for group in ours["groups"]) < 0.7 * plain.metadata["qctrl"]["total_shots"]
    pulls = (result.data.evs - exact) / result.data.stds
    low, high = chi2.ppf([5e-7, 1 - 5e-7], 60)
    assert low < float(pulls @ pulls) < high
    again = restore(Jobs(JobStore(backend.jobs.store.path)).find(job.job_id()), lambda: backend).result()[0]
    assert np.array_equal(again.data.evs, result.data.evs)
    assert again.metadata == result.metadata


def test_extrapolation_keeps_to_groups_without_gates(backend, isa):
    observable = SparsePauliOp(["IXX", "IYY", "IZZ"]).apply_layout(isa.layout)
    estimator = EstimatorV2(backend, {"grouping": "commuting", "resilience": {"zne_mitigation": True}})
    groups = estimator.run([(isa, observable, np.zeros(3))], precision=0.3).result()[0].metadata["qctrl"]["groups"]
    assert len(groups) == 3
    assert not any("gates" in group for group in groups)


def test_readout_is_corrected_by_the_calibration(tmp_path):
    """Seed 3; misread bits of a known state, 5 standard errors: false alarm below 1e-6."""
    backend = ideal_backend("pair2", tmp_path / "jobs.sqlite", seed=3, calibration="working", misread=True)
    circuit = QuantumCircuit(2)
    circuit.x(0)
    for name, options in (
        ("level", {"resilience_level": 1}),
        ("name", {"resilience": {"measure_mitigation": True}}),
        ("twirled", {"resilience_level": 1, "twirling": {"enable_measure": True}}),
    ):
        job = EstimatorV2(backend, options).run([(circuit, ["ZZ", "IZ", "ZI"])], precision=0.002)
        result = job.result()[0]
        assert result.metadata["qctrl"]["measure_mitigation"], name
        assert np.all(np.abs(result.data.evs - [-1, -1, 1]) < 5 * result.data.stds)
        again = restore(Jobs(JobStore(backend.jobs.store.path)).find(job.job_id()), lambda: backend).result()[0]
        assert np.array_equal(again.data.evs, result.data.evs)
    plain = EstimatorV2(backend).run([(circuit, ["ZZ", "IZ", "ZI"])], precision=0.002).result()[0].data
    assert plain.evs[1] > -1 + 5 * plain.stds[1], "without correction the readout error shows"
    off = EstimatorV2(backend, {"resilience_level": 1, "resilience": {"measure_mitigation": False}})
    assert not off.run([(circuit, "ZZ")], precision=0.1).result()[0].metadata["qctrl"]["measure_mitigation"]


def test_resilience_that_is_not_built_is_refused_with_the_reason(backend):
    with pytest.raises(ValueError, match="option resilience_level is 3; it must be 0, 1 or 2"):
        EstimatorV2(backend, {"resilience_level": 3})
    with pytest.raises(AttributeError, match="this release learns no noise model"):
        EstimatorV2(backend).options.resilience.pec_mitigation = True


def test_circuits_with_bits_of_their_own_are_measured_behind_them(backend, estimator):
    circuit = QuantumCircuit(1, 2)
    circuit.x(0)
    circuit.measure(0, 1)
    (data,) = (each.data for each in estimator.run([(circuit, "Z")], precision=0.2).result())
    assert float(data.evs) == -1.0


def test_empty_input_gives_an_empty_result(estimator, isa):
    assert len(estimator.run([]).result()) == 0
    observable = SparsePauliOp("ZZI").apply_layout(isa.layout)
    assert estimator.run([(isa, observable, np.zeros((0, 3)))]).result()[0].data.evs.shape == (0,)


@pytest.mark.parametrize(
    ("pub", "precision", "refusal"),
    [
        (("ZZZZZ", np.zeros(3), 0), None, (ValueError, "precision should be larger than 0")),
        (("ZZZZZ", np.zeros(3)), 0.0, (ValueError, "precision should be larger than 0")),
        (("ZZZZZ", np.zeros(3)), float("nan"), (ValueError, "precision should be larger than 0")),
        (("ZZZZZ", np.zeros(3)), -0.1, (ValueError, "non-negative")),
        (("ZZZZZ", np.zeros(3)), "0.1", (TypeError, "real number")),
        (("ZZZZZ", np.zeros(3)), True, (TypeError, "real number")),
        (("ZZZZZ", np.zeros(3)), 1e-300, (ResourceError, "pub 0 takes .* ask for fewer, of an estimate for a coarser")),
        (("ZZ", np.zeros(3)), None, (ValueError, "number of qubits of the circuit")),
        (("ZZZZZ", np.zeros(2)), None, (ValueError, None)),
        ((["ZZZZZ"] * 3, np.zeros((2, 3))), None, (ValueError, "not broadcastable")),
    ],
)
def test_bad_pubs_are_refused_before_there_is_a_job(backend, estimator, isa, pub, precision, refusal):
    error, message = refusal
    with pytest.raises(error, match=message):
        estimator.run([(isa, *pub)], precision=precision)
    assert backend.jobs.store.list() == []


def test_circuits_that_are_not_isa_are_refused(estimator, isa):
    circuit = QuantumCircuit(5)
    circuit.h(1)
    with pytest.raises(UnsupportedInstructionError, match=r"instruction h on qubits \(1\)"):
        estimator.run([(circuit, "ZZZZZ")])
    with pytest.raises(ValueError, match="An invalid Estimator pub-like was given"):
        estimator.run(isa)


def test_options_can_be_replaced_as_a_whole(backend):
    estimator = EstimatorV2(backend, {"default_precision": 0.5})
    estimator.options = {"resilience_level": 1}
    assert estimator.options == EstimatorOptions(resilience_level=1)
    with pytest.raises(AttributeError, match="did you mean 'resilience_level'"):
        estimator.options = {"resilience_levl": 1}


def test_options_reach_the_runner(backend, isa):
    estimator = EstimatorV2(mode=backend, options={"execution": {"chunk_shots": 7}, "simulator": {"seed_simulator": 4}})
    estimator.options.environment.job_tags = ["sweep"]
    job = estimator.run([(isa, SparsePauliOp("ZZI").apply_layout(isa.layout), np.zeros(3))], precision=0.3)
    job.result()
    spec = backend.runner.specs[0]
    assert (spec.chunk_shots, spec.sim.seed, job.tags) == (7, 4, ["sweep"])
    assert estimator.backend is estimator.mode is backend
