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
    number: NDArray[np.int64]
    """Stored envelope by envelope and rate, shape ``(n_envelopes, n_rates)``; -1 where it is not played."""


def envelope_table(
    envelopes: tuple[Envelope, ...], used: NDArray[np.uint8], sample_ticks: tuple[int, ...], tick_s: Fraction
) -> EnvelopeTable:
    """Return the sampled envelopes of a program.

    Args:
        envelopes: Distinct envelopes.
        used: Which of them is played at which rate, shape ``(n_envelopes, n_rates)``.
        sample_ticks: Ticks per sample of each rate, ascending.
        tick_s: Length of a tick.

    Raises:
        CompileError: An envelope cannot be evaluated at its port's rate.
    """
    stored: dict[bytes, int] = {}
    chunks: list[NDArray[np.int16]] = []
    peaks: list[float] = []
    numbers = np.full(used.shape, -1, dtype=np.int64)
    for envelope, rate in np.argwhere(used).tolist():
        data, peak = _sampled(envelopes[envelope], float(1 / (sample_ticks[rate] * tick_s)))
        number = stored.setdefault(data, len(stored))
        if number == len(chunks):
            chunks.append(np.frombuffer(data, dtype="<i2").reshape(-1, 2))
            peaks.append(peak)
        numbers[envelope, rate] = number
    table = np.zeros(len(chunks), dtype=ENVELOPE)
    table["length"] = [len(chunk) for chunk in chunks]
    table["offset"] = np.cumsum(table["length"]) - table["length"]
    samples = np.concatenate([np.zeros((0, 2), dtype="<i2"), *chunks])
    made = EnvelopeTable(table, samples, np.array(peaks, dtype=np.float64), numbers)
    for column in (made.envelopes, made.samples, made.peaks, made.number):
        column.flags.writeable = False
    return made


@lru_cache(maxsize=4096)
def _sampled(envelope: Envelope, sample_rate_hz: float) -> tuple[bytes, float]:
    """Return the quantised samples and their largest magnitude; a pure function, so remembering it is safe."""
    words = quantise(evaluate(envelope, sample_rate_hz))
    return words.astype("<i2").tobytes(), float(np.abs(dequantise(words)).max(initial=0.0))
