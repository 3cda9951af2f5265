"""Correlated misreading is corrected, with standard errors that hold."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparseObservable

from qctrl.errors import CalibrationError
from qctrl.primitives import EstimatorV2, restore
from qctrl.primitives.correlated_readout import estimate_correlated, measured_sets, parities
from qctrl.primitives.plan import plan_pub
from qctrl.service import Jobs, JobStore
from tests.reference.ideal_backend import ideal_backend


def misread(true, rng, together=0.1, alone=0.03):
    """Return twirled words of two qubits: both flipped together, or one of them alone."""
    both = rng.random(true.shape[:2]) < together
    flips = np.where(both, 3, 0)
    for k in range(2):
        flips ^= (rng.random(true.shape[:2]) < alone) << k
    return (true ^ flips[..., None].astype(np.uint8)).astype(np.uint8)


def test_errors_of_two_qubits_together_are_corrected_with_honest_errors(rng):
    """The mean of 400 results is known to a twentieth of an error: five times that is missed once in two million."""
    circuit = QuantumCircuit(2)
    observable = SparseObservable.from_list([("ZZ", 1.0), ("ZI", -0.5), ("1I", 0.7), ("II", 0.2)])
    plan = plan_pub(EstimatorPub.coerce((circuit, observable), 0.05))
    (qubits,) = measured_sets([plan])
    exact = 0.2 - 0.5 * 0.2 + 0.7 * 0.4 + 0.4
    values, errors = [], []
    for _ in range(400):
        # P(00), P(01), P(10), P(11) give <ZZ> = 0.4, <Z1> = 0.2, hence <1><1> on qubit 1 = 0.4.
        true = rng.choice(4, p=[0.5, 0.1, 0.2, 0.2], size=(1, 800, 1)).astype(np.uint8)
        reference = misread(np.zeros((1, 800, 1), dtype=np.uint8), rng)
        evs, stds = estimate_correlated(plan, [misread(true, rng)], {qubits: reference})
        values.append(float(evs))
        errors.append(float(stds))
    assert abs(np.mean(values) - exact) < 5 * np.std(values) / 20
    # The deviation of 400 results is known to 3.5 %; a fifth is more than five times that.
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


def test_projectors_are_sums_of_parities():
    assert parities(((0, "Z"), (2, "X"))) == {(0, 2): 1.0}
    assert parities(((0, "1"), (1, "Y"), (3, "+"))) == {(1,): 0.25, (0, 1): -0.25, (1, 3): 0.25, (0, 1, 3): -0.25}


def test_a_readout_that_tells_nothing_is_refused(rng):
    plan = plan_pub(EstimatorPub.coerce((QuantumCircuit(1), "Z"), 0.1))
    words = rng.integers(0, 2, size=(1, 500, 1)).astype(np.uint8)
    with pytest.raises(CalibrationError, match=r"of the parity of qubits \(0,\), too little to correct"):
        estimate_correlated(plan, [words], {(0,): words})


def test_a_device_without_assignment_matrices_is_corrected_all_the_same(tmp_path):
    """Five standard errors: false alarm 6e-7."""
    backend = ideal_backend("pair2", tmp_path / "jobs.sqlite", seed=5)
    circuit = QuantumCircuit(2)
    circuit.x(0)
    with pytest.raises(CalibrationError, match=r"let each job measure it, .*measure_mitigation='correlated'"):
        EstimatorV2(backend, {"resilience_level": 1}).run([(circuit, "ZZ")])
    estimator = EstimatorV2(backend, {"resilience": {"measure_mitigation": "correlated"}})
    result = estimator.run([(circuit, "ZZ")], precision=0.05).result()[0]
    assert abs(result.data.evs + 1) < 5 * result.data.stds
    assert result.metadata["qctrl"]["measure_mitigation"] == "correlated"


def test_an_estimator_measures_its_readout_and_remembers_it(tmp_path):
    """Five standard errors: false alarm 6e-7 for each value."""
    backend = ideal_backend("chain5", tmp_path / "jobs.sqlite", seed=11, calibration="working", misread=True)
    circuit = QuantumCircuit(2)
    circuit.x(0)
    options = {"resilience": {"measure_mitigation": "correlated"}, "default_precision": 0.01}
    job = EstimatorV2(backend, options).run([(circuit, ["ZZ", "IZ", "ZI", "I1"])])
    result = job.result()[0]
    assert np.all(np.abs(result.data.evs - [-1, -1, 1, 1]) < 5 * result.data.stds)
    assert np.all(result.data.stds < 0.02)
    ours = result.metadata["qctrl"]
    assert (ours["measure_mitigation"], ours["reference_shots"]) == ("correlated", ours["groups"][0]["shots"])
    again = restore(Jobs(JobStore(backend.jobs.store.path)).find(job.job_id()), lambda: backend).result()[0]
    assert np.array_equal(again.data.evs, result.data.evs)
