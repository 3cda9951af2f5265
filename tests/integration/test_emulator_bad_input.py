"""Whatever is sent, the emulator answers with one typed error that names the place, and plays the next run."""

from __future__ import annotations

import uuid

import msgspec
import numpy as np
import pytest

from qctrl.errors import InstrumentFault, ProtocolError, QctrlError
from qctrl.execution import Emulator
from qctrl.protocol import Results, Run, SimOptions
from qctrl.transport import Client
from qctrl.units import tuning_word
from tests.unit.firmware_sim import toys

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def emulator():
    found = Emulator("pair2")
    yield found
    found.close()


@pytest.fixture
def client(emulator):
    found = Client(emulator.address, name="pair2")
    try:
        found.request("configure", {}, [toys.setup().to_bytes()], deadline_s=DEADLINE_S)
        before = try_to_play(found, toys.excited())
        yield found
        # The same process plays the same run as if nothing had been.
        assert emulator.failure() is None
        assert np.array_equal(try_to_play(found, toys.excited()).iq, before.iq)
        assert np.all(np.abs(before.iq) > 0)
    finally:
        found.close()


def run_of(program, **changes):
    fields = {
        "run_id": uuid.uuid4().hex,
        "epoch": 1,
        "setup_hash": toys.setup().hash.hex(),
        "program_hash": program.hash.hex(),
        "patch_hash": "",
        "first_binding": 0,
        "n_bindings": 1,
        "first_shot": 0,
        "n_shots": 20,
        "rep_delay_ticks": 0,
        "capture_mode": "bits+iq",
        "sim": SimOptions(seed=1),
    }
    return Run(**{**fields, **changes})


def play(client, run):
    client.request("start", {}, [run.to_bytes()], deadline_s=DEADLINE_S)
    fetched = [fetch(client, run, block) for block in (0, 1)]
    assert fetched[1].body["state"] == "done"
    return Results.from_bytes(fetched[0].buffers[0])


def fetch(client, run, block):
    """The answer that has the block, or says that the run is over."""
    body = {"run_id": run.run_id, "block": block, "wait_ms": 50_000}
    while True:
        answer = client.request("fetch", body, deadline_s=DEADLINE_S)
        if answer.buffers or answer.body["state"] != "running":
            return answer


def try_to_play(client, program, **changes):
    client.request("load", {}, [program.to_bytes()], deadline_s=DEADLINE_S)
    return play(client, run_of(program, **changes))


def with_events(change):
    program = toys.excited()
    events = program.events.copy()
    change(events)
    return msgspec.structs.replace(program, events=events)


def with_frames(ports):
    program = toys.excited()
    frames = program.frames.copy()
    frames["port"] = ports
    return msgspec.structs.replace(program, frames=frames)


def loud():
    """Two frames on the drive port, each at full scale."""
    events = [toys.play(0, k, 0, toys.PULSE_TICKS) for k in (toys.DRIVE, toys.READOUT)]
    program = toys.program([(events, 400)], [toys.PLAY, toys.END], n_captures=0)
    frames = program.frames.copy()
    frames["port"][toys.READOUT] = 0
    frames["ftw"][toys.READOUT] = frames["ftw"][toys.DRIVE]
    return msgspec.structs.replace(program, frames=frames)


def overlapping():
    event = toys.play(0, toys.DRIVE, 0, toys.PULSE_TICKS, 0.1)
    program = toys.program([([event], 400)], [toys.PLAY, toys.END], n_captures=0)
    doubled = np.concatenate([program.events, program.events])
    doubled["start_ticks"][1] = 20
    blocks = program.blocks.copy()
    blocks["n_events"] = 2
    return msgspec.structs.replace(program, events=doubled, blocks=blocks)


@pytest.mark.parametrize("kept", [0, 3, 40, 200, -1])
def test_a_truncated_program_is_refused(client, kept):
    with pytest.raises(ProtocolError, match=r"."):
        client.request("load", {}, [toys.excited().to_bytes()[:kept]], deadline_s=DEADLINE_S)


def test_every_flipped_byte_is_noticed(client):
    data = toys.excited().to_bytes()
    for place in range(0, len(data), 97):
        broken = bytearray(data)
        broken[place] ^= 0x10
        with pytest.raises(ProtocolError, match=r"."):
            client.request("load", {}, [bytes(broken)], deadline_s=DEADLINE_S)


def capture_without_resonator():
    """The capture listens on the drive port."""
    program = with_frames([0, 1, 0])
    order = np.lexsort((program.events["start_ticks"], program.frames["port"][program.events["frame"]]))
    return msgspec.structs.replace(program, events=program.events[order])


def capture_far_from_every_resonator():
    """The capture listens 0.4 GHz above both resonators."""
    program = toys.excited()
    frames = program.frames.copy()
    frames["ftw"][toys.ACQUIRE] = tuning_word(0.49e9, toys.setup().tick_s)
    return msgspec.structs.replace(program, frames=frames)


@pytest.mark.parametrize(
    ("program", "kind", "match"),
    [
        (lambda: with_events(lambda e: e["frame"].__setitem__(0, 77)), ProtocolError, "frame that does not exist"),
        (lambda: with_frames([0, 1, 99]), QctrlError, "port"),
        (overlapping, ProtocolError, "two plays overlap on one frame, at index 0"),
        (loud, InstrumentFault, r"port q0\.drive, tick \d+: .* the limit is 1.*QC-CMP-RESOURCE"),
        (
            capture_far_from_every_resonator,
            InstrumentFault,
            r"port f0\.acquire: a capture at 7\.49e\+09 Hz has no resonator; the nearest, of q1, .*QC-CFG",
        ),
        (capture_without_resonator, ProtocolError, "event 1 does not suit the kind of its port"),
    ],
)
def test_a_program_that_cannot_be_played_is_refused_with_its_place(client, program, kind, match):
    with pytest.raises(kind, match=match):
        try_to_play(client, program())


def test_a_request_beyond_the_time_limit_is_refused_with_the_forecast(client):
    body = {"op": "forecast", "shots": 20, "sim": {"seed": 1}}
    answer = client.request("debug", body, [toys.excited().to_bytes(), b""], deadline_s=DEADLINE_S).body["forecast"]
    assert (answer["mode"], answer["levels"], answer["qubits"]) == ("density matrix", 3, 1)
    told = rf"the run will take about {answer['seconds']:.2g} s \(density matrix .* raise time_limit_s.*QC-CMP-RESOURCE"
    with pytest.raises(InstrumentFault, match=told):
        try_to_play(client, toys.excited(), sim=SimOptions(seed=1, time_limit_s=answer["seconds"] / 2))
    found = try_to_play(client, toys.excited(), sim=SimOptions(seed=1, time_limit_s=answer["seconds"]))
    assert found.statistics["forecast_s"] == answer["seconds"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"seed": -1}, "seed is negative"),
        ({"pub_index": -1}, "seed is negative"),
        ({"time_s": -1.0}, "time_s is -1"),
        ({"time_limit_s": 0.0}, "time_limit_s is 0"),
        ({"levels": 7}, "levels is 7"),
        ({"memory_mib": 0}, "memory_mib is 0"),
    ],
)
def test_switches_out_of_range_are_refused_by_name(client, changes, text):
    with pytest.raises(ProtocolError, match=text):
        try_to_play(client, toys.excited(), sim=SimOptions(**changes))


def test_a_request_beyond_the_memory_is_refused_before_it_starts(client):
    window = 2_000_000
    program = toys.program([([toys.capture(0, 0)], window)], [toys.PLAY, toys.END])
    events = program.events.copy()
    events["length_ticks"] = window
    long = msgspec.structs.replace(program, events=events)
    with pytest.raises(InstrumentFault, match=r"mode trace need \d+ bytes, the board has .*QC-CMP-RESOURCE"):
        try_to_play(client, long, capture_mode="trace")
