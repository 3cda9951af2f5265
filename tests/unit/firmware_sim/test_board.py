import threading
import uuid
from dataclasses import replace

import msgspec
import pytest

from firmware_sim.board import Board
from firmware_sim.service import Service
from qctrl.errors import InstrumentError, InstrumentFault, InstrumentTimeoutError, ProtocolError, ResourceError
from qctrl.protocol import PROTOCOL_VERSION, RUNS_AHEAD, Patch, Request, Run
from qctrl.transport import Answer, Deferred
from tests.unit.firmware_sim import toys

WAIT_S = 10.0


class FakeRig:
    """Puts one block per binding; ``hold`` keeps it inside a run, ``trouble`` makes it fail."""

    device = "pair2"

    def __init__(self):
        self.hold = threading.Event()
        self.hold.set()
        self.trouble = None
        self.refusal = None
        self.warm = threading.Event()

    def warm_up(self):
        self.warm.set()

    def check(self, loaded, run):
        if self.refusal is not None:
            raise self.refusal

    def play(self, loaded, active):
        while not self.hold.wait(0.01):
            active.step()
        if self.trouble is not None:
            raise self.trouble
        for binding in range(active.run.n_bindings):
            active.put(b"block %d" % binding, active.run.n_shots)

    def debug(self, setup, body, buffers):
        if body.get("fail"):
            raise ResourceError("no")
        return {"echo": body}, list(buffers)


@pytest.fixture
def rig():
    return FakeRig()


@pytest.fixture
def changed():
    return threading.Event()


@pytest.fixture
def board(rig, changed):
    found = Board(rig, changed.set)
    yield found
    rig.hold.set()
    found.close()


@pytest.fixture
def loaded(board):
    board.configure(toys.setup().to_bytes())
    board.load([toys.rabi().to_bytes(), toys.rabi_patch([0.1, 0.2]).to_bytes()])
    return board


def run_of(**changes):
    fields = {
        "run_id": uuid.uuid4().hex,
        "epoch": 1,
        "setup_hash": toys.setup().hash.hex(),
        "program_hash": toys.rabi().hash.hex(),
        "patch_hash": toys.rabi_patch([0.1, 0.2]).hash.hex(),
        "first_binding": 0,
        "n_bindings": 2,
        "first_shot": 0,
        "n_shots": 5,
        "rep_delay_ticks": 0,
    }
    return Run(**{**fields, **changes})


def fetch(board, changed, run_id, block):
    """Return what the block's fetch gives, waiting for it."""
    while True:
        changed.clear()
        found = board.fetch(run_id, block)
        if found is not None:
            return found
        assert changed.wait(WAIT_S)


def test_run_goes_from_configure_to_its_last_block(loaded, changed):
    run = run_of()
    loaded.start(run.to_bytes())
    assert fetch(loaded, changed, run.run_id, 0)[1] == b"block 0"
    assert fetch(loaded, changed, run.run_id, 1)[1] == b"block 1"
    status, data = fetch(loaded, changed, run.run_id, 2)
    assert data is None
    assert (status["state"], status["done_shots"], status["total_shots"]) == ("done", 10, 10)


def test_block_may_be_fetched_again_until_the_next_is_asked_for(loaded, changed):
    run = run_of()
    loaded.start(run.to_bytes())
    for _ in range(2):
        assert fetch(loaded, changed, run.run_id, 0)[1] == b"block 0"
    fetch(loaded, changed, run.run_id, 2)
    assert fetch(loaded, changed, run.run_id, 0)[1] is None


def test_a_port_that_would_play_for_too_much_of_the_time_is_refused(board):
    drive, *others = toys.setup().ports
    setup = replace(toys.setup(), ports=(msgspec.structs.replace(drive, max_duty=0.01), *others))
    program = msgspec.structs.replace(toys.excited(), setup_hash=setup.hash)
    board.configure(setup.to_bytes())
    board.load([program.to_bytes()])
    run = run_of(setup_hash=setup.hash.hex(), program_hash=program.hash.hex(), patch_hash="", n_bindings=1)
    with pytest.raises(ResourceError, match=r"port q0\.drive: it plays for .*, the limit is 0\.01; set rep_delay to"):
        board.start(run.to_bytes())
    board.start(msgspec.structs.replace(run, rep_delay_ticks=10_000).to_bytes())


def test_setup_of_another_device_is_refused(board):
    with pytest.raises(InstrumentError, match="for device 'chain5', this board is wired to 'pair2'"):
        board.configure(toys.setup("chain5").to_bytes())


def test_nothing_loads_before_a_setup_and_no_patch_before_its_program(board):
    with pytest.raises(InstrumentError, match="send the Setup first"):
        board.load([toys.excited().to_bytes()])
    board.configure(toys.setup().to_bytes())
    with pytest.raises(InstrumentError, match="load the program first"):
        board.load([toys.rabi_patch([0.1]).to_bytes()])
    with pytest.raises(InstrumentError, match="nothing is loaded"):
        board.start(run_of().to_bytes())


def test_load_takes_one_or_two_artefacts(loaded):
    for buffers in ([], [b"", b"", b""]):
        with pytest.raises(ProtocolError, match="Program, a Patch or both"):
            loaded.load(buffers)
    with pytest.raises(ProtocolError, match="PROG: 4 bytes"):
        loaded.load([b"junk"])


def test_program_for_another_setup_is_refused(loaded):
    other = toys.excited(toys.setup(calibration_id="other"))
    with pytest.raises(ProtocolError, match=r"program needs Setup .*, configured is .*; compile it"):
        loaded.load([other.to_bytes()])


def test_patch_for_another_program_is_refused(loaded):
    loaded.load([toys.excited().to_bytes()])
    with pytest.raises(ProtocolError, match="made for another program"):
        loaded.load([toys.rabi_patch([0.1]).to_bytes()])


def test_patch_alone_replaces_the_words_of_the_loaded_program(loaded, changed):
    patch = toys.rabi_patch([0.1, 0.2, 0.3])
    loaded.load([patch.to_bytes()])
    run = run_of(patch_hash=patch.hash.hex(), n_bindings=3)
    loaded.start(run.to_bytes())
    assert fetch(loaded, changed, run.run_id, 3)[0]["done_shots"] == 15


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"setup_hash": "ab" * 32}, "run names Setup abababababab"),
        ({"program_hash": "ab" * 32}, "run names Program"),
        ({"patch_hash": ""}, r"run names Patch \(none\)"),
        ({"first_binding": 1}, r"bindings 1\.\.3, the patch has 2"),
    ],
)
def test_run_that_does_not_fit_what_is_loaded_is_refused(loaded, changes, match):
    with pytest.raises(ProtocolError, match=match):
        loaded.start(run_of(**changes).to_bytes())


def test_run_without_the_words_for_open_slots_is_refused(loaded):
    loaded.load([toys.rabi().to_bytes()])
    with pytest.raises(ProtocolError, match="1 open slots and no patch"):
        loaded.start(run_of(patch_hash="", n_bindings=1).to_bytes())


def test_run_of_a_stale_epoch_is_refused(loaded, changed):
    run = run_of(epoch=7)
    loaded.start(run.to_bytes())
    fetch(loaded, changed, run.run_id, 2)
    with pytest.raises(InstrumentFault, match="epoch 6, this board has served 7") as caught:
        loaded.start(run_of(epoch=6).to_bytes())
    assert caught.value.fault_code == "QC-STALE-EPOCH"


def test_run_that_asks_for_too_much_is_refused_before_it_is_acknowledged(loaded, rig):
    rig.refusal = ResourceError("too large")
    with pytest.raises(ResourceError, match="too large"):
        loaded.start(run_of().to_bytes())
    assert loaded.epoch == 0


def test_busy_board_refuses_everything_but_questions(loaded, rig):
    rig.hold.clear()
    loaded.start(run_of().to_bytes())
    for call in (
        lambda: loaded.configure(toys.setup().to_bytes()),
        lambda: loaded.load([toys.rabi().to_bytes()]),
        lambda: loaded.start(run_of().to_bytes()),
    ):
        with pytest.raises(InstrumentFault, match="is going on; fetch or abort it") as caught:
            call()
        assert caught.value.fault_code == "QC-BUSY"
    assert loaded.status()["state"] == "running"


def test_abort_ends_the_run_and_the_board_goes_on(loaded, rig, changed):
    rig.hold.clear()
    run = run_of()
    loaded.start(run.to_bytes())
    while not loaded.abort():
        changed.wait(0.05)
    assert loaded.abort()
    assert loaded.status()["state"] == "ready"
    with pytest.raises(InstrumentError, match="no run"):
        loaded.fetch(run.run_id, 0)
    rig.hold.set()
    loaded.start(run_of(n_bindings=1).to_bytes())


@pytest.mark.parametrize(
    ("trouble", "kind", "match"),
    [
        (ResourceError("port q0.drive: 1.2 at tick 7"), ResourceError, "q0.drive"),
        (ZeroDivisionError("oops"), InstrumentError, "defect of the emulator.*ZeroDivisionError: oops"),
    ],
)
def test_reason_of_a_failed_run_reaches_the_fetch(loaded, rig, changed, trouble, kind, match):
    rig.trouble = trouble
    run = run_of()
    loaded.start(run.to_bytes())
    with pytest.raises(kind, match=match):
        fetch(loaded, changed, run.run_id, 0)
    assert loaded.status()["state"] == "failed"


def test_unfetched_results_make_the_run_wait(loaded, rig, changed, monkeypatch):
    monkeypatch.setattr("firmware_sim.active_run._MAX_HELD_BYTES", 1)
    run = run_of()
    loaded.start(run.to_bytes())
    assert fetch(loaded, changed, run.run_id, 0)[1] == b"block 0"
    assert loaded.status()["done_shots"] == 5
    assert fetch(loaded, changed, run.run_id, 1)[1] == b"block 1"


def test_run_that_waits_for_a_reader_can_be_aborted(loaded, changed, monkeypatch):
    monkeypatch.setattr("firmware_sim.active_run._MAX_HELD_BYTES", 1)
    run = run_of()
    loaded.start(run.to_bytes())
    fetch(loaded, changed, run.run_id, 0)
    while not loaded.abort():
        changed.wait(0.05)
    assert loaded.status()["state"] == "ready"


class Wire:
    """Speaks to a service as the server does, without a socket."""

    def __init__(self, board, changed):
        self.service = Service(board)
        self.changed = changed

    def ask(self, verb, body=None, buffers=(), deadline_ms=10_000):
        answer = self.service.handle(Request(verb, 1, "s", deadline_ms, body or {}), buffers)
        return self.wait(answer) if isinstance(answer, Deferred) else answer

    def wait(self, deferred):
        while True:
            self.changed.clear()
            found = deferred.poll()
            if found is not None:
                return found
            if not self.changed.wait(deferred.wait_s):
                return deferred.expire()


@pytest.fixture
def wire(board, changed):
    return Wire(board, changed)


def test_hello_says_who_and_what(wire):
    body = wire.ask("hello").body
    assert (body["protocol"], body["kind"], body["device"], body["epoch"]) == (PROTOCOL_VERSION, "emulator", "pair2", 0)
    assert set(body["capabilities"]) == {"ahead", "branch", "debug", "iq", "play", "sim", "trace"}
    msgspec.json.encode(body)


def test_verbs_play_a_run(wire):
    setup, program, patch = toys.setup(), toys.rabi(), toys.rabi_patch([0.1, 0.2])
    assert wire.ask("configure", {}, [setup.to_bytes()]).body == {"setup_hash": setup.hash.hex()}
    assert wire.ask("load", {}, [program.to_bytes(), patch.to_bytes()]).body == {"program_hash": program.hash.hex()}
    run = run_of()
    assert wire.ask("start", {}, [run.to_bytes()]).body["run_id"] == run.run_id
    first = wire.ask("fetch", {"run_id": run.run_id, "block": 0, "wait_ms": 5000})
    assert first.buffers == (b"block 0",)
    assert wire.ask("fetch", {"run_id": run.run_id, "block": 2, "wait_ms": 5000}).body["state"] == "done"
    assert wire.ask("health").body["state"] == "done"
    for _ in range(2):
        assert wire.ask("safe_state").body["state"] == "ready"


def test_one_verb_plays_a_short_run(wire):
    program, patch = toys.rabi(), toys.rabi_patch([0.1, 0.2])
    wire.ask("configure", {}, [toys.setup().to_bytes()])
    run = run_of()
    first = wire.ask("play", {"wait_ms": 5000}, [program.to_bytes(), patch.to_bytes(), run.to_bytes()])
    assert (first.body["run_id"], first.buffers) == (run.run_id, (b"block 0",))
    assert wire.ask("fetch", {"run_id": run.run_id, "block": 2, "wait_ms": 5000}).body["state"] == "done"
    assert wire.ask("play", {"wait_ms": 5000}, [run_of().to_bytes()]).buffers == (b"block 0",), "what is loaded stays"


def test_runs_wait_behind_the_one_that_plays(loaded, rig, changed):
    rig.hold.clear()
    runs = [run_of() for _ in range(RUNS_AHEAD)]
    for run in runs:
        assert loaded.play([], run.to_bytes()) == run.run_id
    with pytest.raises(InstrumentFault, match=f"play refused: run {runs[0].run_id} is going on"):
        loaded.play([], run_of().to_bytes())
    assert [loaded.status(run.run_id)["run_id"] for run in runs] == [run.run_id for run in runs]
    assert loaded.status()["run_id"] == runs[0].run_id
    rig.hold.set()
    for run in runs:
        assert fetch(loaded, changed, run.run_id, 0)[1] == b"block 0"
    assert loaded.status()["run_id"] == runs[-1].run_id


def test_what_waits_behind_a_run_is_aborted_with_it_and_never_played(loaded, rig, changed, monkeypatch):
    rig.hold.clear()
    begun, played, play = threading.Event(), [], rig.play

    def noted(plays, active):
        played.append(active.run.run_id)
        begun.set()
        play(plays, active)

    monkeypatch.setattr(rig, "play", noted)
    runs = [run_of(), run_of()]
    for run in runs:
        loaded.play([], run.to_bytes())
    assert begun.wait(WAIT_S)
    while not loaded.abort():
        assert changed.wait(WAIT_S)
        changed.clear()
    assert played == [runs[0].run_id]
    assert loaded.status()["state"] == "ready"


def test_a_run_that_waits_plays_what_was_loaded_for_it(board, rig, changed, monkeypatch):
    board.configure(toys.setup().to_bytes())
    names, play = [], rig.play
    monkeypatch.setattr(rig, "play", lambda plays, active: (names.append(plays.program_hash), play(plays, active)))
    rig.hold.clear()
    hashes = {}
    for program in (toys.excited(), toys.reset()):
        hashes[program.hash.hex()] = run_of(program_hash=program.hash.hex(), patch_hash="", n_bindings=1)
        board.play([program.to_bytes()], hashes[program.hash.hex()].to_bytes())
    rig.hold.set()
    for run in hashes.values():
        fetch(board, changed, run.run_id, 1)
    assert names == list(hashes)


def test_fetch_that_waits_in_vain_tells_progress(wire, loaded, rig):
    rig.hold.clear()
    run = run_of()
    loaded.start(run.to_bytes())
    answer = wire.ask("fetch", {"run_id": run.run_id, "block": 0, "wait_ms": 20})
    assert isinstance(answer, Answer)
    assert (answer.body["state"], answer.buffers) == ("running", ())


def test_abort_of_a_hung_run_is_a_timeout(wire, loaded, rig, monkeypatch):
    gate, begun = threading.Event(), threading.Event()
    monkeypatch.setattr(rig, "play", lambda loaded, active: (begun.set(), gate.wait(WAIT_S)))
    loaded.start(run_of().to_bytes())
    assert begun.wait(WAIT_S)
    with pytest.raises(InstrumentTimeoutError, match="has not stopped yet"):
        wire.ask("abort", deadline_ms=20)
    gate.set()


def test_debug_asks_the_rig_in_its_own_thread(wire, loaded):
    answer = wire.ask("debug", {"x": 1}, [b"abc"])
    assert (answer.body, answer.buffers) == ({"echo": {"x": 1}}, (b"abc",))
    with pytest.raises(ResourceError, match="no"):
        wire.ask("debug", {"fail": True})


def test_debug_that_takes_too_long_is_a_timeout(wire, loaded, rig):
    rig.hold.clear()
    loaded.start(run_of().to_bytes())
    with pytest.raises(InstrumentTimeoutError, match="within 20 ms"):
        wire.ask("debug", {}, deadline_ms=20)


@pytest.mark.parametrize(
    "body", [{}, {"run_id": 3, "block": 0, "wait_ms": 1}, {"run_id": "x", "block": True, "wait_ms": 1}]
)
def test_malformed_body_is_refused(wire, body):
    with pytest.raises(ProtocolError, match="it must be of type"):
        wire.ask("fetch", body)


def test_configure_and_start_take_one_buffer(wire):
    for verb in ("configure", "start"):
        with pytest.raises(ProtocolError, match=f"{verb} takes one buffer, got 0"):
            wire.ask(verb)


def test_play_needs_a_run_and_a_time(wire):
    with pytest.raises(ProtocolError, match="play takes a Run, and before it what is to be loaded"):
        wire.ask("play", {"wait_ms": 1})
    with pytest.raises(ProtocolError, match="field 'wait_ms' is None; it must be of type int"):
        wire.ask("play", {}, [run_of().to_bytes()])


def test_board_warms_its_rig_up_in_its_own_thread(board, rig):
    board.warm_up()
    assert rig.warm.wait(WAIT_S)


def test_program_without_slots_needs_no_patch(board, changed):
    board.configure(toys.setup().to_bytes())
    board.load([toys.excited().to_bytes()])
    run = run_of(program_hash=toys.excited().hash.hex(), patch_hash="", n_bindings=1)
    board.start(run.to_bytes())
    assert fetch(board, changed, run.run_id, 1)[0]["state"] == "done"


def test_patch_kind_is_recognised_by_its_bytes():
    assert isinstance(Patch.from_bytes(toys.rabi_patch([0.1]).to_bytes()), Patch)
    assert toys.rabi_patch([0.1]).to_bytes()[4:8] == b"PTCH"
