import threading

import pytest

from qctrl.errors import InstrumentError, JobCancelledError, JobError
from qctrl.execution import Execution, JobResult


@pytest.fixture
def execution():
    return Execution("job1", 10)


def test_result_waits_for_the_runner(execution):
    assert execution.status() == "QUEUED"
    assert execution.begin()
    result = JobResult(())
    threading.Timer(0.02, execution.succeed, (result,)).start()
    assert execution.result(10) is result
    assert execution.status() == "DONE"


def test_impatience_is_an_error_that_ends_nothing(execution):
    with pytest.raises(JobError, match=r"job1 has not ended within 0.01 s"):
        execution.result(0.01)
    assert execution.begin()


def test_failure_is_raised_where_the_result_is_asked_for(execution):
    execution.begin()
    execution.fail(InstrumentError("dead"))
    assert execution.status() == "ERROR"
    with pytest.raises(InstrumentError, match="dead"):
        execution.result()


def test_queued_job_is_cancelled_at_once(execution):
    assert execution.cancel()
    assert execution.status() == "CANCELLED"
    assert not execution.begin()
    with pytest.raises(JobCancelledError, match="job1 was cancelled"):
        execution.result()
    assert not execution.cancel()


def test_running_job_is_cancelled_by_its_runner(execution):
    execution.begin()
    assert execution.cancel()
    assert execution.is_cancelled
    assert execution.status() == "RUNNING"
    execution.fail(JobCancelledError("stopped"))
    assert execution.status() == "CANCELLED"


def test_status_never_leaves_a_final_state(execution):
    execution.begin()
    execution.succeed(JobResult(()))
    execution.fail(InstrumentError("too late"))
    assert execution.status() == "DONE"


def test_listener_hears_every_move(execution):
    heard = []
    execution.subscribe(heard.append)
    execution.begin()
    execution.advance(4)
    execution.advance(4)
    execution.succeed(JobResult(()))
    assert [(event.status, event.done_shots) for event in heard] == [
        ("QUEUED", 0),
        ("RUNNING", 0),
        ("RUNNING", 4),
        ("DONE", 4),
    ]
    assert execution.progress() == (4, 10)


def test_defective_listener_costs_nothing(execution, caplog):
    calls = []

    def listener(event):
        calls.append(event)
        if len(calls) > 1:
            raise ZeroDivisionError

    execution.subscribe(listener)
    execution.begin()
    execution.succeed(JobResult(()))
    assert execution.result() is not None
    assert "listener of job job1 failed" in caplog.text
