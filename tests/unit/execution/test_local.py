import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from qctrl.config import Rack
from qctrl.errors import InstrumentError, InstrumentFault, JobCancelledError, JobTimeLimitError, ResourceError
from qctrl.execution import JobSpec, LocalRunner, Work
from qctrl.protocol import RUNS_AHEAD, SimOptions
from tests.unit.firmware_sim import toys
from tests.unit.instruments.loopback import OnesRig, serving

WAIT_S = 30.0


@pytest.fixture
def rig():
    return OnesRig()


@pytest.fixture
def bench(rig, tmp_path):
    with serving(rig, tmp_path) as found:
        yield found


@pytest.fixture
def runner(bench):
    found = LocalRunner(Rack(Path("rack.yaml"), "sequencer", bench.address, {}), "pair2")
    yield found
    found.close()


def job(sim=None):
    return JobSpec("job1", "pair2", toys.setup(), (Work(toys.excited(), None, 3),), sim)


def test_job_runs_on_whatever_answers_at_the_address(runner):
    assert runner.submit(job()).result(WAIT_S).works[0].bits.tolist() == [[[1], [1], [1]]]


def test_a_short_job_takes_one_exchange_where_the_rack_can_and_three_elsewhere(runner, bench):
    runner.submit(job()).result(WAIT_S)
    assert [verb for verb in bench.verbs if verb != "fetch"] == ["hello", "configure", "play"]
    runner._connection.drop()
    bench.changes["hello"] = {"capabilities": ["branch"]}
    bench.verbs.clear()
    assert runner.submit(job()).result(WAIT_S).works[0].bits.tolist() == [[[1], [1], [1]]]
    assert [verb for verb in bench.verbs if verb != "fetch"] == ["hello", "configure", "load", "start"]


def test_pubs_of_one_program_take_one_exchange(runner, bench):
    program, sim = toys.rabi(), SimOptions(seed=1)
    works = tuple(Work(program, toys.rabi_patch([0.1] * n), 3, pub_index=k) for k, n in enumerate((2, 1, 3)))
    found = runner.submit(JobSpec("job1", "pair2", toys.setup(), works, sim)).result(WAIT_S).works
    assert [work.bits.shape for work in found] == [(2, 3, 1), (1, 3, 1), (3, 3, 1)]
    assert len({str(work.spans[["start_us", "stop_us"]]) for work in found}) == 1
    assert [verb for verb in bench.verbs if verb != "fetch"] == ["hello", "configure", "play"]


def circuits_of_their_own():
    works = [Work(program, None, 3, pub_index=k) for k, program in enumerate((toys.excited(), toys.reset()) * 3)]
    return JobSpec("job1", "pair2", toys.setup(), tuple(works), SimOptions(seed=1))


def test_runs_are_sent_while_the_first_plays(runner, bench, rig):
    rig.hold.clear()
    execution = runner.submit(circuits_of_their_own())
    deadline = time.monotonic() + WAIT_S
    while bench.verbs.count("play") < RUNS_AHEAD:
        assert time.monotonic() < deadline
    assert execution.progress()[0] == 0
    rig.hold.set()
    spans = [work.spans for work in execution.result(WAIT_S).works]
    assert bench.verbs.count("play") == len(spans) == 6
    times = [time_us for span in spans for time_us in span[["start_us", "stop_us"]].tolist()[0]]
    assert times == sorted(times), "what waits does not play"


def test_runs_wait_for_a_rack_that_takes_one_at_a_time(runner, bench):
    bench.changes["hello"] = {"capabilities": ["branch", "play", "sim"]}
    assert len(runner.submit(circuits_of_their_own()).result(WAIT_S).works) == 6
    assert bench.verbs.count("play") == 6


def test_nothing_is_sent_ahead_of_the_seed_that_it_needs(runner, bench, rig):
    """The loopback says that it drew seed 4."""
    spec = replace(circuits_of_their_own(), sim=SimOptions())
    assert runner.submit(spec).result(WAIT_S).metadata["seed"] == 4


def test_job_that_is_cancelled_takes_what_was_sent_ahead_along(runner, bench, rig):
    rig.hold.clear()
    execution = runner.submit(circuits_of_their_own())
    deadline = time.monotonic() + WAIT_S
    while bench.verbs.count("play") < RUNS_AHEAD:
        assert time.monotonic() < deadline
    execution.cancel()
    with pytest.raises(JobCancelledError):
        execution.result(WAIT_S)
    rig.hold.set()
    assert runner.submit(job()).result(WAIT_S)
    assert bench.verbs.count("hello") == 1, "the connection stayed"


def test_rack_that_is_prepared_is_open_when_the_job_comes(runner, bench):
    runner.prepare()
    runner.submit(job()).result(WAIT_S)
    assert bench.verbs.count("hello") == 1


def test_rack_that_cannot_be_prepared_is_opened_by_the_job(runner, bench):
    bench.changes["hello"] = {"device": "chain5"}
    runner.prepare()
    with pytest.raises(InstrumentError, match="is wired to device 'chain5'"):
        runner.submit(job()).result(WAIT_S)


def test_real_instrument_answers_no_questions_and_takes_no_switches(runner, bench):
    bench.changes["hello"] = {"capabilities": ["branch"], "kind": "qblox"}
    with pytest.raises(InstrumentError, match="is real: only an emulator answers debug requests"):
        runner.debug(toys.setup(), {})
    with pytest.raises(InstrumentError, match="is real: it cannot take"):
        runner.submit(job(SimOptions())).result(WAIT_S)


def test_questions_reach_the_rig(runner):
    assert runner.debug(toys.setup(), {"x": 1}, [b"abc"]) == ({"setup": True, "x": 1}, [b"abc"])


def test_rack_that_does_not_open_is_an_error_and_the_next_job_tries_again(runner, bench, monkeypatch):
    bench.changes["hello"] = {"device": "chain5"}
    with pytest.raises(InstrumentError, match="is wired to device 'chain5'"):
        runner.submit(job()).result(WAIT_S)
    bench.changes.clear()
    assert runner.submit(job()).result(WAIT_S)


def test_job_that_cannot_be_stopped_is_cancelled_and_its_connection_dropped(runner, bench, rig, monkeypatch):
    started, gate, real = threading.Event(), threading.Event(), rig.play

    def hang(loaded, active):
        started.set()
        gate.wait(WAIT_S)

    monkeypatch.setattr(rig, "play", hang)
    monkeypatch.setattr(
        "qctrl.instruments.sequencer._DEADLINES_S",
        dict.fromkeys(("hello", "configure", "play", "fetch", "health"), 10.0) | {"abort": 0.1, "safe_state": 0.1},
    )
    execution = runner.submit(job())
    assert started.wait(WAIT_S)
    execution.cancel()
    with pytest.raises(JobCancelledError, match="was cancelled while it failed") as caught:
        execution.result(WAIT_S)
    assert isinstance(caught.value.__cause__, InstrumentError)
    assert runner._connection._opened is None
    gate.set()
    monkeypatch.setattr(rig, "play", real)


def test_unclean_end_is_logged(runner, bench, monkeypatch, caplog):
    def refuse(request, buffers):
        raise ResourceError("jammed")

    runner.submit(job()).result(WAIT_S)
    monkeypatch.setattr(bench, "handle", refuse)
    runner.close()
    assert "the rack of pair2 did not close cleanly" in caplog.text


def test_job_that_takes_too_long_is_stopped_and_the_next_one_runs(runner, bench, rig):
    """The rig holds its run for ever; the connection stays, because the board stops when it is told."""
    rig.hold.clear()
    limited = JobSpec("job1", "pair2", toys.setup(), (Work(toys.excited(), None, 3),), max_execution_s=0.05)
    execution = runner.submit(limited)
    with pytest.raises(JobTimeLimitError, match=r"ran longer than its max_execution_time of 0\.05 s and was stopped"):
        execution.result(WAIT_S)
    assert execution.status() == "ERROR"
    rig.hold.set()
    assert runner.submit(job()).result(WAIT_S)
    assert bench.verbs.count("hello") == 1


def test_spans_cover_the_chunks_in_order(runner):
    before_us = time.time_ns() // 1000
    chunked = JobSpec("job1", "pair2", toys.setup(), (Work(toys.excited(), None, 5),), chunk_shots=2)
    spans = runner.submit(chunked).result(WAIT_S).works[0].spans
    assert [tuple(span)[:4] for span in spans.tolist()] == [(0, 1, 0, 2), (0, 1, 2, 2), (0, 1, 4, 1)]
    times = [before_us, *spans[["start_us", "stop_us"]].tolist()[0], *spans["stop_us"].tolist()]
    assert times == sorted(times)


def test_board_that_is_left_running_costs_the_connection(runner, bench, rig):
    runner.submit(job()).result(WAIT_S)
    bench.changes["health"] = {"state": "running"}
    rig.trouble = ResourceError("port q0.drive: over range")
    with pytest.raises(InstrumentFault, match="over range"):
        runner.submit(job()).result(WAIT_S)
    assert runner._connection._opened is None


def test_board_whose_state_is_unknown_costs_the_connection(runner, bench, rig):
    runner.submit(job()).result(WAIT_S)
    bench.changes["health"] = {"steps": "many"}
    rig.trouble = ResourceError("port q0.drive: over range")
    with pytest.raises(InstrumentFault, match="over range"):
        runner.submit(job()).result(WAIT_S)
    assert runner._connection._opened is None
    bench.changes.clear()
    rig.trouble = None
    assert runner.submit(job()).result(WAIT_S)


def test_fork_that_ends_leaves_the_runner_alone(runner):
    runner.submit(job()).result(WAIT_S)
    runner._owner = -1
    runner.close()
    runner._owner = os.getpid()
    assert runner.submit(job()).result(WAIT_S)


def test_defect_in_a_question_reaches_the_asker(runner, rig, monkeypatch):
    def defect(setup, body, buffers):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(rig, "debug", defect)
    with pytest.raises(InstrumentFault, match="oops"):
        runner.debug(toys.setup(), {})


def test_failures_of_several_instruments_are_one_error_that_tells_them_all(runner, monkeypatch):
    causes = [InstrumentError("instrument awg1: no answer"), InstrumentFault("instrument lo: -310")]

    def failing(_connection):
        raise ExceptionGroup("2 instruments cannot be reached", causes)

    monkeypatch.setattr(type(runner._connection), "open", failing)
    said = "2 instruments cannot be reached:\ninstrument awg1: no answer\ninstrument lo: -310"
    for ask in (runner.submit(job()).result, lambda: runner.debug(toys.setup(), {})):
        with pytest.raises(InstrumentError) as caught:
            ask()
        assert str(caught.value) == said
        assert caught.value.__cause__.exceptions == tuple(causes)
    causes.append(ValueError("a defect stays one"))
    with pytest.raises(ExceptionGroup):
        runner.submit(job()).result(WAIT_S)
