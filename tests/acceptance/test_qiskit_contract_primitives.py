"""The provider contract, against Qiskit's own classes: reference primitives over our backend, and beside ours."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import efficient_su2
from qiskit.primitives import (
    BackendEstimatorV2,
    BackendSamplerV2,
    BaseEstimatorV2,
    BasePrimitiveJob,
    BaseSamplerV2,
    BitArray,
    DataBin,
    PrimitiveResult,
    PubResult,
    SamplerPubResult,
    StatevectorEstimator,
    StatevectorSampler,
)
from qiskit.providers import BackendV2, JobStatus, JobV1
from qiskit.quantum_info import SparsePauliOp
from qiskit.result import Result
from qiskit.transpiler import Target, generate_preset_pass_manager

from qctrl import EstimatorV2, SamplerV2
from tests.reference.ideal_backend import ideal_backend

SEED = 2026


@pytest.fixture
def backend(tmp_path):
    return ideal_backend("chain5", tmp_path / "jobs.sqlite", seed=SEED)


@pytest.fixture
def isa(backend):
    return generate_preset_pass_manager(optimization_level=1, backend=backend, seed_transpiler=1)


@pytest.fixture
def ansatz(isa):
    return isa.run(efficient_su2(3, reps=1))


def test_every_part_is_a_subclass_of_qiskits(backend, ansatz):
    assert isinstance(backend, BackendV2)
    assert isinstance(backend.target, Target)
    assert issubclass(SamplerV2, BaseSamplerV2)
    assert issubclass(EstimatorV2, BaseEstimatorV2)
    observable = SparsePauliOp("ZZZ").apply_layout(ansatz.layout)
    job = EstimatorV2(backend).run([(ansatz, observable, np.zeros(ansatz.num_parameters))], precision=0.5)
    assert isinstance(job, BasePrimitiveJob)
    result = job.result()
    assert isinstance(result, PrimitiveResult)
    assert isinstance(result[0], PubResult)
    assert isinstance(result[0].data, DataBin)
    assert job.status() == JobStatus.DONE
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    run = backend.run(circuit)
    assert isinstance(run, JobV1)
    assert isinstance(run.result(), Result)
    sampled = SamplerV2(backend).run([circuit]).result()[0]
    assert isinstance(sampled, SamplerPubResult)
    assert isinstance(sampled.data.c, BitArray)


def test_qiskits_sampler_over_our_backend_gives_the_very_bits_of_ours(backend, isa):
    """One program, one seed: the two paths must agree bit for bit, registers and memory included."""
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.measure_all()
    circuit.metadata = {"a": 1}
    ready = isa.run(circuit)
    theirs = BackendSamplerV2(backend=backend).run([ready], shots=500).result()
    ours = SamplerV2(backend).run([ready], shots=500).result()
    assert ours[0].data.meas == theirs[0].data.meas
    assert ours[0].metadata == theirs[0].metadata
    assert ours.metadata.items() >= theirs.metadata.items()
    assert len(ours[0].data.meas.get_counts()) == 8, "not the silent zeros of a backend without memory"


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 2)])
def test_shapes_and_types_are_those_of_qiskits_samplers(backend, isa, shape):
    circuit = QuantumCircuit(2, 3)
    circuit.rx(Parameter("t"), 0)
    circuit.measure([0, 1], [0, 2])
    pub = (isa.run(circuit), np.zeros((*shape, 1)), 11)
    ours = SamplerV2(backend).run([pub]).result()[0]
    for reference in (BackendSamplerV2(backend=backend), StatevectorSampler()):
        theirs = reference.run([pub]).result()[0]
        assert ours.data.shape == theirs.data.shape == shape
        assert list(ours.data.keys()) == list(theirs.data.keys())
        assert ours.data.c.array.shape == theirs.data.c.array.shape
        assert ours.data.c.array.dtype == theirs.data.c.array.dtype
        assert ours.metadata == theirs.metadata


@pytest.mark.parametrize(
    ("observables", "shape"),
    [("ZZZ", ()), ("ZZZ", (4,)), (["ZZZ", "XXI"], (2,)), ([["ZZZ"], ["XXI"], ["IYZ"]], (2,)), (["ZII"], (2, 3, 1))],
)
def test_estimates_have_the_shapes_of_qiskits_and_agree(backend, ansatz, observables, shape):
    """Seed 2026; Hoeffding at 1e-6 / 100 per number, for ours and for Qiskit's, false alarm 1e-6 each."""
    from qiskit.primitives import ObservablesArray

    values = np.random.default_rng(SEED).uniform(0, 2, (*shape, ansatz.num_parameters))
    pub = (ansatz, ObservablesArray.coerce(observables).apply_layout(ansatz.layout), values)
    ours = EstimatorV2(backend).run([pub], precision=0.05).result()[0]
    theirs = BackendEstimatorV2(backend=backend).run([pub], precision=0.05).result()[0]
    exact = StatevectorEstimator().run([pub]).result()[0]
    assert ours.metadata.items() >= theirs.metadata.items()
    assert ours.data.evs.shape == theirs.data.evs.shape == exact.data.evs.shape
    assert ours.data.stds.shape == theirs.data.stds.shape
    allowed = math.sqrt(2 * math.log(2 * 100 / 1e-6) / 400)
    assert np.all(np.abs(ours.data.evs - exact.data.evs) < allowed)
    assert np.all(np.abs(theirs.data.evs - exact.data.evs) < allowed)


def test_many_observables_and_points_in_one_job(backend, ansatz):
    """Seed 2026; 120 numbers, false alarm 1e-6. One program per basis, whatever the number of points."""
    labels = ["ZZI", "IZZ", "XXI", "IXX", "YYI", "ZII"]
    observables = [[SparsePauliOp(label).apply_layout(ansatz.layout)] for label in labels]
    values = np.random.default_rng(1).uniform(0, 3, (20, ansatz.num_parameters))
    pub = (ansatz, observables, values)
    job = EstimatorV2(backend).run([pub], precision=0.05)
    exact = StatevectorEstimator().run([pub]).result()[0].data.evs
    data = job.result()[0].data
    assert data.evs.shape == exact.shape == (6, 20)
    assert np.all(np.abs(data.evs - exact) < math.sqrt(2 * math.log(2 * 120 / 1e-6) / 400))
    programs = job.metrics()["qctrl"]["program_hashes"]
    assert len(programs) == len(set(programs)) <= 4


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_circuits_transpiled_at_every_level_run(backend, level):
    circuit = QuantumCircuit(5)
    circuit.h(0)
    for target in range(1, 5):
        circuit.cx(0, target)
    circuit.measure_all()
    ready = transpile(circuit, backend, optimization_level=level, seed_transpiler=3)
    counts = SamplerV2(backend).run([ready], shots=200).result()[0].data.meas.get_counts()
    assert set(counts) == {"00000", "11111"}


def test_a_register_that_breaks_qiskits_sampler_is_refused_by_ours_before_execution(backend):
    from qiskit import ClassicalRegister, QuantumRegister

    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(1, "values"))
    circuit.measure(0, 0)
    with pytest.raises(ValueError, match="Cannot assign with these field names"):
        BackendSamplerV2(backend=backend).run([circuit]).result()
    with pytest.raises(Exception, match="'values' has the name of an attribute of DataBin"):
        SamplerV2(backend).run([circuit])


@pytest.mark.parametrize("meas_level", [1, 2])
def test_qiskits_sampler_takes_both_measurement_levels(backend, isa, meas_level):
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.measure_all()
    sampler = BackendSamplerV2(backend=backend, options={"run_options": {"meas_level": meas_level}})
    data = sampler.run([isa.run(circuit)], shots=7).result()[0].data.meas
    if meas_level == 2:
        assert data.get_counts() == {"1": 7}
    else:
        assert data.shape == (7, 1)
        assert np.all(data.real == -1)
