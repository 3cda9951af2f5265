"""``SamplerV2`` on ideal state vectors, against Qiskit's own samplers."""

import math

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.primitives import BitArray, SamplerPubResult, StatevectorSampler
from qiskit.quantum_info import Statevector
from qiskit.transpiler import generate_preset_pass_manager

from qctrl.errors import CompileError, ResourceError, TimingError, UnsupportedInstructionError
from qctrl.primitives import SamplerV2
from qctrl.provider import Device, Emulation
from qctrl.service import Jobs, JobStore
from tests.reference.ideal_backend import IdealBackend, IdealRunner, ideal_backend
from tests.unit.compiler import cross


@pytest.fixture
def backend(tmp_path):
    return ideal_backend("pair2", tmp_path / "jobs.sqlite", seed=20)


@pytest.fixture
def sampler(backend):
    return SamplerV2(backend)


def isa(backend, circuit):
    return generate_preset_pass_manager(
        optimization_level=1, backend=backend, initial_layout=[0, 1][: circuit.num_qubits]
    ).run(circuit)


def bell():
    circuit = QuantumCircuit(2, metadata={"name": "bell"})
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def rotation():
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    circuit.rz(Parameter("b"), 0)
    circuit.measure_all()
    return circuit


def assert_samples(counts, probabilities, shots, n_checks=1000):
    """Hoeffding: each outcome is off by more than this with probability 1e-6 / n_checks at most."""
    allowed = math.sqrt(math.log(2e6 * n_checks) / (2 * shots))
    for outcome in {*counts, *probabilities}:
        assert abs(counts.get(outcome, 0) / shots - probabilities.get(outcome, 0.0)) < allowed


def test_a_bell_pair_has_the_counts_of_qiskits_sampler(backend, sampler):
    """Seed 20; false alarm 1e-6."""
    result = sampler.run([isa(backend, bell())], shots=4096).result()
    assert isinstance(result[0], SamplerPubResult)
    assert isinstance(result[0].data.meas, BitArray)
    exact = bell().remove_final_measurements(inplace=False)
    assert_samples(result[0].data.meas.get_counts(), Statevector(exact).probabilities_dict(), 4096)


def test_metadata_are_those_of_qiskit_and_more_beside_them(backend, sampler):
    result = sampler.run([(isa(backend, bell()), None, 10), isa(backend, bell())], shots=20).result()
    assert result.metadata.keys() == {"version", "execution", "qctrl"}
    assert result.metadata["version"] == 2
    assert [each.metadata for each in result] == [
        {"shots": 10, "circuit_metadata": {"name": "bell"}},
        {"shots": 20, "circuit_metadata": {"name": "bell"}},
    ]


def test_ours_are_in_the_metrics_of_the_job(backend, sampler):
    job = sampler.run([isa(backend, bell())])
    job.result()
    metrics = job.metrics()
    ours = metrics["qctrl"]
    assert ours["calibration_id"] == backend.calibration.id
    assert ours["program_hashes"] == [backend.compile(isa(backend, bell())).program.hash.hex()]
    assert ours["seed"] == 20
    assert ours["shots"] == 1024
    assert ours["statistics"] == [{"shots": 1024}]
    assert "created" in metrics["timestamps"]


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (0,), (2, 0)])
def test_results_have_the_shape_of_the_values(backend, sampler, shape):
    values = np.zeros((*shape, 2))
    ours = sampler.run([(isa(backend, rotation()), values, 7)]).result()[0].data
    theirs = StatevectorSampler().run([(rotation(), values, 7)]).result()[0].data
    assert ours.shape == theirs.shape == shape
    assert ours.meas.array.shape == theirs.meas.array.shape
    assert ours.meas.num_bits == theirs.meas.num_bits


def test_each_point_of_a_sweep_is_sampled_at_its_own_values(backend, sampler):
    """Seed 20; 12 points, false alarm 1e-6 in all."""
    angles = np.linspace(0, 2 * np.pi, 12).reshape(3, 4)
    values = {"b": np.full((3, 4), 0.3), "a": angles}
    data = sampler.run([(isa(backend, rotation()), values)], shots=2000).result()[0].data.meas
    assert len(backend.runner.specs[0].works) == 1, "one program for all points"
    for index in np.ndindex(3, 4):
        p = math.sin(angles[index] / 2) ** 2
        assert_samples(data.get_counts(index), {"0": 1 - p, "1": p}, 2000)


def test_aliased_registers_come_from_their_own_bits(backend, sampler):
    qubits, bits = QuantumRegister(2, "q"), ClassicalRegister(3, "c")
    circuit = QuantumCircuit(
        qubits, bits, ClassicalRegister(bits=[bits[2], bits[0]], name="ends"), ClassicalRegister(0, "none")
    )
    circuit.x(1)
    circuit.measure([0, 1], [0, 2])
    data = sampler.run([isa(backend, circuit)], shots=5).result()[0].data
    assert list(data.keys()) == ["c", "ends", "none"]
    assert data.c.get_counts() == {"100": 5}
    assert data.ends.get_counts() == {"01": 5}
    assert data.none.array.shape == (5, 0)


def test_reset_scratch_bits_stay_hidden(backend, sampler):
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.reset(0)
    circuit.measure(0, 0)
    data = sampler.run([isa(backend, circuit)], shots=9).result()[0].data
    assert data.c.get_counts() == {"0": 9}


def test_delays_whose_length_is_a_parameter_are_compiled_per_distinct_value(backend, sampler):
    delay, angle = Parameter("d"), Parameter("a")
    circuit = QuantumCircuit(1)
    circuit.rx(angle, 0)
    circuit.delay(delay, 0, "dt")
    circuit.measure_all()
    ready = isa(backend, circuit)
    values = {("a", "d"): [[0.0, 400], [np.pi, 800], [np.pi, 400], [0.0, 800]]}
    data = sampler.run([(ready, values)], shots=20).result()[0].data.meas
    assert [data.get_counts(k) for k in range(4)] == [{"0": 20}, {"1": 20}, {"1": 20}, {"0": 20}]
    lengths = [int(work.program.blocks["length_ticks"].sum()) for work in backend.runner.specs[0].works]
    assert len(lengths) == 2
    assert lengths[1] - lengths[0] == 400


def test_transpiled_delays_in_microseconds_take_values_in_microseconds(backend, sampler):
    delay = Parameter("t")
    circuit = QuantumCircuit(1)
    circuit.delay(delay, 0, "us")
    circuit.rx(delay, 0)
    circuit.measure_all()
    ready = isa(backend, circuit)
    assert next(each for each in ready.data if each.name == "delay").operation.unit == "us"
    sampler.run([(ready, [[20.0], [0.5]])], shots=20).result()
    lengths = [int(work.program.blocks["length_ticks"].sum()) for work in backend.runner.specs[0].works]
    assert lengths[0] - lengths[1] == 19_500
    with pytest.raises(TimingError, match=r"duration of 0.00025 us is .*give 0 us or 0.001 us"):
        sampler.run([(ready, [[0.00025]])])


def test_kerneled_results_are_sliced_per_register(backend):
    circuit = QuantumCircuit(2)
    circuit.add_register(ClassicalRegister(1, "a"), ClassicalRegister(2, "b"))
    circuit.x(0)
    circuit.measure([0, 1], [0, 2])
    ready = isa(backend, circuit)
    data = SamplerV2(backend, {"execution": {"meas_type": "kerneled"}}).run([ready], shots=6).result()[0].data
    assert (data.a.shape, data.b.shape) == ((6, 1), (6, 2))
    assert np.all(data.a.real == -1)
    assert np.all(data.b[:, 1].real == 1)
    assert not data.b[:, 0].any(), "never measured"
    mean = SamplerV2(backend, {"execution": {"meas_type": "avg_kerneled"}}).run([ready], shots=6).result()[0].data
    assert (mean.a.shape, mean.b.shape) == ((1,), (2,))
    assert mean.a[0].real == pytest.approx(-1)
    empty = SamplerV2(backend, {"execution": {"meas_type": "kerneled"}})
    points = empty.run([(isa(backend, rotation()), np.zeros((0, 2)))], shots=6).result()[0].data
    assert points.meas.shape == (0, 6, 1)


def test_bits_and_points_can_be_had_of_the_same_shots(backend):
    circuit = QuantumCircuit(2)
    circuit.add_register(ClassicalRegister(1, "a"), ClassicalRegister(2, "b"))
    circuit.sx(0)
    circuit.measure([0, 1], [0, 2])
    both = SamplerV2(backend, {"execution": {"meas_type": "classified+kerneled"}})
    data = both.run([circuit], shots=40).result()[0].data
    assert list(data.keys()) == ["a", "b", "a_iq", "b_iq"]
    assert np.array_equal(data.a.to_bool_array()[:, 0], data.a_iq[:, 0].real == -1)
    assert 0 < data.a.get_counts()["1"] < 40
    assert backend.runner.specs[0].works[0].capture_mode == "bits+iq"
    circuit.add_register(ClassicalRegister(1, "a_iq"))
    with pytest.raises(CompileError, match="'a_iq' has the name that the IQ points of 'a' get; rename it"):
        both.run([circuit])
    assert SamplerV2(backend).run([circuit], shots=1).result()[0].data.a_iq.num_bits == 1


def test_a_waiting_time_that_the_device_does_not_have_is_refused_before_there_is_a_job(backend):
    most_s = backend.configuration().rep_delay_range[1]
    SamplerV2(backend, {"execution": {"rep_delay": most_s}}).run([isa(backend, bell())], shots=1).result()
    n_jobs = len(backend.jobs.store.list())
    for rep_delay, error, message in (
        (5.0, ValueError, r"rep_delay is 5.0 s; pair2 can wait 0 to 4.29497 s"),
        (1.5e-9, TimingError, "rep_delay 1.5e-09 s is 1.5"),
    ):
        with pytest.raises(error, match=message):
            SamplerV2(backend, {"execution": {"rep_delay": rep_delay}}).run([isa(backend, bell())])
        with pytest.raises(error, match=message):
            backend.run(isa(backend, bell()), rep_delay=rep_delay)
    assert len(backend.jobs.store.list()) == n_jobs


def test_options_reach_the_runner(backend):
    sampler = SamplerV2(
        backend,
        options={
            "default_shots": 33,
            "max_execution_time": 300,
            "execution": {"chunk_shots": 10, "rep_delay": 1e-5},
            "simulator": {"seed_simulator": 5},
            "environment": {"job_tags": ["bell"]},
        },
    )
    job = sampler.run([isa(backend, bell())])
    assert job.result()[0].data.meas.num_shots == 33
    spec = backend.runner.specs[0]
    assert (spec.chunk_shots, spec.rep_delay_s, spec.sim.seed, spec.max_execution_s) == (10, 1e-5, 5, 300)
    assert job.tags == ["bell"]
    assert job.options["execution"]["chunk_shots"] == 10


def test_equal_seeds_give_equal_bits_and_equal_pubs_differ(backend, tmp_path):
    ready = isa(backend, bell())
    first = SamplerV2(backend, {"simulator": {"seed_simulator": 3}}).run([ready, ready]).result()
    again = SamplerV2(backend, {"simulator": {"seed_simulator": 3}}).run([ready, ready]).result()
    assert first[0].data.meas == again[0].data.meas
    assert first[0].data.meas != first[1].data.meas
    drawn = ideal_backend("pair2", tmp_path / "other.sqlite", emulation=Emulation())
    seeds = [SamplerV2(drawn).run([ready]).metrics()["qctrl"]["seed"] for _ in range(2)]
    assert seeds[0] != seeds[1], "without a seed each job draws one, and says which"


def test_pubs_without_registers_warn_and_are_empty(backend, sampler):
    circuit = isa(backend, QuantumCircuit(1))
    with pytest.warns(UserWarning, match="The 0-th pub's circuit has no output classical registers"):
        job = sampler.run([circuit])
    assert len(job.result()[0].data) == 0
    assert len(sampler.run([]).result()) == 0


def test_pubs_may_come_from_an_iterator(backend, sampler):
    ready = isa(backend, bell())
    assert len(sampler.run(iter([ready, ready])).result()) == 2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s, c: s.run(c), ValueError, "An invalid Sampler pub-like was given"),
        (lambda s, c: s.run((c, [1.0, 2.0])), ValueError, "Note that if you want to run a single pub,"),
        (lambda s, c: s.run([c]), ValueError, "does not match the number of parameters"),
        (lambda s, c: s.run([(c, [1.0])]), ValueError, None),
        (lambda s, c: s.run([(c, [1.0, 2.0], 0)]), ValueError, "shots must be positive"),
        (lambda s, c: s.run([(c, [1.0, 2.0])], shots=-1), ValueError, "shots must be positive"),
        (lambda s, c: s.run([(c, [1.0, 2.0])], shots=1.5), TypeError, "shots must be an integer"),
        (lambda s, c: s.run([(c, [1.0, 2.0])], shots=True), TypeError, "shots must be an integer"),
        (lambda s, c: s.run([(c, [float("nan"), 2.0])]), CompileError, "nan"),
        (lambda s, c: s.run([(c, [1.0, 2.0], 10**9)]), ResourceError, "the limit is 10000000"),
    ],
)
def test_bad_pubs_are_refused_before_there_is_a_job(backend, sampler, call, error, message):
    with pytest.raises(error, match=message):
        call(sampler, isa(backend, rotation()))
    assert backend.jobs.store.list() == []


def test_angles_out_of_a_gates_bounds_are_refused_before_there_is_a_job(tmp_path):
    runner, jobs = IdealRunner(), Jobs(JobStore(tmp_path / "jobs.sqlite"))
    backend = IdealBackend(Device(cross.calibration(), cross.setup(), runner, jobs, Emulation(seed=1)))
    a = Parameter("a")
    circuit = QuantumCircuit(3)
    circuit.rx(math.pi / 2, [1, 2])
    circuit.rzz(a, 2, 1)
    circuit.measure_all()
    message = (
        r"binding 2: instruction 2: rzz on qubits \(2, 1\): angle 1\.75 rad with a = 1\.75 is out of bounds "
        r"\[0, 1\.57079633\]; bind another value"
    )
    with pytest.raises(CompileError, match=message):
        SamplerV2(backend).run([(circuit, [0.5, 1.5, 1.75])])
    with pytest.raises(
        CompileError, match=r"angle 1\.75 rad is out of bounds .*; transpile the circuit for this backend"
    ):
        SamplerV2(backend).run([circuit.assign_parameters([1.75])])
    assert backend.jobs.store.list() == []
    assert runner.specs == []
    data = SamplerV2(backend).run([(circuit, [0.0, 1.5])], shots=50).result()[0].data
    assert data.meas.shape == (2,)


def test_circuits_that_are_not_isa_are_refused_with_the_way_out(backend, sampler):
    with pytest.raises(
        UnsupportedInstructionError,
        match=r"instruction h on qubits \(0\) is not supported by pair2.*generate_preset_pass_manager",
    ):
        sampler.run([bell()])
    with pytest.raises(ResourceError, match="the circuit has 3 qubits, pair2 has 2"):
        sampler.run([QuantumCircuit(3, 1)])


def test_reserved_register_names_are_refused_at_submission(backend, sampler):
    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(1, "shape"))
    circuit.measure(0, 0)
    for error in (CompileError, ValueError):
        with pytest.raises(error, match="'shape' has the name of an attribute of DataBin"):
            sampler.run([circuit])


def test_only_a_backend_of_this_stack_will_do(backend):
    from qiskit_aer import AerSimulator

    assert SamplerV2(mode=backend).backend is backend
    assert SamplerV2(backend).mode is backend
    assert SamplerV2(backend).backend() is backend, "the provider guide calls it"
    with pytest.raises(TypeError, match="backend or mode, not both"):
        SamplerV2(backend, mode=backend)
    with pytest.raises(TypeError, match="needs a backend"):
        SamplerV2()
    with pytest.raises(TypeError, match=r"use qiskit\.primitives\.BackendSamplerV2"):
        SamplerV2(AerSimulator())


def test_pubs_with_delays_of_their_own_keep_their_programs(backend, sampler):
    """Circuits that exist only while they are compiled must not be taken for each other."""
    ready = []
    for angle in (0.0, np.pi):
        circuit = QuantumCircuit(1)
        circuit.rx(angle, 0)
        circuit.delay(Parameter("d"), 0, "dt")
        circuit.measure_all()
        ready.append(isa(backend, circuit))
    result = sampler.run([(circuit, [[400.0]]) for circuit in ready * 3], shots=5).result()
    assert [each.data.meas.get_counts(0) for each in result] == [{"0": 5}, {"1": 5}] * 3


@pytest.mark.parametrize("what", [{"enable_gates": True}, {"enable_measure": True}])
def test_twirls_are_bindings_of_one_program_and_leave_the_counts(backend, what):
    """Seed 20; false alarm 1e-6."""
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.rx(Parameter("a"), 0)
    circuit.rz(Parameter("b"), 0)
    circuit.h(0)
    values = [[0.4, 1.0], [2.0, -0.3]]
    sampler = SamplerV2(backend, {"twirling": {**what, "num_randomizations": 7}})
    result = sampler.run([(isa(backend, circuit.measure_all(inplace=False)), values, 1000)]).result()
    (work,) = backend.runner.specs[-1].works
    assert (work.n_bindings, work.shots) == (14, 143)
    for row, point in enumerate(values):
        counts = result[0].data.meas[row].get_counts()
        assert sum(counts.values()) == 1000
        assert_samples(counts, Statevector(circuit.assign_parameters(point)).probabilities_dict(), 1000)


def test_points_of_twirled_measurements_are_refused(backend):
    options = {"twirling": {"enable_measure": True}, "execution": {"meas_type": "kerneled"}}
    with pytest.raises(ValueError, match=r"twirling\.enable_measure inverts bits, and meas_type is 'kerneled'"):
        SamplerV2(backend, options).run([isa(backend, bell())])
