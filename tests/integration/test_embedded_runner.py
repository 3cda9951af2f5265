"""Jobs through LocalRunner, the wire, the emulator's process and its physics."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

from qctrl.config import Rack
from qctrl.errors import (
    ConfigError,
    InstrumentError,
    InstrumentTimeoutError,
    JobCancelledError,
    JobError,
    ProtocolError,
)
from qctrl.execution import JobSpec, LocalRunner, Work
from qctrl.protocol import SimOptions
from tests.unit.firmware_sim import toys

WAIT_S = 60.0


def rack(address="embedded"):
    return Rack(Path("rack.yaml"), "sequencer", address, {})


SIM = SimOptions(seed=5)


def job(*works, sim=SIM, chunk_shots=None, rep_delay_s=None):
    return JobSpec("job1", "pair2", toys.setup(), works, sim, chunk_shots, rep_delay_s)


@pytest.fixture(scope="module")
def shared():
    runner = LocalRunner(rack(), "pair2")
    yield runner
    runner.close()


@pytest.fixture
def own():
    runner = LocalRunner(rack(), "pair2")
    yield runner
    runner.close()


def slow_work():
    """Thousands of bindings, each with physics of its own."""
    return Work(toys.rabi(), toys.rabi_patch(np.linspace(0, 1, 20_000)), 10)


def bytes_of(result):
    parts = [(w.bits.tobytes(), None if w.iq is None else w.iq.tobytes()) for w in result.works]
    return parts, [None if w.traces is None else w.traces.tobytes() for w in result.works]


@pytest.mark.parametrize("mode", ["bits", "bits+iq", "iq", "trace", "iq_mean", "trace_mean"])
def test_result_does_not_depend_on_the_chunks(shared, mode):
    rabi = Work(toys.rabi(), toys.rabi_patch([0.0, 0.18, 0.36]), 50, mode)
    works = (rabi, Work(toys.reset(), None, 70, mode, 1))
    results = [shared.submit(job(*works, chunk_shots=chunk)).result(WAIT_S) for chunk in (None, 7, 60)]
    assert bytes_of(results[0]) == bytes_of(results[1]) == bytes_of(results[2])
    assert results[0].works[0].bits.shape == (3, 50, 1)
    assert results[0].works[1].bits.shape == (1, 70, 1)


def test_shapes_of_captures(shared):
    work = toys.rabi(), toys.rabi_patch([0.0, 0.1]), 5
    modes = ("bits", "iq", "iq_mean", "trace", "trace_mean")
    found = shared.submit(job(*(Work(*work, mode) for mode in modes))).result(WAIT_S).works
    assert [None if w.iq is None else w.iq.shape for w in found] == [None, (2, 5, 1), (2, 1), None, None]
    samples = toys.WINDOW_TICKS
    assert [None if w.traces is None else w.traces.shape for w in found] == [
        None,
        None,
        None,
        (2, 5, 1, samples),
        (2, 1, samples),
    ]


def test_seed_decides_and_a_drawn_one_is_reported(shared):
    work = Work(toys.excited(), None, 300, "iq")
    first, again, other = (shared.submit(job(work, sim=SimOptions(seed=seed))).result(WAIT_S) for seed in (1, 1, 2))
    assert bytes_of(first) == bytes_of(again) != bytes_of(other)
    drawn = shared.submit(job(work, sim=SimOptions(), chunk_shots=100)).result(WAIT_S)
    seeds = {chunk["seed"] for chunk in drawn.works[0].statistics["chunks"]}
    assert seeds == {drawn.metadata["seed"]}
    repeated = shared.submit(job(work, sim=SimOptions(seed=drawn.metadata["seed"]))).result(WAIT_S)
    assert bytes_of(repeated) == bytes_of(drawn)


def test_equal_pubs_draw_different_numbers(shared):
    works = [Work(toys.excited(), None, 300, "iq", index) for index in (0, 1)]
    first, second = shared.submit(job(*works)).result(WAIT_S).works
    assert first.iq.tobytes() != second.iq.tobytes()


def test_metadata_says_what_ran(shared):
    metadata = shared.submit(job(Work(toys.excited(), None, 1), rep_delay_s=1e-6)).result(WAIT_S).metadata
    assert metadata["setup_hash"] == toys.setup().hash.hex()
    assert metadata["program_hashes"] == [toys.excited().hash.hex()]
    assert metadata["instrument"]["kind"] == "emulator"
    assert metadata["started"] <= metadata["ended"]


def test_refusal_leaves_the_emulator_alive(own):
    own.submit(job(Work(toys.excited(), None, 1))).result(WAIT_S)
    pid = own._connection.emulator.pid
    with pytest.raises(ProtocolError, match="another Setup"):
        own.submit(job(Work(toys.excited(toys.setup(calibration_id="x")), None, 1))).result(WAIT_S)
    own.submit(job(Work(toys.excited(), None, 1))).result(WAIT_S)
    assert own._connection.emulator.pid == pid


def test_emulator_killed_in_a_run_is_a_clear_error_and_the_next_job_runs(own):
    moving = threading.Event()
    execution = own.submit(job(slow_work()))
    execution.subscribe(lambda event: event.done_shots and moving.set())
    assert moving.wait(WAIT_S)
    os.kill(own._connection.emulator.pid, signal.SIGKILL)
    with pytest.raises(InstrumentError, match=r"died during .*: the emulator's process was killed by signal 9"):
        execution.result(WAIT_S)
    assert execution.status() == "ERROR"
    assert own.submit(job(Work(toys.excited(), None, 4))).result(WAIT_S).works[0].bits.shape == (1, 4, 1)


def test_running_job_is_cancelled_and_the_next_job_runs(own):
    moving = threading.Event()
    execution = own.submit(job(slow_work()))
    waiting = own.submit(job(slow_work()))
    execution.subscribe(lambda event: event.done_shots and moving.set())
    assert moving.wait(WAIT_S)
    assert waiting.cancel()
    assert execution.cancel()
    for one in (execution, waiting):
        with pytest.raises(JobCancelledError, match="job1 was cancelled"):
            one.result(WAIT_S)
    done, total = execution.progress()
    assert 0 < done < total == 200_000
    pid = own._connection.emulator.pid
    own.submit(job(Work(toys.excited(), None, 1))).result(WAIT_S)
    assert own._connection.emulator.pid == pid


def test_closing_ends_the_job_and_the_process(own):
    moving = threading.Event()
    execution = own.submit(job(slow_work()))
    execution.subscribe(lambda event: event.done_shots and moving.set())
    assert moving.wait(WAIT_S)
    emulator = own._connection.emulator
    own.close()
    own.close()
    with pytest.raises(JobCancelledError):
        execution.result(WAIT_S)
    assert not psutil.pid_exists(emulator.pid)
    assert not emulator.folder.exists()
    with pytest.raises(JobError, match="closed"):
        own.submit(job(Work(toys.excited(), None, 1)))


def test_stalled_emulator_is_a_timeout(monkeypatch):
    monkeypatch.setattr("qctrl.execution.playback._WAIT_S", 0.05)
    runner = LocalRunner(rack(), "pair2", stall_slack_s=0.0)
    monkeypatch.setattr("qctrl.execution.playback.to_seconds", lambda ticks, tick_s: -1e9)
    with pytest.raises(InstrumentTimeoutError, match="no sign of life in fetch"):
        runner.submit(job(slow_work())).result(WAIT_S)
    runner.close()


def test_emulator_on_an_address_serves_several_runners_in_turn(tmp_path):
    command = [sys.executable, "-m", "firmware_sim", "--device", "pair2", "--bind", "tcp://127.0.0.1:*"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        address = child.stdout.readline().split()[1]
        epochs = []
        for _ in range(2):
            runner = LocalRunner(rack(address), "pair2")
            epochs.append(runner.submit(job(Work(toys.excited(), None, 1))).result(WAIT_S).metadata["epoch"])
            runner.close()
        child.terminate()
        assert child.wait(WAIT_S) == 0
    assert epochs == [1, 2]


def test_job_for_another_device_is_refused(shared):
    with pytest.raises(JobError, match="job is for chain5, this rack plays pair2"):
        shared.submit(JobSpec("j", "chain5", toys.setup(), ()))


def test_truth_file_is_for_embedded_emulators_only(tmp_path):
    with pytest.raises(ConfigError, match="is no emulator that is started here"):
        LocalRunner(rack("tcp://127.0.0.1:5570"), "pair2", tmp_path / "t.yaml")


def test_debug_channel_is_the_block_as_an_operator(shared):
    program = toys.program(
        [([toys.play(0, toys.DRIVE, 0, toys.PULSE_TICKS, 0.2)], toys.PULSE_TICKS)], [toys.PLAY, toys.END], n_captures=0
    )
    body = {"op": "channel", "qubits": [0], "frames_hz": [toys.DRIVE_HZ], "noise": False, "levels": 2}
    answer, (data,) = shared.debug(toys.setup(), body, [program.to_bytes(), b""])
    unitary = np.frombuffer(data, dtype=answer["dtype"]).reshape(answer["shape"])
    assert unitary.shape == (2, 2)
    assert answer["left_out"] == []
    assert np.allclose(unitary @ unitary.conj().T, np.eye(2), atol=1e-9)
    assert abs(unitary[0, 1]) > 0.1
    noisy, (data,) = shared.debug(toys.setup(), {**body, "noise": True}, [program.to_bytes(), b""])
    assert noisy["shape"] == [4, 2, 2]
    read, _ = shared.debug(toys.setup(), body, [toys.excited().to_bytes(), b""])
    assert read["left_out"] == ["readout"]
    given = np.array([[0, 1]], dtype="<c16")
    _, (data,) = shared.debug(toys.setup(), body, [program.to_bytes(), b"", given.tobytes()])
    assert np.allclose(np.frombuffer(data, dtype="<c16"), unitary[1])


def test_debug_populations_are_those_of_the_last_block(shared):
    program = toys.program(
        [([toys.play(0, toys.DRIVE, 0, toys.PULSE_TICKS, gain_row=1)], toys.PULSE_TICKS)],
        [toys.PLAY, toys.END],
        n_captures=0,
        rows=(1, 2),
    )
    words = toys.rabi_patch([0.0, 0.3]).words
    patch = type(toys.rabi_patch([0.0]))(program.hash, words)
    found = []
    for binding in range(2):
        body = {"op": "populations", "binding": binding, "noise": False}
        answer, (data,) = shared.debug(toys.setup(), body, [program.to_bytes(), patch.to_bytes()])
        found.append(np.frombuffer(data, dtype=answer["dtype"]).reshape(answer["shape"]))
    assert found[0].shape == (2, 3)
    assert np.allclose(found[0], [[1, 0, 0], [1, 0, 0]], atol=1e-6)
    assert found[1][0, 1] > 0.2


@pytest.mark.parametrize(
    ("body", "buffers", "match"),
    [
        ({"op": "truth"}, 2, "debug op 'truth' is unknown; known: channel, populations"),
        ({"op": "populations"}, 1, "needs a Program and a Patch"),
        ({"op": "populations", "shots": 0}, 2, "shots 0 not in"),
        ({"op": "populations", "seed": "x"}, 2, "whole number"),
        ({"op": "channel", "qubits": [0], "frames_hz": []}, 2, "0 frames for"),
        ({"op": "channel", "qubits": 0, "frames_hz": []}, 2, "must be a list of numbers"),
        ({"op": "channel", "qubits": [0], "frames_hz": [1e9]}, 3, "no whole number of operands"),
    ],
)
def test_malformed_question_is_refused(shared, body, buffers, match):
    parts = [toys.excited().to_bytes(), b"", b"odd"][:buffers]
    with pytest.raises(ProtocolError, match=match):
        shared.debug(toys.setup(), body, parts)


def test_question_about_another_programs_words_is_refused(shared):
    with pytest.raises(ProtocolError, match="open slots and no patch"):
        shared.debug(toys.setup(), {"op": "populations"}, [toys.rabi().to_bytes(), b""])
    patch = toys.rabi_patch([0.1])
    with pytest.raises(ProtocolError, match="binding 9 of 1"):
        shared.debug(toys.setup(), {"op": "populations", "binding": 9}, [toys.rabi().to_bytes(), patch.to_bytes()])
    other = toys.excited(toys.setup(calibration_id="x"))
    with pytest.raises(ProtocolError, match="another Setup"):
        shared.debug(toys.setup(), {"op": "populations"}, [other.to_bytes(), b""])
