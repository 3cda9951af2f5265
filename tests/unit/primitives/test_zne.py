"""``EstimatorV2`` at several strengths of noise, on ideal qubits."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qctrl.errors import CompileError
from qctrl.primitives import EstimatorV2, restore
from qctrl.primitives.options import EstimatorOptions
from qctrl.primitives.resilience import ZneOptions
from qctrl.primitives.zne import extrapolate_all
from qctrl.service import Jobs, JobStore
from tests.reference.ideal_backend import ideal_backend

ZNE = {"resilience": {"zne_mitigation": True}}


@pytest.fixture
def backend(tmp_path):
    return ideal_backend("pair2", tmp_path / "jobs.sqlite", seed=20)


def hadamard(circuit, qubit):
    circuit.rz(math.pi / 2, qubit)
    circuit.sx(qubit)
    circuit.rz(math.pi / 2, qubit)


def bell(n_gates=1):
    circuit = QuantumCircuit(2)
    hadamard(circuit, 0)
    hadamard(circuit, 1)
    for _ in range(n_gates):
        circuit.cz(0, 1)
    hadamard(circuit, 1)
    return circuit


def test_without_noise_nothing_is_extrapolated_away(backend):
    """Five standard errors: false alarm 6e-7 for each of four values."""
    circuit = bell()
    circuit.rz(Parameter("a"), 0)
    estimator = EstimatorV2(backend, {**ZNE, "default_precision": 0.02})
    result = estimator.run([(circuit, [["XX"], ["IZ"]], [0.0, 1.0])]).result()[0]
    exact = np.array([[1, math.cos(1.0)], [0, 0]])
    assert result.data.evs.shape == (2, 2)
    assert result.data.evs_noise_factors.shape == result.data.stds_noise_factors.shape == (2, 2, 3)
    assert np.all(np.abs(result.data.evs - exact) < 5 * result.data.stds)
    ours = result.metadata["qctrl"]
    assert ours["zne"]["noise_factors"] == [1.0, 3.0, 5.0]
    assert sum(ours["zne"]["extrapolators"].values()) == 4
    assert ours["total_shots"] == 3 * 2 * 2 * result.metadata["shots"]
    ops = [circuit.count_ops()["cz"] for circuit in backend.runner.circuits.values()]
    assert sorted(set(ops)) == [1, 3, 5]


def test_jobs_can_be_extrapolated_anew_from_the_store(backend):
    options = {**ZNE, "default_precision": 0.1, "twirling": {"enable_gates": True, "num_randomizations": 3}}
    job = EstimatorV2(backend, options).run([(bell(), ["ZZ", "XI"])])
    first = job.result()[0].data
    again = restore(Jobs(JobStore(backend.jobs.store.path)).find(job.job_id()), lambda: backend).result()[0].data
    assert (again.evs.tolist(), again.stds.tolist()) == (first.evs.tolist(), first.stds.tolist())


def test_a_level_leaves_out_what_has_nothing_to_fold(backend):
    waiting = QuantumCircuit(2)
    waiting.sx(0)
    estimator = EstimatorV2(backend, {"resilience_level": 2, "resilience": {"measure_mitigation": False}})
    with pytest.warns(UserWarning, match="the 1-th pub's circuit has no gates of two qubits to fold, so its values"):
        job = estimator.run([(bell(), "ZZ"), (waiting, "IZ")], precision=0.1)
    folded, plain = job.result()
    assert "evs_noise_factors" in folded.data
    assert "evs_noise_factors" not in plain.data
    assert ("zne" in folded.metadata["qctrl"], "zne" in plain.metadata["qctrl"]) == (True, False)
    assert plain.metadata["qctrl"]["total_shots"] == 100
    assert plain.data.evs.shape == ()


def test_what_cannot_be_amplified_is_refused_before_there_is_a_job(backend):
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    estimator = EstimatorV2(backend, ZNE)
    with pytest.raises(CompileError, match="0-th pub's circuit has no gates of two qubits to fold"):
        estimator.run([(circuit, "ZZ")])
    estimator.options.resilience.zne.noise_factors = [1, 1.2]
    with pytest.raises(ValueError, match=r"the noise factors \[1\.0, 1\.2\] become \[1\.0, 1\.0\]"):
        estimator.run([(bell(), "ZZ")])
    estimator.options.resilience.zne = {"amplifier": "pulse_stretching", "noise_factors": None}
    with pytest.raises(CompileError, match=r"cz on qubits .* cannot be stretched"):
        estimator.run([(bell(), "ZZ")])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("noise_factors", [1]),
        ("noise_factors", [1, 1]),
        ("noise_factors", [0.5, 1]),
        ("noise_factors", "135"),
        ("extrapolator", "quadratic"),
        ("extrapolator", []),
        ("amplifier", "pea"),
    ],
)
def test_wrong_options_are_refused(name, value):
    with pytest.raises(ValueError, match=f"option {name} is .* it must be"):
        setattr(EstimatorOptions().resilience.zne, name, value)


def test_levels_and_names_choose_the_same():
    assert [EstimatorOptions(resilience_level=level).extrapolates() for level in (0, 1, 2)] == [False, False, True]
    options = EstimatorOptions(resilience_level=2)
    options.resilience.zne_mitigation = False
    assert (options.extrapolates(), options.mitigates_readout()) == (False, True)
    assert ZneOptions(amplifier="pulse_stretching").factors() == (1.0, 1.5, 2.0)
    assert ZneOptions(noise_factors=[3, 1, 2]).factors() == (1.0, 2.0, 3.0)
    with pytest.raises(ValueError, match="'polynomial_degree_3' needs 4 noise factors, there are 3"):
        ZneOptions(extrapolator="polynomial_degree_3").factors()


def test_constants_stay():
    found = extrapolate_all((1.0, 3.0), np.full((2, 2), 0.5), np.array([[0.0, 0.0], [0.1, 0.1]]), ["linear"])
    assert found.evs == pytest.approx([0.5, 0.5])
    assert (found.stds[0], found.models) == (0.0, {"linear": 1})
