"""Sample envelopes at their ports' rates and store equal ones once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from qctrl.protocol import ENVELOPE
from qctrl.signal.envelopes import dequantise, evaluate, quantise

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from qctrl.signal.envelopes import Envelope


@dataclass(frozen=True, slots=True, eq=False)
class EnvelopeTable:
    """Distinct sampled envelopes of a program."""

    envelopes: NDArray[np.void]
    """dtype ``qctrl.protocol.ENVELOPE``."""
    samples: NDArray[np.int16]
    """Shape ``(n_samples, 2)``."""
    peaks: NDArray[np.float64]
    """Largest magnitude of each envelope."""
    index: NDArray[np.int64]
    """Envelope of each play."""


def envelope_table(
    envelopes: tuple[Envelope, ...],
    of_play: NDArray[np.uint32],
    sample_ticks: NDArray[np.int64],
    tick_s: Fraction,
) -> EnvelopeTable:
    """Return the sampled envelopes of all plays.

    Args:
        envelopes: What ``of_play`` refers to.
        of_play: Envelope of each play.
        sample_ticks: Ticks per sample of each play's port.
        tick_s: Length of a tick.

    Raises:
        CompileError: An envelope cannot be evaluated at its port's rate.
    """
    pairs, pair_of = np.unique(np.stack([of_play, sample_ticks], axis=1), axis=0, return_inverse=True)
    stored: dict[bytes, int] = {}
    chunks: list[NDArray[np.int16]] = []
    peaks: list[float] = []
    numbers: list[int] = []
    for envelope, ticks in pairs.tolist():
        data, peak = _sampled(envelopes[envelope], float(1 / (ticks * tick_s)))
        number = stored.setdefault(data, len(stored))
        if number == len(chunks):
            chunks.append(np.frombuffer(data, dtype="<i2").reshape(-1, 2))
            peaks.append(peak)
        numbers.append(number)
    table = np.zeros(len(chunks), dtype=ENVELOPE)
    table["length"] = [len(chunk) for chunk in chunks]
    table["offset"] = np.cumsum(table["length"]) - table["length"]
    samples = np.concatenate([np.zeros((0, 2), dtype="<i2"), *chunks])
    for column in (table, samples):
        column.flags.writeable = False
    index = np.array(numbers, dtype=np.int64)[pair_of.reshape(-1)]
    return EnvelopeTable(table, samples, np.array(peaks), index)


@lru_cache(maxsize=4096)
def _sampled(envelope: Envelope, sample_rate_hz: float) -> tuple[bytes, float]:
    """Return the quantised samples and their largest magnitude; a pure function, so remembering it is safe."""
    words = quantise(evaluate(envelope, sample_rate_hz))
    return words.astype("<i2").tobytes(), float(np.abs(dequantise(words)).max(initial=0.0))
