"""Sample envelopes at their ports' rates; store equal ones once, and of a plateau one sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from qctrl.protocol import ENVELOPE
from qctrl.signal.envelopes import dequantise, evaluate, quantise

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from qctrl.signal.envelopes import Envelope

MIN_HOLD: Final = 16
"""Samples that a plateau must save to be held instead of stored."""
_SAMPLE_BYTES: Final = 4


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
    stored: dict[Sampled, int] = {}
    offsets: dict[bytes, int] = {}
    n_samples = 0
    numbers = np.full(used.shape, -1, dtype=np.int64)
    for envelope, rate in np.argwhere(used).tolist():
        sampled = _sampled(envelopes[envelope], float(1 / (sample_ticks[rate] * tick_s)))
        numbers[envelope, rate] = stored.setdefault(sampled, len(stored))
        if sampled.data not in offsets:
            offsets[sampled.data] = n_samples
            n_samples += sampled.length
    rows = [(offsets[each.data], each.length, each.hold_at, each.hold) for each in stored]
    samples = np.frombuffer(b"".join(offsets), dtype="<i2").reshape(-1, 2)
    peaks = np.array([each.peak for each in stored], dtype=np.float64)
    made = EnvelopeTable(np.array(rows, dtype=ENVELOPE), samples, peaks, numbers)
    for column in (made.envelopes, made.samples, made.peaks, made.number):
        column.flags.writeable = False
    return made


class Sampled(NamedTuple):
    """A quantised envelope as it is stored."""

    data: bytes
    """Stored samples, int16 (re, im)."""
    hold_at: int
    hold: int
    """For how many samples more sample ``hold_at`` is held."""
    peak: float
    """Largest magnitude."""

    @property
    def length(self) -> int:
        """Stored samples."""
        return len(self.data) // _SAMPLE_BYTES


@lru_cache(maxsize=4096)
def _sampled(envelope: Envelope, sample_rate_hz: float) -> Sampled:
    """Return the quantised samples of an envelope; a pure function, so remembering it is safe."""
    words = quantise(evaluate(envelope, sample_rate_hz))
    kept, hold_at, hold = fold_plateau(words)
    return Sampled(kept.astype("<i2").tobytes(), hold_at, hold, float(np.abs(dequantise(words)).max(initial=0.0)))


def fold_plateau(words: NDArray[np.int16]) -> tuple[NDArray[np.int16], int, int]:
    """Return samples without the longest run of equal ones but its first, which one that is, and how many are left out.

    A hold costs real sequencers an instruction or two, so runs that would save less than ``MIN_HOLD`` samples stay.

    Args:
        words: Shape ``(n_samples, 2)``.
    """
    changes = np.flatnonzero(np.any(words[1:] != words[:-1], axis=1)) + 1
    bounds = np.array([0, *changes.tolist(), len(words)])
    longest = int(np.argmax(np.diff(bounds)))
    hold_at, end = int(bounds[longest]), int(bounds[longest + 1])
    hold = end - hold_at - 1
    if hold < MIN_HOLD:
        return words, 0, 0
    return np.delete(words, np.s_[hold_at + 1 : end], axis=0), hold_at, hold
