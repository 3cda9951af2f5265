"""``backend.run``: counts, memory and levels, in the shape of Qiskit's ``Result``."""

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit, Parameter
from qiskit.providers import JobStatus, JobV1
from qiskit.providers.exceptions import JobTimeoutError
from qiskit.result import Result

from qctrl.errors import CompileError, ConfigError, InstrumentError, ResourceError
from qctrl.primitives import SamplerV2, restore
from qctrl.provider import RunJob
from qctrl.service import Jobs, JobStore
from tests.reference.ideal_backend import ideal_backend


@pytest.fixture
def backend(tmp_path):
    return ideal_backend("pair2", tmp_path / "jobs.sqlite")


@pytest.fixture
def two_registers():
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(1, "a"), ClassicalRegister(9, "b"), name="two")
    circuit.metadata = {"k": 1}
    circuit.x(1)
    circuit.measure([0, 1], [0, 9])
    return circuit


def test_counts_and_memory_are_formatted_by_register(backend, two_registers):
    job = backend.run(two_registers, shots=5, memory=True)
    assert isinstance(job, JobV1)
    result = job.result()
    assert isinstance(result, Result)
    assert result.get_counts() == {"100000000 0": 5}
    assert result.get_memory() == ["100000000 0"] * 5
    assert result.get_counts(two_registers) == result.get_counts("two")
    header = result.results[0].header
    assert (header["name"], header["memory_slots"]) == ("two", 10)
    assert header["creg_sizes"] == [["a", 1], ["b", 9]]
    assert header["metadata"] == {"k": 1}
    assert (result.success, result.backend_name, result.job_id) == (True, "pair2", job.job_id())
    assert Result.from_dict(result.to_dict()).get_counts() == result.get_counts()


def test_memory_is_given_only_when_asked_for(backend, two_registers):
    result = backend.run([two_registers, two_registers], shots=3).result()
    assert len(result.get_counts()) == 2
    assert "memory" not in result.data(0)


def test_counts_agree_with_memory(backend):
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)
    circuit.sx(1)
    circuit.measure([0, 1], [0, 1])
    result = backend.run(circuit, shots=300, memory=True).result()
    memory = result.get_memory()
    assert {word: memory.count(word) for word in memory} == result.get_counts()
    assert len(result.get_counts()) == 4


def test_registers_that_do_not_cover_the_bits_in_order_give_plain_words(backend):
    bits = [Clbit(), Clbit()]
    circuit = QuantumCircuit(QuantumRegister(1), bits, ClassicalRegister(bits=[bits[1]], name="late"))
    circuit.x(0)
    circuit.measure(0, 1)
    assert backend.run(circuit, shots=2).result().get_counts() == {"10": 2}


def test_scratch_bits_of_a_reset_do_not_show(backend):
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.reset(0)
    circuit.x(0)
    circuit.measure(0, 0)
    assert backend.run(circuit, shots=4, memory=True).result().get_memory() == ["1"] * 4


def test_a_circuit_without_bits_gives_empty_words(backend):
    assert backend.run(QuantumCircuit(1), shots=3, memory=True).result().data(0)["memory"] == ["0x0"] * 3


@pytest.mark.parametrize(("meas_return", "shape"), [("single", (6, 10)), ("avg", (10,))])
def test_level_one_gives_iq_points_per_bit(backend, two_registers, meas_return, shape):
    result = backend.run(two_registers, shots=6, meas_level=1, meas_return=meas_return).result()
    points = result.get_memory()
    assert points.shape == shape
    assert np.all(points[..., 0].real == 1)
    assert np.all(points[..., 9].real == -1)
    assert not points[..., 1:9].any()


def test_options_of_the_backend_and_of_the_call_reach_the_runner(backend, two_registers):
    backend.set_options(shots=17, seed_simulator=3)
    job = backend.run(two_registers, rep_delay=1e-5, job_tags=["x"])
    assert job.result().results[0].shots == 17
    spec = backend.runner.specs[0]
    assert (spec.sim.seed, spec.rep_delay_s) == (3, 1e-5)
    assert job.tags() == ["x"]
    assert job.creation_date.tzinfo is not None
    assert job.result().qctrl["seed"] == 3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"shot": 3}, AttributeError, "backend.run has no option 'shot'; it has"),
        ({"shots": 0}, ValueError, "shots is 0; it must be a whole number in 1"),
        ({"shots": True}, ValueError, "shots is True"),
        ({"shots": 1.5}, ValueError, "shots is 1.5"),
        ({"shots": "many"}, ValueError, "shots is 'many'"),
        ({"meas_level": 0}, ValueError, "meas_level is 0"),
        ({"meas_level": "x"}, ValueError, "meas_level is 'x'"),
        ({"meas_return": "all"}, ValueError, "meas_return is 'all'"),
        ({"seed_simulator": 1.5}, ValueError, "seed_simulator is 1.5; it must be a whole number in 0"),
        ({"seed_simulator": -1}, ValueError, "seed_simulator is -1"),
        ({"rep_delay": "x"}, TypeError, "rep_delay is 'x'; it must be seconds"),
        ({"job_tags": "abc"}, TypeError, "job_tags is 'abc'; give a list of strings"),
        ({"init_qubits": False}, ConfigError, "init_qubits=False is not possible"),
    ],
)
def test_wrong_options_are_refused_before_there_is_a_job(backend, two_registers, options, error, message):
    with pytest.raises(error, match=message):
        backend.run(two_registers, **options)
    assert backend.jobs.store.list() == []


def test_what_is_no_circuit_is_refused(backend):
    with pytest.raises(TypeError, match="takes circuits, not int"):
        backend.run([3])


def test_unbound_parameters_are_named(backend):
    circuit = QuantumCircuit(1, 1, name="sweep")
    circuit.rz(Parameter("phi"), 0)
    with pytest.raises(CompileError, match=r"circuit 'sweep' has unbound parameters \(phi\); assign_parameters first"):
        backend.run(circuit)


def test_a_job_waits_cancels_and_fails(backend, two_registers):
    backend.runner.gate.clear()
    job = backend.run(two_registers)
    assert job.status() in (JobStatus.QUEUED, JobStatus.RUNNING)
    with pytest.raises(JobTimeoutError, match=r"has not ended within 0\.01 s"):
        job.result(timeout=0.01)
    assert job.cancel()
    job.submit()
    backend.runner.error = InstrumentError("dead")
    backend.runner.gate.set()
    for _ in range(2):
        with pytest.raises(InstrumentError, match="dead"):
            job.result()
    assert job.status() is JobStatus.ERROR
    assert job.in_final_state()


def test_a_run_read_back_has_the_same_result(backend, two_registers):
    job = backend.run([two_registers], shots=5, memory=True)
    first = job.result()
    later = restore(Jobs(JobStore(backend.jobs.store.path)).find(job.job_id()), lambda: backend)
    again = later.result()
    assert again.get_counts() == first.get_counts()
    assert again.get_memory() == first.get_memory()
    assert again.results[0].header == first.results[0].header
    assert later.backend() is job.backend() is backend
    assert [each.name for each in later.inputs] == ["two"]


def test_a_run_is_played_again_as_it_was(backend):
    circuit = QuantumCircuit(1, 1)
    circuit.sx(0)
    circuit.measure(0, 0)
    job = backend.run(circuit, shots=50, memory=True, seed_simulator=8)
    again = job.replay()
    assert isinstance(again, RunJob)
    assert again.job_id() != job.job_id()
    assert again.result().get_memory() == job.result().get_memory()


def test_a_run_answers_all_that_a_job_of_a_primitive_does(backend, two_registers):
    events, calls = [], []
    job = backend.run(two_registers, shots=4, job_tags=["a"])
    job.on_progress(events.append)
    job.wait_for_final_state(10, wait=0.01, callback=lambda *call: calls.append(call))
    job.wait_for_final_state()
    assert events
    assert all(call[0] == job.job_id() and call[2] is job for call in calls)
    assert job.progress() is not None
    assert (job.error_message(), job.errored(), job.session_id) == (None, False, None)
    assert job.update_tags(["b"]) == job.tags() == ["b"]
    assert job.usage_estimation["quantum_seconds"] > 0
    assert job.metrics()["qctrl"]["program_hashes"] == [program.hash.hex() for program in job.programs]
    assert job.properties().backend_name == "pair2"
    assert job.calibration_id == backend.calibration.id
    assert "created" in job.logs()


def test_an_option_that_is_none_is_the_backends_own(backend, two_registers):
    backend.set_options(shots=6)
    assert backend.run(two_registers, shots=None, memory=None).result().results[0].shots == 6


def test_a_shot_that_keeps_a_port_on_for_too_long_is_refused_with_its_instruction(backend, tmp_path):
    limited = ideal_backend("pair2", tmp_path / "limited.sqlite", changes={"max_duty": 1e-3})
    circuit = QuantumCircuit(2, 1)
    circuit.rz(0.5, 0)
    circuit.x(1)
    circuit.measure(1, 0)
    with pytest.raises(
        ResourceError, match=r"instruction 1: x on qubits \(1,\): port q1\.drive: it plays .* rep_delay"
    ):
        limited.run(circuit)
    with pytest.raises(ResourceError, match=r"instruction 1: x on qubits \(1,\): port q1\.drive: it plays for"):
        SamplerV2(limited).run([circuit])
    assert limited.run(circuit, shots=3, rep_delay=1e-3).result().get_counts() == {"1": 3}
    assert backend.run(circuit, shots=3).result().get_counts() == {"1": 3}
