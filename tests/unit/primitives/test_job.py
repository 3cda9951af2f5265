"""Jobs: their life, their failures, and finding them again."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import BasePrimitiveJob
from qiskit.providers import JobStatus
from qiskit.providers.exceptions import JobTimeoutError

from qctrl.errors import (
    InstrumentError,
    JobCancelledError,
    JobError,
    JobInterruptedError,
    JobNotFoundError,
)
from qctrl.execution import Execution
from qctrl.primitives import EstimatorV2, SamplerV2, restore
from qctrl.service import Jobs, JobStore, Stage, Submission
from qctrl.service.jobs import LiveJob
from tests.reference.ideal_backend import ideal_backend

_ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def backend(tmp_path):
    return ideal_backend("pair2", tmp_path / "jobs.sqlite")


@pytest.fixture
def flipped():
    circuit = QuantumCircuit(1, 1, metadata={"a": 1})
    circuit.x(0)
    circuit.measure(0, 0)
    return circuit


def reopened(backend, job_id):
    """Find a job as a later process would: from the file alone."""
    return restore(Jobs(JobStore(backend.jobs.store.path)).find(job_id), lambda: backend)


def test_a_job_goes_through_its_stages(backend, flipped):
    backend.runner.gate.clear()
    job = SamplerV2(backend).run([flipped])
    assert isinstance(job, BasePrimitiveJob)
    assert not any((job.done(), job.cancelled(), job.errored(), job.in_final_state()))
    with pytest.raises(JobTimeoutError, match=r"has not ended within 0\.01 s"):
        job.result(timeout=0.01)
    deadline = time.monotonic() + 10
    while not job.running() and time.monotonic() < deadline:
        pass
    assert job.status() is JobStatus.RUNNING
    backend.runner.gate.set()
    assert job.result(timeout=10)[0].data.c.get_counts() == {"1": 1024}
    assert job.done()
    assert job.in_final_state()
    assert job.status() is JobStatus.DONE
    assert job.error_message() is None
    assert not job.cancel(), "nothing to cancel any more"
    assert job.result() is job.result()
    assert job.primitive_id == "sampler"
    assert job.backend() is backend
    assert f"<Job {job.job_id()} sampler on pair2: DONE>" == repr(job)
    assert job.metadata == {"device": "pair2", "calibration_id": backend.calibration.id}
    assert job.creation_date.tzinfo is not None


def test_a_cancelled_job_says_so_in_every_process(backend, flipped):
    backend.runner.gate.clear()
    job = SamplerV2(backend).run([flipped])
    job._handle._execution.fail(JobCancelledError("cancelled"))
    job.wait_for_final_state(10)
    backend.runner.gate.set()
    assert job.cancelled()
    assert job.in_final_state()
    for found in (job, reopened(backend, job.job_id())):
        assert found.status() is JobStatus.CANCELLED
        for _ in range(2):
            with pytest.raises(JobCancelledError):
                found.result()


def test_a_job_that_is_cancelled_while_it_waits_is_cancelled_at_once(tmp_path):
    store = JobStore(tmp_path / "jobs.sqlite")
    record = store.add(Submission(job_id="a", device="d", primitive="run", calibration_id="", spec=b""))
    job = LiveJob(store, record, Execution("a", 1))
    assert job.stage() is Stage.QUEUED
    assert job.cancel()
    assert job.stage() is store.get("a").stage is Stage.CANCELLED


def test_another_process_can_cancel_a_job(backend, flipped):
    backend.runner.gate.clear()
    job = SamplerV2(backend).run([flipped])
    assert reopened(backend, job.job_id()).cancel()
    execution = job._handle._execution
    deadline = time.monotonic() + 10
    while not execution.is_cancelled and time.monotonic() < deadline:
        time.sleep(0.01)
    assert execution.is_cancelled
    execution.fail(JobCancelledError("cancelled"))
    job.wait_for_final_state(10)
    backend.runner.gate.set()
    assert reopened(backend, job.job_id()).cancelled()
    assert not reopened(backend, job.job_id()).cancel()


def test_a_store_that_fails_meanwhile_does_not_end_a_job(backend, flipped, monkeypatch, caplog):
    backend.runner.gate.clear()
    asked = threading.Event()

    def broken(*_):
        asked.set()
        raise JobError("the disk is full")

    monkeypatch.setattr(backend.jobs.store, "is_cancel_asked", broken)
    job = SamplerV2(backend).run([flipped])
    assert asked.wait(10)
    backend.runner.gate.set()
    assert job.result(timeout=10)[0].data.c.get_counts() == {"1": 1024}
    assert "the disk is full" in caplog.text


def test_cancel_reaches_the_execution(backend, flipped):
    backend.runner.gate.clear()
    job = SamplerV2(backend).run([flipped])
    assert job.cancel()
    assert job._handle._execution.is_cancelled
    backend.runner.gate.set()
    assert job._handle.wait(10)


def test_a_failure_is_raised_each_time_and_stored(backend, flipped):
    backend.runner.error = InstrumentError("the emulator died", name="pair2")
    job = SamplerV2(backend).run([flipped])
    for _ in range(2):
        with pytest.raises(InstrumentError, match="the emulator died"):
            job.result()
    assert job.errored()
    assert job.error_message() == "the emulator died [QC-INST]"
    later = reopened(backend, job.job_id())
    assert later.status() is JobStatus.ERROR
    with pytest.raises(JobError, match=r"the emulator died \[QC-INST\]"):
        later.result()


def test_a_defect_is_reported_as_such(backend, flipped, caplog):
    backend.runner.error = ZeroDivisionError("oops")
    job = SamplerV2(backend).run([flipped])
    with pytest.raises(JobError, match="failed by a defect: ZeroDivisionError"):
        job.result()
    assert "failed by a defect" in caplog.text


def test_a_runner_that_refuses_leaves_a_record(backend, flipped, monkeypatch):
    def refuse(spec):
        raise InstrumentError("no rack")

    monkeypatch.setattr(backend.runner, "submit", refuse)
    with pytest.raises(InstrumentError, match="no rack"):
        SamplerV2(backend).run([flipped])
    (record,) = backend.jobs.store.list()
    assert (record.stage, record.error, record.error_code) == (Stage.ERROR, "no rack", "QC-INST")


def test_a_store_that_cannot_be_written_means_no_execution(backend, flipped, tmp_path):
    backend.jobs.store.path.write_bytes(b"garbage" * 100)
    with pytest.raises(JobError, match="not a database"):
        SamplerV2(backend).run([flipped])
    assert backend.runner.specs == []


def test_a_result_that_cannot_be_stored_is_still_given(backend, flipped, monkeypatch):
    def full(job_id, result):
        raise JobError("disk is full")

    monkeypatch.setattr(backend.jobs.store, "finish", full)
    job = SamplerV2(backend).run([flipped])
    with pytest.warns(UserWarning, match="could not be stored: disk is full"):
        assert job.result()[0].data.c.get_counts() == {"1": 1024}


def test_a_sampler_job_read_back_has_the_same_result_and_inputs(backend):
    from qiskit.circuit import Parameter

    circuit = QuantumCircuit(2, 2, metadata={"label": "sweep", "object": {1, 2}})
    circuit.sx(0)
    circuit.rz(Parameter("θ"), 0)
    circuit.sx(0)
    circuit.measure([0, 1], [1, 0])
    values = {"θ": np.linspace(0, 3, 6).reshape(2, 3)}
    plain = QuantumCircuit(1, 1)
    plain.measure(0, 0)
    job = SamplerV2(backend, {"environment": {"job_tags": ["t"]}}).run(
        [(circuit, values, 50), (circuit, values), plain]
    )
    first = job.result()
    later = reopened(backend, job.job_id())
    again = later.result()
    assert [each.data.c == other.data.c for each, other in zip(first, again, strict=True)] == [True] * 3
    assert again[0].data.shape == (2, 3)
    assert [each.metadata["shots"] for each in again] == [50, 1024, 1024]
    assert again[0].metadata["circuit_metadata"] == {"label": "sweep", "object": "{1, 2}"}
    assert again.metadata == first.metadata
    assert later.tags == ["t"]
    assert later.metrics() == job.metrics()
    assert later.inputs[0].circuit.parameters[0].name == "θ"
    assert np.array_equal(later.inputs[0].parameter_values.as_array(), job.inputs[0].parameter_values.as_array())
    assert later.inputs[0].circuit is later.inputs[1].circuit, "stored once"
    assert later.inputs[2].circuit == plain
    assert not later.cancel()
    assert later.progress() is None
    assert len(job.progress()) == 2
    for question in (later.interim_results, lambda: later.on_progress(print)):
        if question == later.interim_results:
            assert question()[0].data.c == first[0].data.c, "all of it is there"
        else:
            with pytest.raises(JobError, match="is not run by this process"):
                question()


def test_an_estimator_job_read_back_has_the_same_result(backend):
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.cz(0, 1)
    observables = [["ZZ", {"XX": 0.5, "0I": 2.0}], ["IY", "II"]]
    job = EstimatorV2(backend).run([(circuit, observables, None, 0.1)])
    first, later = job.result(), reopened(backend, job.job_id())
    again = later.result()
    assert np.array_equal(first[0].data.evs, again[0].data.evs)
    assert np.array_equal(first[0].data.stds, again[0].data.stds)
    assert first[0].metadata == again[0].metadata
    assert later.inputs[0].observables.equivalent(job.inputs[0].observables)
    assert later.primitive_id == "estimator"


_SCRIPT = """
import sys
from pathlib import Path
from qiskit import QuantumCircuit
from qctrl.primitives import SamplerV2
from tests.reference.ideal_backend import ideal_backend
circuit = QuantumCircuit(1, 1)
circuit.sx(0)
circuit.measure(0, 0)
backend = ideal_backend("pair2", Path(sys.argv[1]), seed=5)
done = SamplerV2(backend).run([circuit], shots=40)
print(done.job_id(), done.result()[0].data.c.array.tobytes().hex(), flush=True)
backend.runner.gate.clear()
print(SamplerV2(backend).run([circuit], shots=40).job_id(), flush=True)
if sys.argv[2] == "wait":
    sys.stdin.read()
import os
os._exit(0)
"""


def test_jobs_of_another_process_are_found_and_dead_ones_interrupted(tmp_path):
    path = tmp_path / "jobs.sqlite"
    command = [sys.executable, "-c", _SCRIPT, str(path), "exit"]
    process = subprocess.run(command, capture_output=True, text=True, check=True, cwd=_ROOT)
    (done_id, data), (lost_id,) = (line.split() for line in process.stdout.splitlines())
    jobs = Jobs(JobStore(path))
    done = restore(jobs.find(done_id), lambda: None)
    assert done.result()[0].data.c.array.tobytes().hex() == data
    lost = restore(jobs.find(lost_id), lambda: None)
    assert lost.status() is JobStatus.ERROR
    for _ in range(2):
        with pytest.raises(JobInterruptedError, match="submit it again"):
            lost.result()
    assert lost.inputs[0].shots == 40, "what was asked for is not lost"
    with pytest.raises(JobNotFoundError):
        jobs.find("0" * 32)


def test_waiting_for_a_job_of_a_living_process_ends_when_it_dies(tmp_path):
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path / "jobs.sqlite"), "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        process.stdout.readline()
        job = restore(Jobs(JobStore(tmp_path / "jobs.sqlite")).find(process.stdout.readline().strip()), lambda: None)
        with pytest.raises(JobTimeoutError):
            job.wait_for_final_state(0.3)
        process.kill()
        process.wait()
        with pytest.raises(JobInterruptedError):
            job.result(timeout=10)


def test_a_job_can_be_played_again_bit_for_bit_from_the_store(backend, flipped):
    """Programs, words, setup and seed are kept with the job; another seed gives other bits."""
    from qiskit.circuit import Parameter

    swept = QuantumCircuit(1, 1)
    swept.sx(0)
    swept.rz(Parameter("a"), 0)
    swept.sx(0)
    swept.measure(0, 0)
    sampler = SamplerV2(backend, {"simulator": {"seed_simulator": 77}, "execution": {"chunk_shots": 50}})
    job = sampler.run([(swept, np.linspace(0, 3, 5)), flipped], shots=100)
    later = reopened(backend, job.job_id())
    assert [program.hash for program in later.programs] == [work.program.hash for work in backend.runner.specs[0].works]
    again = later.replay()
    first, second = job.result(), again.result()
    assert again.job_id() != job.job_id()
    assert [each.data.c == other.data.c for each, other in zip(first, second, strict=True)] == [True, True]
    one, two = backend.runner.specs
    assert (one.sim, one.chunk_shots, one.setup.hash) == (two.sim, two.chunk_shots, two.setup.hash)
    assert [work.patch and work.patch.hash for work in one.works] == [
        work.patch and work.patch.hash for work in two.works
    ]
    other = sampler.run([(swept, np.linspace(0, 3, 5))], shots=100)
    backend.runner.specs.clear()
    assert other.calibration_id == again.calibration_id == backend.calibration.id


def test_a_job_without_its_programs_cannot_be_played_again(backend, flipped, monkeypatch):
    monkeypatch.setattr("qctrl.provider.submission.encode_spec", lambda spec: ({}, {}))
    job = SamplerV2(backend).run([flipped])
    job.result()
    with pytest.raises(JobError, match=f"job {job.job_id()} was stored without its programs"):
        _ = job.programs
    with pytest.raises(JobError, match="is of pair2, not of chain5"):
        ideal_backend("chain5", backend.jobs.store.path).replay(job._handle.record)


def test_progress_and_usage_are_told(backend, flipped):
    backend.runner.gate.clear()
    job = SamplerV2(backend, {"execution": {"rep_delay": 1e-4}}).run([flipped], shots=50)
    seen = []
    job.on_progress(lambda event: seen.append((event.status, event.total_shots)))
    assert job.interim_results() == {}
    assert job.usage() == 0.0
    backend.runner.gate.set()
    job.result()
    assert seen[-1] == ("DONE", 50)
    shot_s = 1e-4 + float(job.programs[0].blocks["length_ticks"].sum()) * 1e-9
    assert job.usage_estimation["quantum_seconds"] == pytest.approx(50 * shot_s, rel=1e-3)
    assert job.usage_estimation["is_bounded"]
    assert job.metrics()["usage"]["estimated_quantum_seconds"] == job.usage_estimation["quantum_seconds"]
    assert job.interim_results()[0].data.c == job.result()[0].data.c
    assert [line.split()[1] for line in job.logs().splitlines()] == ["created"], "the ideal runner keeps no times"
    assert job.properties().t1(0) == backend.calibration.coherence(0).t1_s


def test_tags_can_be_replaced(backend, flipped):
    job = SamplerV2(backend).run([flipped])
    job.result()
    assert job.update_tags(["a", "b"]) == ["a", "b"] == job.tags
    assert reopened(backend, job.job_id()).tags == ["a", "b"]
    for wrong in ("a", [1]):
        with pytest.raises(TypeError, match="give a list of strings"):
            job.update_tags(wrong)


def test_the_log_of_a_failed_job_says_why(backend, flipped):
    backend.runner.error = InstrumentError("the emulator died", name="pair2")
    job = SamplerV2(backend).run([flipped])
    job.wait_for_final_state(10)
    assert job.logs().splitlines()[-1].endswith("ERROR: the emulator died [QC-INST]")


def test_a_primitive_that_is_not_known_is_named(tmp_path):
    jobs = Jobs(JobStore(tmp_path / "jobs.sqlite"))
    jobs.store.add(Submission(job_id="a", device="d", primitive="oracle", calibration_id="", spec=b""))
    with pytest.raises(JobError, match="belongs to 'oracle'"):
        restore(jobs.find("a"), lambda: None)
