"""Small programs for pair2, packed by hand, so that the firmware is tested without the compiler."""

from __future__ import annotations

import numpy as np

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
    Patch,
    Port,
    Program,
    RowField,
    RowKind,
    Setup,
)
from qctrl.protocol.flow import instruction
from qctrl.units import gain_word, tuning_word

DRIVE_HZ, READOUT_HZ = 4.82e9, 6.9e9
DRIVE_LO_HZ, READOUT_LO_HZ = 4.9e9, 7.0e9
PULSE_TICKS, WINDOW_TICKS, LATENCY_TICKS = 24, 400, 100
X_GAIN = 0.36

DRIVE, READOUT, ACQUIRE = range(3)
"""Frames and ports have equal numbers."""


def setup(device: str = "pair2", calibration_id: str = "toy") -> Setup:
    ports = (
        Port("q0.drive", "iq_drive", 1, 1, 0.5, 1.0, 16, DRIVE_LO_HZ),
        Port("f0.readout", "iq_readout", 1, 1, 0.5, 1.0, 16, READOUT_LO_HZ),
        Port("f0.acquire", "acquire", 1, 1, 0.5, 1.0, 16, READOUT_LO_HZ),
    )
    return Setup(device, 1, 10**9, 10, LATENCY_TICKS, calibration_id, ports)


def play(start, frame, envelope, length, gain=1.0, gain_row=0):
    field = RowField.GAIN if gain_row else RowField.NONE
    return (start, length, EventOp.PLAY, field, frame, envelope, gain_word(gain), 0, 0, gain_row)


def capture(start, index):
    return (start, WINDOW_TICKS, EventOp.CAPTURE, 0, ACQUIRE, index, 0, 0, 0, 0)


def measure(start, index):
    return [play(start, READOUT, 1, WINDOW_TICKS, 0.1), capture(start, index)]


def program(blocks, flow, *, n_clbits=1, n_captures=1, rows=(RowKind.PHASE,), under=None) -> Program:
    """Pack blocks, each a pair (events, length in ticks)."""
    under = setup() if under is None else under
    frequencies = (DRIVE_HZ - DRIVE_LO_HZ, READOUT_HZ - READOUT_LO_HZ, READOUT_HZ - READOUT_LO_HZ)
    frames = [(port, 0, tuning_word(hz, under.tick_s)) for port, hz in enumerate(frequencies)]
    t = np.arange(PULSE_TICKS) + 0.5
    samples = np.zeros((PULSE_TICKS + WINDOW_TICKS, 2), dtype=np.int16)
    samples[:PULSE_TICKS, 0] = np.rint(32767 * np.sin(np.pi * t / PULSE_TICKS) ** 2)
    samples[PULSE_TICKS:, 0] = 32767
    events, table = [], []
    for block_events, length in blocks:
        table.append((len(events), len(block_events), length))
        events += block_events
    discriminator = np.zeros(1, DISCRIMINATOR)
    discriminator["n_classes"] = 2
    discriminator["coef"][0, 1] = (1.0, 0.0, 0.0)
    packed = Program(
        setup_hash=under.hash,
        calibration_hash=bytes(32),
        tick_num=1,
        tick_den=10**9,
        n_clbits=n_clbits,
        frames=np.array(frames, FRAME),
        envelopes=np.array([(0, PULSE_TICKS, 0, 0), (PULSE_TICKS, WINDOW_TICKS, 0, 0)], ENVELOPE),
        envelope_samples=samples,
        events=np.array(events, EVENT),
        blocks=np.array(table, BLOCK),
        flow=np.array(flow, FLOW),
        captures=np.array([(ACQUIRE, -1, 0, k, k, 0) for k in range(n_captures)], CAPTURE),
        discriminators=discriminator,
        rows=np.array([(kind, 0) for kind in rows], ROW),
    )
    packed.verify()
    return packed


PLAY, END = instruction(FlowOp.PLAY_BLOCK), instruction(FlowOp.END)


def excited(under=None) -> Program:
    """x, then measure."""
    events = [play(0, DRIVE, 0, PULSE_TICKS, X_GAIN), *measure(PULSE_TICKS, 0)]
    return program([(events, PULSE_TICKS + WINDOW_TICKS)], [PLAY, END], under=under)


def rabi() -> Program:
    """A pulse whose gain is an open slot, then measure."""
    events = [play(0, DRIVE, 0, PULSE_TICKS, 0.0, gain_row=1), *measure(PULSE_TICKS, 0)]
    return program([(events, PULSE_TICKS + WINDOW_TICKS)], [PLAY, END], rows=(RowKind.PHASE, RowKind.GAIN))


def rabi_patch(gains) -> Patch:
    words = np.zeros((len(gains), 2), dtype=np.uint32)
    words[:, 1] = np.array([gain_word(gain) for gain in gains], dtype=np.int32).view(np.uint32)
    return Patch(rabi().hash, words)


def reset(latency_ticks=LATENCY_TICKS) -> Program:
    """Half an x, measure into bit 0, x if it was 1, measure into bit 1."""
    half = [play(0, DRIVE, 0, PULSE_TICKS, X_GAIN / 2), *measure(PULSE_TICKS, 0)]
    blocks = [
        (half, PULSE_TICKS + WINDOW_TICKS + latency_ticks),
        ([play(0, DRIVE, 0, PULSE_TICKS, X_GAIN)], PULSE_TICKS),
        ([], PULSE_TICKS),
        (measure(0, 1), WINDOW_TICKS),
    ]
    flow = [
        PLAY,
        instruction(FlowOp.BRANCH_BIT, operand=0, target=4, flags=1),
        instruction(FlowOp.PLAY_BLOCK, operand=2),
        instruction(FlowOp.JUMP, target=5),
        instruction(FlowOp.PLAY_BLOCK, operand=1),
        instruction(FlowOp.PLAY_BLOCK, operand=3),
        END,
    ]
    return program(blocks, flow, n_clbits=2, n_captures=2)


def endless() -> Program:
    """A loop that never ends."""
    return program([([], PULSE_TICKS)], [PLAY, instruction(FlowOp.JUMP, target=0)], n_captures=0)
