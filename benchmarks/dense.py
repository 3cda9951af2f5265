"""Dense DRAG plays on one drive port, and what the memory of this machine allows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numba
import numpy as np

from qctrl.protocol import (
    BLOCK,
    CAPTURE,
    DISCRIMINATOR,
    ENVELOPE,
    EVENT,
    FRAME,
    ROW,
    Mixer,
    Port,
    Program,
    RowKind,
    Setup,
    flow,
)
from qctrl.signal import Envelope, evaluate, quantise

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

N_PLAYS, SAMPLES_PER_PLAY, RATE_HZ = 100_000, 48, 2e9
NCO_WORD = 14073748835533
"""50 MHz at this rate's tick."""
CORRECTED = {
    "mixer": Mixer((1.01, 0.02, -0.03, 0.99), 0.001, -0.002),
    "iir": ((0.05, 30e-9), (-0.03, 2e-6)),
    "fir": (0.9, *(0.1 / 15,) * 15),
}
"""Mixer correction, two exponentials, sixteen taps."""


def setup(**corrections: object) -> Setup:
    """Return one drive port at 2 GS/s."""
    values = {"sample_ticks": 1, "granularity_ticks": 4, "full_scale_v": 1.0, "max_amplitude": 1.0, "dac_bits": 16}
    port = Port(name="q0.drive", kind="iq_drive", lo_hz=5e9, **(values | corrections))
    made = Setup("dense", 1, int(RATE_HZ), 2000, 100, "", (port,))
    made.verify()
    return made


def program() -> Program:
    """Return plays without a pause, each with a virtual Z phase of its own, of four DRAG envelopes on an NCO."""
    rng = np.random.default_rng(1)
    duration_s = SAMPLES_PER_PLAY / RATE_HZ
    shapes = [Envelope("drag", duration_s, (("sigma", duration_s / 4), ("beta", k * 2e-10))) for k in range(1, 5)]
    events = np.zeros(N_PLAYS, dtype=EVENT)
    events["start_ticks"] = np.arange(N_PLAYS) * SAMPLES_PER_PLAY
    events["length_ticks"] = SAMPLES_PER_PLAY
    events["target"] = rng.integers(0, len(shapes), N_PLAYS)
    events["gain"] = 2**29
    events["phase"] = rng.integers(0, 2**32, N_PLAYS)
    made = Program(
        setup_hash=bytes(32),
        calibration_hash=bytes(32),
        tick_num=1,
        tick_den=int(RATE_HZ),
        n_clbits=1,
        frames=np.array([(0, 0, NCO_WORD)], dtype=FRAME),
        envelopes=np.array(
            [(SAMPLES_PER_PLAY * k, SAMPLES_PER_PLAY, 0, 0) for k in range(len(shapes))], dtype=ENVELOPE
        ),
        envelope_samples=np.concatenate([quantise(evaluate(shape, RATE_HZ)) for shape in shapes]),
        events=events,
        blocks=np.array([(0, N_PLAYS, N_PLAYS * SAMPLES_PER_PLAY)], dtype=BLOCK),
        flow=flow.straight_line(),
        captures=np.empty(0, dtype=CAPTURE),
        discriminators=np.empty(0, dtype=DISCRIMINATOR),
        rows=np.array([(RowKind.PHASE, 0)], dtype=ROW),
    )
    made.verify()
    return made


@numba.njit
def fill(memory: NDArray[np.float64]) -> None:
    """Write to all of a memory, as fast as a kernel can."""
    for k in range(memory.size):
        memory[k] = 1.5


def least_s(*calls: Callable[[], object], rounds: int = 40) -> list[float]:
    """Return the shortest time of each call; they take turns, so that all meet the same neighbours."""
    times = [[] for _ in calls]
    for _ in range(rounds):
        for call, found in zip(calls, times, strict=True):
            start_s = time.perf_counter()
            call()
            found.append(time.perf_counter() - start_s)
    return [min(found[1:]) for found in times]
