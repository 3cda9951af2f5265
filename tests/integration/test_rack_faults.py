"""Faults of a rack of boxes: whatever happens, outputs end safe, the error says what it was, and the next run works."""

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import psutil
import pytest
from qiskit import QuantumCircuit, transpile

from qctrl.access import ProviderService
from qctrl.errors import (
    ConfigError,
    InstrumentError,
    InstrumentFault,
    InstrumentTimeoutError,
    ProtocolError,
    QctrlError,
    ResourceError,
    TimingError,
)
from qctrl.instruments.scpi import Session
from qctrl.primitives import SamplerV2
from qctrl.protocol import EventOp, Mixer
from tests.integration.rack_bench import assert_dac_plays
from tests.integration.rack_stand import SHOTS, TIMEOUT_S, Stand

pytest.importorskip("pyvisa_py")

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 15.0
"""Of a run with a fault, on a machine whose cores are busy; its own deadlines are a tenth of it."""
START_S = 60.0
PLAYING = 2
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QCTRL_LEASES", str(folder / "leases"))
        patch.setenv("QCTRL_JOBS", str(folder / "jobs.sqlite"))
        yield folder


@pytest.fixture(scope="module")
def backend(home):
    with ProviderService() as service:
        yield service.backend("pair2")


def bell(backend):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return transpile(circuit, backend, seed_transpiler=1)


@pytest.fixture(scope="module")
def program(backend):
    return backend.compile(bell(backend)).program


@pytest.fixture(scope="module")
def stand(home, backend, program):
    found = Stand(home, backend.setup, program)
    yield found
    found.close()


def assert_played(blocks):
    assert [block.bits.shape for block in blocks] == [(1, SHOTS, 1)]


FAULTS = [
    # An entry of the error queue, and too many of them.
    ("awg1", "push_error", (-222, "Data out of range"), InstrumentFault, "awg1 at .* reports -222, Data out of range"),
    (
        "lo_readout",
        "push_error",
        (-310, "System error"),
        InstrumentFault,
        "lo_readout at .* reports -310, System error",
    ),
    ("awg2", "many_errors", 40, InstrumentFault, "awg2 at .* reports -222, Data out .*; -350, Queue overflow"),
    # A reply that comes too late, a peer that stops reading, a connection that is torn off.
    ("awg2", "delay_s", 1.4, InstrumentTimeoutError, "awg2 at .* was not answered within 1 s"),
    ("awg1", "stop_reading_at", 300, InstrumentTimeoutError, "awg1 at .* was not answered within 1 s"),
    ("awg1", "drop_at", 300, InstrumentError, "awg1 at"),
    # A run state that hangs, a missing trigger, a loose trigger cable.
    ("awg2", "stuck_state", 2, InstrumentError, "awg2 at .* does not wait for its trigger .* run state 2"),
    ("awg1", "stuck_state", 1, InstrumentError, "awg1 has not played its 20 shots although all were recorded"),
    ("awg2", "misses_triggers", True, InstrumentError, "awg2 has not played its 20 shots .* missed the trigger"),
    ("awg1", "loose_marker", True, InstrumentTimeoutError, "digitizer has 0 of 20 records, 1 s after"),
    # No common clock.
    ("lo_drive", "reference_locked", False, InstrumentError, "lo_drive is not locked to its reference clock"),
    ("awg2", "reference_locked", False, InstrumentError, "awg2 is not locked"),
    # Fewer records, more than there are, a converter at its end.
    ("digitizer", "frames_short", 1, InstrumentTimeoutError, "digitizer has 19 of 20 records"),
    (
        "digitizer",
        "frames_short",
        -1,
        InstrumentError,
        "it has 21 records, not 20; they are never padded and never cut",
    ),
    ("digitizer", "extra_length", 4, InstrumentError, "digitizer at"),
    ("digitizer", "corrupts", True, InstrumentError, "channel 1 is overdriven in frame 1, sample 0"),
]


@pytest.mark.parametrize(
    ("name", "fault", "value", "error", "text"), FAULTS, ids=[f"{name}-{fault}" for name, fault, *_ in FAULTS]
)
def test_fault_ends_safe_and_the_next_run_works(stand, name, fault, value, error, text):
    stand.driver.configure(stand.setup)
    stand.driver.load(stand.program, None)
    if fault == "loose_marker":
        assert_played(stand.play())
    began = time.monotonic()
    stand.inject(name, fault, value)
    with pytest.raises(error, match=text):
        stand.play()
    assert time.monotonic() - began < DEADLINE_S
    assert stand.driver.health().state == "failed"
    # Safe while the fault is still there, but for a box that takes nothing any more: that one is, once it does.
    stand.assert_safe(but=name if fault == "stop_reading_at" else None)
    stand.cure(name)
    if fault == "stop_reading_at":
        stand.driver.safe_state()
        stand.assert_safe()
    if fault == "loose_marker":
        stand.driver.connect()
    assert_played(stand.play())


def test_wrong_instrument_at_an_address_is_not_configured(stand):
    assert_played(stand.play())
    held = dict(stand.bench.instruments["awg2"].waveforms)
    stand.inject("awg2", "identity", "TEKTRONIX,AWG5208,B999999,1")
    stand.session("awg2").close()
    with pytest.raises(InstrumentError, match="serial number B999999 answers, not B010202"):
        stand.play()
    assert stand.bench.instruments["awg2"].waveforms == held  # nothing was sent to it, not even *RST
    stand.cure("awg2")
    assert_played(stand.play())


def test_power_cycle_between_two_runs_leads_to_a_new_upload(stand):
    stand.play()
    stand.inject("awg1", "power_cycle", True)
    (block,) = stand.play()
    assert block.statistics["uploaded_segments"] > 0
    assert block.statistics["segments_held"] > 0  # the other generator kept its own


def test_box_that_was_switched_on_has_time_to_settle(stand, monkeypatch):
    stand.play()
    entry = stand.driver._rack.instruments["lo_drive"]
    changed_rack = {**stand.driver._rack.instruments, "lo_drive": entry.model_copy(update={"settle": 0.3})}
    monkeypatch.setattr(stand.driver, "_rack", dataclasses.replace(stand.driver._rack, instruments=changed_rack))
    slept = []
    monkeypatch.setattr("qctrl.instruments.boxes.rack.time", SimpleNamespace(sleep=slept.append))
    stand.session("lo_drive").close()  # the connection alone
    assert_played(stand.play())
    assert max(slept) == 0
    stand.inject("lo_drive", "power_cycle", True)
    assert_played(stand.play())
    assert max(slept) == 0.3
    stand.play()
    assert slept[-1] == 0


def test_connection_torn_within_a_block_leads_to_a_whole_new_upload(stand):
    stand.play()
    stand.inject("awg1", "power_cycle", True)
    stand.inject("awg1", "drop_at", 6000)  # within the first waveform of 9600 bytes
    with pytest.raises(InstrumentError, match="awg1 at"):
        stand.play()
    assert_played(stand.play())
    assert_dac_plays(stand.bench, stand.program, stand.setup)


def changed(stand, **ports):
    """Return the program for a Setup with other ports, and that Setup."""
    new = tuple(msgspec.structs.replace(port, **ports.get(port.name, {})) for port in stand.setup.ports)
    setup = dataclasses.replace(stand.setup, ports=new)
    return msgspec.structs.replace(stand.program, setup_hash=setup.hash), setup


def uploads(stand):
    return {name: len(stand.bench.instruments[name].waveforms) for name in ("awg1", "awg2")}


def refuse_before_anything_is_sent(stand, error, text, act):
    """Let a job be refused, and check what holds then: nothing was uploaded, all is safe, the next one works."""
    stand.driver.connect()
    began = time.monotonic()
    with pytest.raises(error, match=text):
        act()
    assert time.monotonic() - began < DEADLINE_S
    assert uploads(stand) == {"awg1": 0, "awg2": 0}
    stand.driver.safe_state()
    stand.assert_safe()
    assert_played(stand.play())


def test_schedule_longer_than_its_time_is_an_error_of_the_compiler(stand, backend):
    circuit = QuantumCircuit(2, 1)
    with circuit.box(duration=40, unit="ns"):
        circuit.sx(0)
        circuit.sx(0)
    circuit.measure(0, 0)
    refuse_before_anything_is_sent(stand, TimingError, "box", lambda: SamplerV2(backend).run([circuit]).result())


def test_plays_that_overlap_on_a_port_are_refused(stand):
    program = stand.program
    events = program.events.copy()
    plays = np.flatnonzero(events["op"] == EventOp.PLAY)
    first, second = next(pair for pair in itertools.pairwise(plays) if np.ptp(events["frame"][list(pair)]) == 0)
    events["start_ticks"][second] = events["start_ticks"][first] + 4
    overlapping = msgspec.structs.replace(program, events=events)
    refuse_before_anything_is_sent(stand, ProtocolError, "overlap on one frame", lambda: stand.play(overlapping))


def test_amplitude_beyond_full_scale_after_mixing_is_refused_with_port_and_time(stand):
    stand.driver.connect()
    program, setup = changed(stand, **{"q1.drive": {"mixer": Mixer(offset_i=0.9)}})
    with pytest.raises(ResourceError, match=r"q1\.drive.*tick"):
        stand.play(program, setup)
    assert uploads(stand) == {"awg1": 0, "awg2": 0}
    stand.assert_safe()
    assert_played(stand.play())


def test_shot_beyond_the_memory_of_a_generator_is_refused_before_it_is_uploaded(stand, monkeypatch):
    stand.driver.connect()
    driver = stand.driver._boxes["awg1"]
    real = driver.configure
    small = lambda *asked: dataclasses.replace(real(*asked), max_samples=3000)  # noqa: E731
    monkeypatch.setattr(driver, "configure", small)
    with pytest.raises(ResourceError, match="samples of memory, the generator has 16383 and 3000; shorten the circuit"):
        stand.play()
    assert uploads(stand)["awg1"] == 0
    stand.assert_safe()
    monkeypatch.undo()
    stand.driver.connect()
    assert_played(stand.play())


@pytest.mark.parametrize(
    ("port", "change", "text"),
    [
        ("q0.flux", {"idle": 0.6}, r"bias: level of 0\.59999\d V is beyond its limit of 0\.5 V"),
        ("q0.drive", {"full_scale_v": 4.0}, "amplitude of channel 1 of 8 V peak to peak is beyond its limit of 5 V"),
        ("q0.drive", {"lo_hz": 6.1e9}, "its ports need different carriers"),
    ],
)
def test_setting_beyond_a_limit_is_refused_and_changes_nothing(stand, port, change, text):
    assert_played(stand.play())
    bias, lo = stand.bench.instruments["bias"], stand.bench.instruments["lo_drive"]
    before = (bias.levels_v[-1], lo.frequency_hz, [c.vpp for c in stand.bench.instruments["awg1"].channels.values()])
    program, setup = changed(stand, **{port: change})
    with pytest.raises((ResourceError, ConfigError), match=text):
        stand.play(program, setup)
    after = (bias.levels_v[-1], lo.frequency_hz, [c.vpp for c in stand.bench.instruments["awg1"].channels.values()])
    assert after == before
    stand.assert_safe()
    assert_played(stand.play())


def test_port_on_no_box_is_refused(stand):
    unwired = (*stand.setup.ports, msgspec.structs.replace(stand.setup.ports[0], name="q9.drive"))
    with pytest.raises(ConfigError, match=r"port q9\.drive is on no box"):
        stand.driver.configure(dataclasses.replace(stand.setup, ports=unwired))
    assert_played(stand.play())


def test_abort_and_safe_state_may_come_at_any_time_and_twice(stand):
    stand.play()
    stand.driver.abort()
    stand.driver.safe_state()
    stand.assert_safe()
    with pytest.raises(InstrumentError, match="there is no run 'r' on this rack"):
        stand.driver.fetch("r", 0, 0.1)


def test_second_owner_of_the_rack_is_refused(stand):
    second = stand.bench.driver()
    with pytest.raises(InstrumentError, match=r"awg1 at .* is in use by process \d+; end it first, nothing was sent"):
        second.connect()
    second.close()
    assert stand.play()


JOB_FAULTS = [
    ("awg1", "push_error", (-222, "Data out of range"), r"awg1 at .* reports -222, Data out of range"),
    ("awg2", "delay_s", 1.4, r"awg2 at .* was not answered within 1 s"),
    ("lo_drive", "reference_locked", False, "lo_drive is not locked to its reference clock"),
]


def test_jobs_around_a_fault_are_kept_and_end(stand, program, monkeypatch):
    """Nothing lost: what was submitted before, with and after a fault is found again, with its results or its error."""
    stand.driver.close()
    monkeypatch.setitem(Session.__init__.__kwdefaults__, "timeout_s", TIMEOUT_S)
    with ProviderService(config=stand.bench.path) as service:
        backend = service.backend("pair2")
        sampler = SamplerV2(backend)
        jobs = [sampler.run([bell(backend)], shots=SHOTS)]
        jobs[0].result()
        for name, fault, value, text in JOB_FAULTS:
            stand.inject(name, fault, value)
            began = time.monotonic()
            failing = sampler.run([bell(backend)], shots=SHOTS)
            with pytest.raises(QctrlError, match=text):
                failing.result()
            assert time.monotonic() - began < DEADLINE_S
            stand.assert_safe()
            stand.cure(name)
            jobs += [failing, sampler.run([bell(backend)], shots=SHOTS)]
            assert jobs[-1].result()[0].data.meas.num_shots == SHOTS
        for job in jobs:
            kept = service.job(job.job_id())
            assert str(kept.status()).endswith("ERROR" if job in jobs[1::2] else "DONE")
            if job in jobs[0::2]:
                assert kept.result()[0].data.meas.get_counts() == job.result()[0].data.meas.get_counts()
    stand.assert_safe()
    stand.driver.connect()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)])
def test_death_of_the_host_leaves_boxes_safe_and_leases_free(stand, number, code, tmp_path):
    stand.driver.safe_state()
    stand.driver.close()
    stand.inject("digitizer", "frames_short", 1)  # so that the run goes on for as long as its host lives
    circuit = tmp_path / "bell.qasm"
    circuit.write_text(BELL)
    command = [sys.executable, "-m", "qctrl", "run", str(circuit), "--config", str(stand.bench.path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    host = subprocess.Popen([*command, "--shots", str(SHOTS)], stderr=subprocess.PIPE, text=True, env=environment)
    until = time.monotonic() + START_S
    while stand.bench.instruments["awg1"].state != PLAYING:
        assert time.monotonic() < until
        assert host.poll() is None, host.stderr.read()
        time.sleep(0.01)
    assert stand.bench.instruments["lo_drive"].on
    sessions = psutil.Process(host.pid).children()
    assert len(sessions) == 6
    host.send_signal(number)
    _, said = host.communicate(timeout=DEADLINE_S)
    host.stderr.close()
    assert host.returncode == code
    if number == signal.SIGTERM:
        assert "was cancelled" in said
        stand.assert_safe()  # it ended in order
    _, alive = psutil.wait_procs(sessions, DEADLINE_S)
    assert not alive
    stand.assert_safe()
    stand.cure("digitizer")
    stand.driver.connect()  # the leases went with their owner
    assert_played(stand.play())
