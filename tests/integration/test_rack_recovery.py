"""After a failure of a box, the rack or the host: what is sent again, what is not, and that the next run works."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import psutil
import pytest

from qctrl.access import ProviderService
from qctrl.errors import (
    ConfigError,
    InstrumentError,
    ResourceError,
)
from qctrl.protocol import Mixer
from tests.integration.rack_bench import assert_dac_plays, shipped, with_ports
from tests.integration.rack_lab import DEADLINE_S, Lab, Ledger, bell
from tests.integration.rack_stand import SHOTS, Stand

pytest.importorskip("pyvisa_py")

ROOT = Path(__file__).resolve().parents[2]
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
def backend(home):
    with ProviderService() as service:
        yield service.backend("pair2")


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


def test_wrong_instrument_at_an_address_is_not_configured(stand):
    assert_played(stand.play())
    held = dict(stand.bench.instruments["awg2"].waveforms)
    stand.bench.inject("awg2", "identity", "TEKTRONIX,AWG5208,B999999,1")
    stand.session("awg2").close()
    with pytest.raises(InstrumentError, match="serial number B999999 answers, not B010202"):
        stand.play()
    assert stand.bench.instruments["awg2"].waveforms == held  # nothing was sent to it, not even *RST
    stand.bench.cure("awg2")
    assert_played(stand.play())


def test_power_cycle_between_two_runs_leads_to_a_new_upload(stand):
    stand.play()
    stand.bench.inject("awg1", "power_cycle", True)
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
    stand.bench.inject("lo_drive", "power_cycle", True)
    assert_played(stand.play())
    assert max(slept) == 0.3
    stand.play()
    assert slept[-1] == 0


def test_connection_torn_within_a_block_leads_to_a_whole_new_upload(stand):
    stand.play()
    stand.bench.inject("awg1", "power_cycle", True)
    stand.bench.inject("awg1", "drop_at", 6000)  # within the first waveform of 9600 bytes
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


def test_amplitude_beyond_full_scale_after_mixing_is_refused_with_port_and_time(stand):
    stand.driver.connect()
    program, setup = changed(stand, **{"q1.drive": {"mixer": Mixer(offset_i=0.9)}})
    with pytest.raises(ResourceError, match=r"q1\.drive.*tick"):
        stand.play(program, setup)
    assert uploads(stand) == {"awg1": 0, "awg2": 0}
    stand.bench.assert_safe()
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
    stand.bench.assert_safe()
    monkeypatch.undo()
    stand.driver.connect()
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
    stand.bench.assert_safe()
    with pytest.raises(InstrumentError, match="there is no run 'r' on this rack"):
        stand.driver.fetch("r", 0, 0.1)


class RackProcess:
    """A rack in a process of its own, on the ports of its file once that has any."""

    def __init__(self, path, *options):
        command = [sys.executable, "-m", "firmware_sim", "rack", str(path), "--seed", "11", "--control", "0", *options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        words = self._process.stdout.readline().split()
        assert words[:2] == ["ready", "pair2"], words
        self.ports = {name: int(port) for name, port in (word.split("=") for word in words[2:])}

    def ask(self, **question):
        address = ("127.0.0.1", self.ports["control"])
        with socket.create_connection(address, DEADLINE_S) as connection, connection.makefile("rw") as stream:
            stream.write(json.dumps(question) + "\n")
            stream.flush()
            return json.loads(stream.readline())

    def kill(self):
        self._process.kill()
        self._process.wait(DEADLINE_S)
        self._process.stdout.close()


def test_rack_that_dies_in_a_run_costs_jobs_until_it_is_back(home, tmp_path):
    path = tmp_path / "rack.yaml"
    path.write_text(shipped("pair2"))
    rack = RackProcess(path, "--any-port")
    path.write_text(with_ports(shipped("pair2"), [port for name, port in rack.ports.items() if name != "control"]))
    lab = Lab(path, Ledger())
    try:
        lab.assert_works()
        # So that the run goes on until somebody ends it.
        rack.ask(instrument="digitizer", fault="frames_short", value=1)
        job = lab.submit()
        until = time.monotonic() + DEADLINE_S
        while not rack.ask(instrument="digitizer", ask="state")["running"]:
            assert time.monotonic() < until
            time.sleep(0.01)
        rack.kill()
        # Whichever box is asked next.
        with pytest.raises(InstrumentError, match=r"instrument (awg1|awg2|digitizer) at TCPIP0") as caught:
            job.result(DEADLINE_S)
        assert lab.ledger.take() == [("ERROR", str(caught.value))]
        # While it is away, every box is named.
        with pytest.raises(InstrumentError, match="6 instruments cannot be reached:") as caught:
            lab.submit().result(DEADLINE_S)
        assert all(f"instrument {name} at " in str(caught.value) for name in rack.ports if name != "control")
        assert lab.ledger.take() == [("ERROR", str(caught.value))]
        rack = RackProcess(path)
        lab.assert_works()
    finally:
        lab.close()
        rack.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)])
def test_death_of_the_host_leaves_boxes_safe_and_leases_free(stand, number, code, tmp_path):
    stand.driver.safe_state()
    stand.driver.close()
    stand.bench.inject("digitizer", "frames_short", 1)  # so that the run goes on for as long as its host lives
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
        stand.bench.assert_safe()  # it ended in order
    _, alive = psutil.wait_procs(sessions, DEADLINE_S)
    assert not alive
    stand.bench.assert_safe()
    stand.bench.cure("digitizer")
    stand.driver.connect()  # the leases went with their owner
    assert_played(stand.play())
