"""Sessions and batches: what belongs to them, and what ends them."""

import time

import pytest
from qiskit import QuantumCircuit

from qctrl import Batch, EstimatorV2, SamplerV2, Session
from qctrl.errors import ConfigError, JobCancelledError
from qctrl.service import JobFilter
from tests.reference.ideal_backend import ideal_backend

WAIT_S = 20.0


@pytest.fixture
def backend(tmp_path):
    return ideal_backend("pair2", tmp_path / "jobs.sqlite")


@pytest.fixture
def circuit():
    made = QuantumCircuit(1, 1)
    made.measure(0, 0)
    return made


def until(condition):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"


@pytest.mark.parametrize(("kind", "mode"), [(Session, "dedicated"), (Batch, "batch")])
def test_jobs_of_primitives_inside_belong_to_it(backend, circuit, kind, mode):
    with kind(backend=backend) as session:
        assert session.status() == "Pending"
        inside = [SamplerV2().run([circuit]), SamplerV2(mode=session).run([circuit])]
        inside.append(EstimatorV2(session).run([(QuantumCircuit(1), "Z")], precision=0.5))
        for job in inside:
            job.result(WAIT_S)
            assert job.session_id == session.session_id
        assert session.status() == "In progress, accepting new jobs"
        assert session.backend() is backend
    assert session.status() == "Closed"
    details = session.details()
    assert (details["mode"], details["backend_name"], details["accepting_jobs"]) == (mode, "pair2", False)
    assert details["jobs"] == [job.job_id() for job in inside]
    assert 0 <= details["usage_time"] < WAIT_S
    kept = backend.jobs.store.list(JobFilter(session=session.session_id), descending=False)
    assert [record.job_id for record in kept] == details["jobs"]
    outside = SamplerV2(backend)
    assert (outside.session, outside.run([circuit]).session_id) == (None, None)


def test_a_primitive_says_where_it_runs(backend):
    with Session(backend) as session:
        sampler = SamplerV2()
        assert (sampler.mode, sampler.session, sampler.backend) == (session, session, backend)
    assert EstimatorV2(session).mode is session


def test_a_closed_session_refuses_before_anything_is_compiled(backend, circuit):
    session = Session(backend)
    sampler, estimator = SamplerV2(session), EstimatorV2(session)
    session.close()
    session.close()
    with pytest.raises(ConfigError, match=f"session {session.session_id} is closed; open a new one"):
        sampler.run([circuit])
    with pytest.raises(ConfigError, match="is closed"):
        estimator.run([(QuantumCircuit(1), "Z")])
    assert backend.jobs.store.list() == []


def test_closing_lets_jobs_end_and_cancelling_does_not(backend, circuit):
    backend.runner.gate.clear()
    closed, cancelled = Session(backend), Session(backend)
    first, second = SamplerV2(closed).run([circuit]), SamplerV2(cancelled).run([circuit])
    closed.close()
    until(first.running)
    assert closed.status() == "In progress, not accepting new jobs"
    cancelled.cancel()
    assert second._handle.execution().is_cancelled
    assert not first._handle.execution().is_cancelled
    backend.runner.gate.set()
    assert first.result(WAIT_S)[0].data.c.num_shots == 1024


def test_after_its_time_the_running_job_ends_and_the_waiting_ones_are_cancelled(backend, circuit, monkeypatch):
    backend.runner.gate.clear()
    session = Session(backend, max_time=0.2)
    running = SamplerV2(session).run([circuit])
    until(running.running)
    monkeypatch.setattr(type(backend.runner), "_run", lambda self, spec, execution: None)
    waiting = SamplerV2(session).run([circuit])
    until(waiting.cancelled)
    with pytest.raises(JobCancelledError):
        waiting.result(WAIT_S)
    with pytest.raises(ConfigError, match="is closed"):
        SamplerV2(session).run([circuit])
    assert running.running()
    backend.runner.gate.set()
    running.result(WAIT_S)


def test_the_clock_starts_with_the_first_job(backend, circuit):
    session = Session(backend, max_time=0.05)
    time.sleep(0.1)
    SamplerV2(session).run([circuit]).result(WAIT_S)


@pytest.mark.parametrize(("text", "seconds"), [("2h 30m 40s", 9040), ("1h", 3600), ("5m", 300), (90, 90), (0.5, 0.5)])
def test_a_length_of_time_is_seconds_or_a_text(backend, text, seconds):
    assert Session(backend, max_time=text).details()["max_time"] == seconds


@pytest.mark.parametrize("length", ["", "soon", "1h soon", "1d", 0, -1, True, float("inf"), float("nan"), [1]])
def test_other_lengths_are_refused(backend, length):
    with pytest.raises(ValueError, match="max_time is"):
        Session(backend, max_time=length)


def test_a_backend_given_inside_a_session_is_taken_in_with_a_warning(backend, circuit, tmp_path):
    other = ideal_backend("chain5", tmp_path / "jobs.sqlite")
    with Batch(backend) as batch:
        with pytest.warns(UserWarning, match="a backend was given, but a batch is open") as told:
            sampler = SamplerV2(mode=backend)
        assert told[0].filename == __file__
        assert sampler.run([circuit]).session_id == batch.session_id
        with pytest.raises(ValueError, match="the backend is chain5, the open batch is on pair2"):
            SamplerV2(mode=other)


def test_sessions_may_be_nested_and_end_in_order(backend):
    with Session(backend) as outer:
        with Batch(backend):
            pass
        assert SamplerV2().session is outer
    with pytest.raises(TypeError, match="needs a backend"):
        SamplerV2()


def test_only_backends_of_this_stack_have_sessions():
    with pytest.raises(TypeError, match="Session needs a backend of ProviderService, not str"):
        Session("pair2")
