"""The driver against the real service and board, with a rig that needs no physics."""

import uuid

import numpy as np
import pytest

from qctrl.errors import ConfigError, InstrumentError, InstrumentFault, ProtocolError, ResourceError
from qctrl.instruments import AtOnce, Debuggable, OpenRack, Sequencer, open_driver
from qctrl.protocol import PROTOCOL_VERSION, Run, SimOptions
from qctrl.transport import Client
from tests.unit.firmware_sim import toys
from tests.unit.instruments.loopback import OnesRig, serving


@pytest.fixture
def rig():
    return OnesRig()


@pytest.fixture
def bench(rig, tmp_path):
    with serving(rig, tmp_path) as found:
        yield found


@pytest.fixture
def driver(bench):
    found = Sequencer(Client(bench.address, name="pair2"), device="pair2")
    yield found
    found.close()


def run_of(program, patch=None, **changes):
    fields = {
        "run_id": uuid.uuid4().hex,
        "epoch": 1,
        "setup_hash": toys.setup().hash.hex(),
        "program_hash": program.hash.hex(),
        "patch_hash": "" if patch is None else patch.hash.hex(),
        "first_binding": 0,
        "n_bindings": 1 if patch is None else patch.n_bindings,
        "first_shot": 0,
        "n_shots": 5,
        "rep_delay_ticks": 0,
    }
    return Run(**{**fields, **changes})


def ready(driver, program, patch=None):
    driver.connect()
    driver.configure(toys.setup())
    driver.load(program, patch)


def test_driver_plays_a_run(driver):
    program, patch = toys.rabi(), toys.rabi_patch([0.1, 0.2, 0.3])
    assert driver.connect().capabilities >= {"branch", "sim"}
    ready(driver, program, patch)
    run = run_of(program, patch, sim=SimOptions())
    driver.start(run)
    fetched = driver.fetch(run.run_id, 0, 5.0)
    assert fetched.results.bits.tolist() == np.ones((3, 5, 1)).tolist()
    assert driver.fetch(run.run_id, 1, 5.0).progress.state == "done"
    assert driver.health().done_shots == 15


def play(driver, program, patch, run, wait_s):
    driver.send(program, patch, run, wait_s)
    return driver.answer(run.run_id)


def test_a_short_run_takes_one_exchange(driver, bench):
    program, patch = toys.rabi(), toys.rabi_patch([0.1, 0.2, 0.3])
    assert isinstance(driver, AtOnce)
    assert "play" in driver.connect().capabilities
    driver.configure(toys.setup())
    bench.verbs.clear()
    run = run_of(program, patch, sim=SimOptions())
    fetched = play(driver, program, patch, run, 5.0)
    assert fetched.results.bits.tolist() == np.ones((3, 5, 1)).tolist()
    assert driver.fetch(run.run_id, 1, 5.0).progress.state == "done"
    again = play(driver, toys.excited(), None, run_of(toys.excited()), 5.0)
    assert again.results.bits.shape == (1, 5, 1)
    assert play(driver, toys.excited(), None, run_of(toys.excited()), 5.0).results is not None
    assert bench.verbs == ["play", "fetch", "play", "play"]


def test_runs_are_sent_while_one_plays(driver, rig, bench):
    rig.hold.clear()
    driver.connect()
    driver.configure(toys.setup())
    pairs = [(toys.excited(), None), (toys.rabi(), toys.rabi_patch([0.1])), (toys.excited(), None)]
    runs = [run_of(*pair) for pair in pairs]
    for pair, run in zip(pairs, runs, strict=True):
        driver.send(*pair, run, 5.0)
    rig.hold.set()
    assert [driver.answer(run.run_id).results.run_id for run in runs] == [run.run_id for run in runs]
    assert bench.verbs[-3:] == ["play", "play", "play"]


def test_failure_of_one_run_takes_those_behind_it_along(driver, rig, bench):
    ready(driver, toys.excited())
    rig.hold.clear()
    first, second = run_of(toys.excited()), run_of(toys.excited())
    for run in (first, second):
        driver.send(toys.excited(), None, run, 5.0)
    rig.trouble = ResourceError("jammed")
    rig.hold.set()
    with pytest.raises(InstrumentFault, match="jammed"):
        driver.answer(first.run_id)
    rig.trouble = None
    assert driver.health().state in ("ready", "done")
    assert play(driver, toys.excited(), None, run_of(toys.excited()), 5.0).results is not None


def test_a_long_run_goes_on_behind_the_exchange_that_began_it(driver, rig):
    ready(driver, toys.excited())
    rig.hold.clear()
    run = run_of(toys.excited())
    fetched = play(driver, toys.excited(), None, run, 0.01)
    assert (fetched.progress.state, fetched.results) == ("running", None)
    rig.hold.set()
    assert driver.fetch(run.run_id, 0, 5.0).results is not None


def test_what_cannot_be_played_at_once_ends_safe_and_is_loaded_again(driver, bench):
    ready(driver, toys.excited())
    with pytest.raises(ProtocolError, match="run names Program"):
        play(driver, toys.rabi(), toys.rabi_patch([0.1]), run_of(toys.rabi(), program_hash="ab" * 32), 1.0)
    assert bench.verbs[-2:] == ["play", "safe_state"]
    driver.load(toys.excited(), None)
    assert bench.verbs[-1] == "load", "what was loaded was unknown"
    with pytest.raises(ProtocolError, match="another Setup"):
        play(driver, toys.excited(toys.setup(calibration_id="other")), None, run_of(toys.excited()), 1.0)


def test_what_is_configured_and_loaded_is_not_sent_again(driver, bench):
    program, patch = toys.rabi(), toys.rabi_patch([0.1])
    for _ in range(2):
        ready(driver, program, patch)
    ready(driver, toys.excited())
    ready(driver, toys.excited())
    assert bench.verbs.count("configure") == 1
    assert bench.verbs.count("load") == 2


def test_other_device_is_refused_before_anything_is_sent(bench):
    driver = Sequencer(Client(bench.address), device="chain5")
    with pytest.raises(InstrumentError, match="wired to device 'pair2', not 'chain5'; check the rack"):
        driver.connect()
    assert bench.verbs == ["hello"]
    driver.close()


def test_other_protocol_version_is_refused_with_both_versions(driver, bench):
    bench.changes["hello"] = {"protocol": PROTOCOL_VERSION + 1}
    with pytest.raises(ProtocolError, match=rf"version {PROTOCOL_VERSION + 1}, this side speaks {PROTOCOL_VERSION}"):
        driver.connect()


def test_malformed_hello_is_refused(driver, bench):
    bench.changes["hello"] = {"epoch": "seven"}
    with pytest.raises(ProtocolError, match="reply of the instrument"):
        driver.connect()


def test_real_instrument_refuses_the_switches_of_an_emulator(driver, bench):
    bench.changes["hello"] = {"capabilities": ["branch"]}
    ready(driver, toys.excited())
    with pytest.raises(InstrumentError, match="is real: it cannot take"):
        driver.start(run_of(toys.excited(), sim=SimOptions()))
    assert bench.verbs[-1] == "safe_state"


@pytest.mark.parametrize(
    ("verb", "key"),
    [("configure", "setup_hash"), ("load", "program_hash")],
)
def test_acknowledgement_of_something_else_is_refused_and_ends_safe(driver, bench, verb, key):
    bench.changes[verb] = {key: "00"}
    with pytest.raises(ProtocolError, match=f"acknowledged {verb} of 00"):
        ready(driver, toys.excited())
    assert bench.verbs[-1] == "safe_state"


def test_program_and_patch_are_checked_before_a_byte_leaves(driver, bench):
    driver.connect()
    driver.configure(toys.setup())
    for program, patch, match in (
        (toys.excited(toys.setup(calibration_id="other")), None, "another Setup"),
        (toys.rabi(), None, "1 open slots and no patch"),
        (toys.excited(), toys.rabi_patch([0.1]), "made for another program"),
    ):
        with pytest.raises(ProtocolError, match=match):
            driver.load(program, patch)
    assert "load" not in bench.verbs


def test_refusal_of_the_firmware_carries_its_code_and_ends_safe(driver, bench):
    ready(driver, toys.excited())
    with pytest.raises(ProtocolError, match="run names Program"):
        driver.start(run_of(toys.excited(), program_hash="ab" * 32))
    with pytest.raises(InstrumentFault, match="no run") as caught:
        driver.fetch("unknown", 0, 0.1)
    assert caught.value.fault_code == "QC-INST"
    assert bench.verbs[-1] == "safe_state"


def test_fetch_waits_no_longer_than_it_was_told(driver, rig):
    rig.hold.clear()
    ready(driver, toys.excited())
    run = run_of(toys.excited())
    driver.start(run)
    fetched = driver.fetch(run.run_id, 0, 0.05)
    assert (fetched.progress.state, fetched.results) == ("running", None)


def test_abort_and_safe_state_are_idempotent(driver, rig):
    driver.connect()
    driver.safe_state()
    rig.hold.clear()
    ready(driver, toys.excited())
    driver.start(run_of(toys.excited()))
    for _ in range(2):
        driver.abort()
        driver.safe_state()
    assert driver.health().state == "ready"


def test_debug_passes_body_and_buffers(driver):
    assert isinstance(driver, Debuggable)
    assert driver.debug({"x": 1}, [b"abc"], 5.0) == ({"setup": False, "x": 1}, [b"abc"])


def test_lost_safe_state_is_noted_on_the_error(driver, bench, monkeypatch):
    def refuse(request, buffers):
        raise ResourceError("jammed")

    ready(driver, toys.excited())
    monkeypatch.setattr(bench, "handle", refuse)
    with pytest.raises(InstrumentFault) as caught:
        driver.fetch("x", 0, 0.1)
    assert "safe state could not be confirmed" in caught.value.__notes__[0]


def test_registry_opens_drivers_by_kind(bench):
    driver = open_driver("sequencer", bench.address, "pair2")
    with OpenRack({"pair2": driver}) as rack:
        assert rack.identities["pair2"].kind == "emulator"
    assert bench.verbs[-1] == "safe_state"
    with pytest.raises(ConfigError, match="driver 'toaster' does not exist; known: sequencer"):
        open_driver("toaster", bench.address, "pair2")


class BrokenDriver:
    def __init__(self):
        self.closed = False

    def connect(self):
        raise InstrumentError("no answer")

    def safe_state(self):
        raise InstrumentError("stuck")

    def close(self):
        self.closed = True


def test_rack_that_fails_to_open_tells_every_cause_and_closes_all(driver):
    broken = [BrokenDriver(), BrokenDriver()]
    with pytest.raises(InstrumentError, match="no answer"):
        OpenRack({"a": broken[0]})
    with pytest.raises(ExceptionGroup, match="2 instruments cannot be opened") as caught:
        OpenRack({"a": broken[0], "good": driver, "b": broken[1]})
    assert len(caught.value.exceptions) == 2
    assert all(one.closed for one in broken)
