"""The driver of a cluster: a run on the vendor's dummy, and what becomes of one when the cluster fails."""

import importlib.util
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from qctrl.config import load_rack
from qctrl.errors import (
    ConfigError,
    InstrumentError,
    InstrumentTimeoutError,
    MissingExtraError,
    ProtocolError,
    UnsupportedInstructionError,
)
from qctrl.instruments import open_boxes
from qctrl.instruments.qblox import connection as connection_module
from qctrl.instruments.qblox import driver as driver_module
from qctrl.instruments.qblox.connection import Connection
from qctrl.protocol import FlowOp, Run, flow
from tests.unit.instruments.qblox import toys

ROOT = Path(__file__).parents[4]
RACK = ROOT / "configs" / "rack_qblox_pair2.yaml"
TOY_RACK = """
schema: qctrl.rack/1
driver: cluster
devices:
  toy: {{wiring: none.yaml}}
instruments:
  cluster:
    kind: qblox_cluster
    address: {address}
    serial: "{serial}"
    modules: {modules}
    channels: {{q0.drive: [2, 1], q0.flux: [4, 1], f0.readout: [6, 1], f0.acquire: [6, 1]}}
"""
N_SHOTS = 6


def opened(folder, address="dummy", serial="", modules="{2: QCM-RF, 4: QCM, 6: QRM-RF}"):
    path = folder / "rack.yaml"
    path.write_text(TOY_RACK.format(address=address, serial=serial, modules=modules))
    found = open_boxes(load_rack(path), "toy")
    found._run_slack_s = 0.3
    return found


@pytest.fixture
def vendor(monkeypatch):
    """Let children import the stand-in for the vendor's package; returns how to choose its fault."""
    stand_in = Path(__file__).parent / "vendor"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(stand_in), str(ROOT)]))
    monkeypatch.setattr(connection_module.importlib.util, "find_spec", lambda name: object())
    return lambda fault: monkeypatch.setenv("FAKE_FAULT", fault)


@pytest.fixture
def driver(vendor, tmp_path):
    found = opened(tmp_path)
    yield found
    found.close()


SETUP = toys.setup()
EVENTS = [toys.play(0), toys.play(40, 2, frame=toys.READOUT, length=400), toys.capture(40, 0)]
CONDITION = [
    flow.instruction(FlowOp.PLAY_BLOCK, 0),
    flow.instruction(FlowOp.BRANCH_BIT, 0, 3, 0),
    flow.instruction(FlowOp.PLAY_BLOCK, 1),
    flow.instruction(FlowOp.END),
]


def program(steps=None, **changes):
    blocks = [(EVENTS, 440), ([toys.play(0)], 24)]
    return toys.program(SETUP, blocks if steps else blocks[:1], steps, **changes)


def patch_of(made):
    from qctrl.protocol import Patch

    return Patch(made.hash, toys.words()[None])


def run(made, **changes):
    fields = {"run_id": "r", "epoch": 1, "patch_hash": "", "first_binding": 0, "n_bindings": 1, "first_shot": 0}
    fields |= {"n_shots": N_SHOTS, "rep_delay_ticks": 1000, "capture_mode": "bits+iq"}
    return Run(**fields | {"setup_hash": SETUP.hash.hex(), "program_hash": made.hash.hex()} | changes)


def play(driver, made, **changes):
    driver.connect()
    driver.configure(SETUP)
    driver.load(made, patch_of(made))
    driver.start(run(made, **changes))
    until, blocks = time.monotonic() + 30, []
    while time.monotonic() < until:
        fetched = driver.fetch("r", len(blocks), 1.0)
        if fetched.results is not None:
            blocks.append(fetched.results)
        elif fetched.progress.state == "done":
            return blocks
    raise AssertionError("no end")


def test_bits_and_integrated_values_come_from_the_bins(driver):
    (results,) = play(driver, program())
    # 100 over a window of 400 is 0.25: beyond the line 0.6 I + 0.8 Q = 0.1, and -0.25 is not.
    assert results.bits.shape == (1, N_SHOTS, 1)
    assert results.bits[0, :, 0].tolist() == [1, 0] * (N_SHOTS // 2)
    assert np.allclose(results.iq[0, :, 0], [0.25, -0.25] * (N_SHOTS // 2))
    assert driver.health().state == "done"
    assert driver.health().done_shots == N_SHOTS


def test_what_a_condition_depends_on_is_what_the_cluster_decided(driver):
    (results,) = play(driver, program(CONDITION))
    assert results.bits[0, :, 0].tolist() == [0, 1] * (N_SHOTS // 2)


def test_shots_beyond_the_bins_are_played_in_parts(driver, monkeypatch):
    monkeypatch.setattr("qctrl.instruments.qblox.playing._MAX_SHOTS", 4)
    blocks = play(driver, program())
    assert [(each.first_shot, each.bits.shape[1]) for each in blocks] == [(0, 4), (4, 2)]


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        ("stuck", InstrumentTimeoutError, r"sequencers still run 0\.3 s after"),
        ("underflow", InstrumentError, "slot 2 sequencer 0 failed: SEQUENCE_PROCESSOR_RT_EXEC_COMMAND_UNDERFLOW"),
        ("missing", InstrumentError, "recorded 5 of 6 shots"),
        ("refuse", InstrumentError, "failed to upload: RuntimeError: assembly failed"),
        ("dead", InstrumentError, "its process ended"),
    ],
)
def test_a_failure_ends_the_run_and_the_next_one_works(fault, error, text, vendor, tmp_path):
    vendor(fault)
    driver = opened(tmp_path)
    try:
        with pytest.raises(error, match=text):
            play(driver, program())
        vendor("")
        assert len(play(driver, program())) == 1
    finally:
        driver.close()


def test_a_late_answer_poisons_the_connection(vendor):
    vendor("slow")
    found = Connection("cluster", "dummy", {2: "QCM"})
    found.open(20.0)
    child = found._child._child
    with pytest.raises(InstrumentTimeoutError, match=r"did not identify within 0\.2 s; the connection is given up"):
        found.call("identify", deadline_s=0.2)
    assert child.poll() is not None, "the process of a late answer goes on"
    with pytest.raises(InstrumentError, match=r"cannot identify: identify took longer than 0\.2 s; connect anew"):
        found.call("identify", deadline_s=0.2)
    vendor("")
    found.open(20.0)
    assert found.call("identify", deadline_s=5.0)["serial"] == "42"
    found.close()


def test_outputs_are_disconnected_when_their_owner_dies(vendor, tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv("FAKE_LOG", str(log))
    for dies in (False, True):
        found = Connection("cluster", "dummy", {2: "QCM", 4: "QRM"})
        found.open(20.0)
        child = found._child._child
        if dies:
            os.kill(child.pid, signal.SIGINT)  # Ctrl-C reaches the whole group; it is the owner's to act on
            found._child._channel.close()
            child.wait(10.0)
        found.close()
        assert child.poll() == 0
        assert (log.read_text() if log.exists() else "") == ("disconnected 2\ndisconnected 4\n" if dies else "")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"address": "10.0.0.9", "serial": "43"}, "has serial number 42, not 43"),
        ({"address": "10.0.0.8"}, "slot 2 has QCM, the rack file says QCM-RF"),
    ],
)
def test_another_cluster_is_refused(changes, text, vendor, tmp_path, monkeypatch):
    monkeypatch.setenv("QCTRL_LEASES", str(tmp_path / "leases"))
    driver = opened(tmp_path, **changes)
    with pytest.raises(InstrumentError, match=text):
        driver.connect()
    driver.close()


def test_a_cluster_has_one_owner(vendor, tmp_path, monkeypatch):
    monkeypatch.setenv("QCTRL_LEASES", str(tmp_path / "leases"))
    first, second = (opened(tmp_path, "10.0.0.7", modules="{2: QCM, 4: QCM, 6: QCM}") for _ in range(2))
    with pytest.raises(InstrumentError, match="slot 4 has nothing"):
        first.connect()
    with pytest.raises(InstrumentError, match="is in use by process"):
        second.connect()
    assert isinstance(second.check()["cluster"], InstrumentError)
    first.close()
    second.close()


@pytest.mark.parametrize(("fault", "locked", "errors"), [("", True, 0), ("unlocked", False, 0), ("queue", True, 1)])
def test_check_says_how_it_is(fault, locked, errors, vendor, tmp_path):
    vendor(fault)
    driver = opened(tmp_path)
    health = driver.check()["cluster"]
    driver.close()
    assert (health.reference_locked, len(health.errors)) == (locked, errors)
    assert health.limits == "2 QCM-RF, 4 QCM, 6 QRM-RF"


def test_what_was_not_prepared_or_cannot_be_is_refused(driver):
    made, other = program(), driver_module.Setup("other", 1, 10**9, 10, 400, "", SETUP.ports)
    driver.connect()
    with pytest.raises(InstrumentError, match="nothing is configured"):
        driver.load(made, patch_of(made))
    driver.configure(SETUP)
    driver.configure(SETUP)
    with pytest.raises(InstrumentError, match="nothing is loaded"):
        driver.start(run(made))
    refusals = [
        (ProtocolError, "open slots and no patch", lambda: driver.load(made, None)),
        (ConfigError, "the setup is for other", lambda: driver.configure(other)),
    ]
    for kind, text, attempt in refusals:
        driver.configure(SETUP)
        with pytest.raises(kind, match=text):
            attempt()
        assert driver.health().state == "failed"
        with pytest.raises(InstrumentError, match="nothing is configured"):
            driver.load(made, patch_of(made))
    driver.configure(SETUP)
    driver.load(made, patch_of(made))
    with pytest.raises(UnsupportedInstructionError, match="capability traces"):
        driver.start(run(made, capture_mode="trace"))
    with pytest.raises(InstrumentError, match="there is no run 'r'"):
        driver.fetch("r", 0, 0.1)
    driver.abort()
    driver.safe_state()
    assert driver.health().state == "safe"


def test_outputs_are_announced(driver):
    lines = driver.announced(SETUP)
    assert len(lines) == 3
    assert "slot 2 (QCM-RF) output 1: q0.drive, carrier 4.9e+09 Hz" in lines[0]
    assert "slot 4 (QCM) output 1: q0.flux, level 0 V" in lines[1]


def test_absence_of_the_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(connection_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'qctrl-stack\[qblox\]'"):
        Connection("cluster", "dummy", {}).open(1.0)


def test_a_bell_pair_on_the_dummy_of_the_vendor(pair2):
    if importlib.util.find_spec("qblox_instruments") is None:
        pytest.skip("qblox-instruments is not installed")
    from tests.unit.instruments.qblox.test_sequences import compiled, ghz, teleported_correction

    driver = open_boxes(load_rack(RACK), "pair2")
    try:
        assert driver.connect().capabilities == {"branch", "iq"}
        driver.configure(pair2.setup)
        for made in (compiled(ghz(2), pair2), compiled(teleported_correction(), pair2)):
            driver.load(made, None)
            hashes = {"setup_hash": pair2.setup.hash.hex(), "program_hash": made.hash.hex()}
            driver.start(run(made, **hashes))
            results = driver.fetch("r", 0, 60.0).results
            assert results.bits.shape == (1, N_SHOTS, 1)
            assert results.statistics["dummy"]
        driver.safe_state()
    finally:
        driver.close()
