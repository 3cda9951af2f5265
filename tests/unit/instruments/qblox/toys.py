"""Small programs for a cluster: a drive, a flux line and a feedline with two resonators, at one tick per nanosecond."""

import numpy as np

from qctrl.instruments.qblox import ClusterWiring
from qctrl.protocol import (
    BLOCK,
    CAPTURE,
    DISCRIMINATOR,
    ENVELOPE,
    EVENT,
    FRAME,
    ROW,
    EventOp,
    FlowOp,
    Port,
    Program,
    RowKind,
    Setup,
    flow,
)

DRIVE, CROSS, FLUX, READOUT, ACQUIRE, ACQUIRE_2 = range(6)
"""Frames; ``CROSS`` is another one on the drive's port."""
FRAME_PORT = (0, 0, 1, 2, 3, 3)
LATENCY_TICKS = 400
WINDOW_TICKS = 400
ONE = 2**30
WIRING = ClusterWiring(
    {2: "QCM-RF", 4: "QCM", 6: "QRM-RF"},
    {"q0.drive": (2, 1), "q0.flux": (4, 1), "f0.readout": (6, 1), "f0.acquire": (6, 1)},
)


def setup(delays=(0, 0, 0, 0), granularity=1, **changes):
    kinds = ("iq_drive", "flux", "iq_readout", "acquire")
    los = (4.9e9, 0.0, 7.0e9, 7.0e9)
    ports = tuple(
        Port(name, kind, 1, granularity, 1.0, 1.0, 16, lo_hz=lo, delay_ticks=delay, **changes.get(kind, {}))
        for name, kind, lo, delay in zip(WIRING.ports, kinds, los, delays, strict=True)
    )
    made = Setup("toy", 1, 10**9, 10, LATENCY_TICKS, "", ports, changes.get("crosstalk", ()))
    made.verify()
    return made


def hz(frequency):
    """A tuning word."""
    return round(frequency * 2**48 / 1e9)


def play(start, envelope=0, gain=ONE // 2, phase=0, frame=DRIVE, length=24, *, phase_row=0, gain_row=0):
    return (start, length, EventOp.PLAY, int(gain_row > 0), frame, envelope, gain, phase, phase_row, gain_row)


def capture(start, target, length=WINDOW_TICKS, phase=0, frame=ACQUIRE):
    return (start, length, EventOp.CAPTURE, 0, frame, target, 0, phase, 0, 0)


def shift(start, phase, frame=DRIVE):
    return (start, 0, EventOp.SHIFT_PHASE, 0, frame, 0, 0, phase, 0, 0)


def tune(start, ftw, frame=DRIVE):
    low = int(np.uint32(ftw & 0xFFFFFFFF).view(np.int32))
    return (start, 0, EventOp.SET_FREQUENCY, 0, frame, 0, low, ftw >> 32 & 0xFFFFFFFF, 0, 0)


LINE = np.concatenate(
    [
        np.stack([np.hanning(24) * 32767, np.hanning(24) * 3000], axis=1),
        np.stack([np.linspace(0, 32767, 8), np.zeros(8)], axis=1),
    ]
).astype(np.int16)
ENVELOPES = [(0, 24, 0, 0), (24, 8, 7, 16), (24, 8, 7, 392)]
"""Complex; real with a plateau; a readout pulse, or weights."""


def program(setup, blocks, steps=None, captures=((ACQUIRE, -1, 0, 0, 0, 0), (ACQUIRE_2, -1, 0, 1, 1, 0)), **changes):
    """A program of blocks (events, length); ``steps`` is its flow, one block after another unless given."""
    rows, spans = [], []
    for events, length in blocks:
        ordered = sorted(events, key=lambda e: (FRAME_PORT[e[4]], e[0], e[2] <= EventOp.CAPTURE, e[4]))
        spans.append((len(rows), len(events), length))
        rows += ordered
    if steps is None:
        steps = [flow.instruction(FlowOp.PLAY_BLOCK, k) for k in range(len(blocks))] + [flow.instruction(FlowOp.END)]
    coef = np.array([[0.0, 0.0, 0.0], [0.6, 0.8, -0.1], [0.0, 0.0, 0.0]])
    frequencies = changes.get("frequencies", (-78.7e6, 113.000000123e6, 0.0, 51.2e6, 51.2e6, -120.03e6))
    made = Program(
        setup_hash=setup.hash,
        calibration_hash=bytes(32),
        tick_num=1,
        tick_den=10**9,
        n_clbits=changes.get("n_clbits", 2),
        frames=np.array([(p, 0, hz(f)) for p, f in zip(FRAME_PORT, frequencies, strict=True)], dtype=FRAME),
        envelopes=np.array(changes.get("envelopes", ENVELOPES), dtype=ENVELOPE),
        envelope_samples=changes.get("samples", LINE),
        events=np.array(rows, dtype=EVENT),
        blocks=np.array(spans, dtype=BLOCK),
        flow=np.array(steps, dtype=flow.FLOW),
        captures=np.array(list(captures), dtype=CAPTURE),
        discriminators=np.array([(changes.get("n_classes", 2), 0, coef)], dtype=DISCRIMINATOR),
        rows=np.array([(RowKind.PHASE, 0), (RowKind.PHASE, 0), (RowKind.GAIN, 0)], dtype=ROW),
    )
    made.verify()
    return made


def words(phase=0, gain=0):
    return np.array([0, phase, gain % 2**32], dtype=np.uint32)
