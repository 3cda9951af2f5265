"""A small device, and programs packed by hand for it."""

import numpy as np
import pytest

from qctrl.protocol import (
    BLOCK,
    CAPTURE,
    DISCRIMINATOR,
    ENVELOPE,
    EVENT,
    FLOW,
    FRAME,
    ROW,
    EventOp,
    FlowOp,
    Port,
    Program,
    Setup,
)
from qctrl.protocol.flow import instruction
from qctrl.units import gain_word, tuning_word

KINDS = {
    "q0.drive": "iq_drive",
    "q0.flux": "flux",
    "f0.readout": "iq_readout",
    "f0.acquire": "acquire",
    "q9.flux": "flux",
}
DRIVE, FLUX, TONE, OTHER_TONE, HEARD, OTHER_HEARD = range(6)
SAMPLES = np.array([[0, 0], [16384, -8000], [32767, 0], [32767, 0], [16384, 8000], [0, 0]], dtype="<i2")


def make_setup(**changes):
    ports = tuple(
        Port(
            name=name,
            kind=kind,
            sample_ticks=2 if kind == "flux" else 1,
            granularity_ticks=2,
            full_scale_v=1.0,
            max_amplitude=1.0,
            dac_bits=16,
            lo_hz=0.0 if kind == "flux" else 5e9,
        )
        for name, kind in KINDS.items()
    )
    known = {"device": "small", "shot_grid_ticks": 4, "bit_latency_ticks": 0, "calibration_id": "", "ports": ports}
    return Setup(**({"tick_num": 1, "tick_den": 10**9} | known | changes))


def play(frame, start, gain=0.5, **changes):
    length = 12 if frame == FLUX else 6
    words = {"op": EventOp.PLAY, "length_ticks": length, "frame": frame, "gain": gain_word(gain), "start_ticks": start}
    return words | changes


def capture(frame, start, length, target=0):
    return {"op": EventOp.CAPTURE, "frame": frame, "start_ticks": start, "length_ticks": length, "target": target}


def shift(frame, start, phase, **changes):
    return {"op": EventOp.SHIFT_PHASE, "frame": frame, "start_ticks": start, "phase": phase} | changes


def retune(frame, start, word, **changes):
    low, high = word & 0xFFFFFFFF, (word >> 32) & 0xFFFFFFFF
    low = low - 2**32 if low >= 2**31 else low
    return {"op": EventOp.SET_FREQUENCY, "frame": frame, "start_ticks": start, "gain": low, "phase": high} | changes


def pack(blocks, flow=None, n_rows=1, setup=None):
    """Return a program of (length in ticks, events) per block; the flow plays one after the other by default."""
    setup = make_setup() if setup is None else setup
    tick_s = setup.tick_s
    tunings = [(0, 1e8), (1, 0.0), (2, -1e8), (2, 5e7), (3, -1e8), (3, 5e7)]
    frames = np.array([(port, 0, tuning_word(hz, tick_s)) for port, hz in tunings], FRAME)
    rows, table = [], []
    for length, events in blocks:
        table.append((len(rows), len(events), length))
        rows += events
    packed = np.zeros(len(rows), EVENT)
    for k, event in enumerate(rows):
        for name, value in event.items():
            packed[name][k] = value
    straight = [instruction(FlowOp.PLAY_BLOCK, k) for k in range(len(blocks))] + [instruction(FlowOp.END)]
    program = Program(
        setup_hash=setup.hash,
        calibration_hash=bytes(32),
        tick_num=setup.tick_num,
        tick_den=setup.tick_den,
        n_clbits=3,
        frames=frames,
        envelopes=np.array([(0, 6, 0, 0)], ENVELOPE),
        envelope_samples=SAMPLES,
        events=packed,
        blocks=np.array(table, BLOCK),
        flow=np.array(straight if flow is None else flow, FLOW),
        captures=np.array([(HEARD, -1, 0, 0, 0, 0), (OTHER_HEARD, 0, 0, 2, 1, 0)], CAPTURE),
        discriminators=np.array([(2, 0, np.eye(3))], DISCRIMINATOR),
        rows=np.array([(1, 0), (1, 0), (2, 0), (3, 0)][:n_rows], ROW),
    )
    program.verify()
    return program


READOUT = [
    play(TONE, 40, 0.1),
    play(OTHER_TONE, 40, 0.2, phase=2**30),
    capture(HEARD, 40, 1000),
    capture(OTHER_HEARD, 40, 1000, target=1),
]
GATES = [play(DRIVE, 0, phase=2**30), play(DRIVE, 20, -0.25), play(FLUX, 8, 0.75)]


@pytest.fixture
def setup():
    return make_setup()


@pytest.fixture
def program():
    """A pulse, a flux pulse, a pulse, then two tones and two captures."""
    return pack([(1040, GATES + READOUT)])


@pytest.fixture
def branching():
    """Two blocks of which one is played, and a loop back to the first."""
    flow = [
        instruction(FlowOp.PLAY_BLOCK, 0),
        instruction(FlowOp.BRANCH_BIT, 0, 4, 1),
        instruction(FlowOp.PLAY_BLOCK, 1),
        instruction(FlowOp.JUMP, 0, 5),
        instruction(FlowOp.PLAY_BLOCK, 2),
        instruction(FlowOp.BRANCH_BIT, 2, 0, 1),
        instruction(FlowOp.END),
    ]
    idle = (8, [])
    flip = (8, [play(DRIVE, 0), shift(DRIVE, 8, 2**31)])
    return pack([(1000, [capture(HEARD, 0, 1000)]), idle, flip], flow)
