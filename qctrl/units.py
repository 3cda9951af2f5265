"""The only conversions between seconds, hertz, radians and amplitudes and the integer words of the machine.

Times refuse to round. Phases, gains and frequencies round half to even, once.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qctrl.errors import ResourceError, TimingError

TURN: Final = 2**32
"""Phase words per turn."""
TUNING_TURN: Final = 2**48
"""Tuning words per turn and tick."""
GAIN_ONE: Final = 2**30
"""Gain word of full scale (Q1.30)."""
ENVELOPE_ONE: Final = 32767
"""Envelope word of full scale (int16)."""

UNIT_S: Final = {
    "s": Fraction(1),
    "ms": Fraction(1, 10**3),
    "us": Fraction(1, 10**6),
    "ns": Fraction(1, 10**9),
    "ps": Fraction(1, 10**12),
}
"""Seconds per unit of a delay."""

_SLACK_TICKS: Final = 1e-6
_SLACK_PERIOD: Final = Fraction(4, 2**52)  # a few units in the last place


@lru_cache(maxsize=1024)
def exact_fraction(value: float) -> Fraction:
    """Return the decimal number that prints as ``value``, so that 1e-9 is exactly 1/10**9."""
    return Fraction(repr(float(value)))


def clock_period(period_s: float) -> Fraction:
    """Return the exact period of a clock, of which ``period_s`` is a double.

    Clocks run at a whole number of hertz: 4.166666666666667e-10 is 1/2.4e9, not that decimal, and so are its
    neighbours, as 1e-9/3 is not the double nearest to 1/3e9. Where no whole frequency has this period, it is the
    decimal number that prints.
    """
    printed = exact_fraction(period_s)
    frequency_hz = round(1 / printed)
    return Fraction(1, frequency_hz) if abs(printed * frequency_hz - 1) < _SLACK_PERIOD else printed


def to_ticks(duration_s: float, tick_s: Fraction, *, what: str = "duration") -> int:
    """Return ``duration_s`` as a whole number of ticks.

    Args:
        duration_s: Duration in seconds, at least 0.
        tick_s: Length of a tick in seconds.
        what: Name of the quantity, for the error message.

    Raises:
        TimingError: ``duration_s`` is negative, not finite or not a whole number of ticks.
    """
    if not math.isfinite(duration_s) or duration_s < 0:
        raise TimingError(f"{what} is {duration_s!r} s; it must be finite and 0 or more")
    exact = exact_fraction(duration_s) / tick_s
    ticks = round(exact)
    if abs(exact - ticks) > _SLACK_TICKS:
        raise TimingError(
            f"{what} {duration_s:g} s is {float(exact):.6f} ticks of {float(tick_s):g} s; "
            "it must be a whole number of ticks"
        )
    return ticks


def to_seconds(ticks: int, tick_s: Fraction) -> float:
    """Return the length of ``ticks`` in seconds."""
    return float(ticks * tick_s)


def phase_word(phase_rad: float) -> int:
    """Return a phase as a word of 2**-32 turn, in ``[0, 2**32)``.

    Raises:
        ResourceError: The phase is not finite, or so large that doubles no longer resolve a word.
    """
    return int(phase_words(phase_rad)[()])


def phase_words(phases_rad: ArrayLike) -> NDArray[np.uint32]:
    """Return phases in radians as uint32 words of 2**-32 turn, same shape.

    Raises:
        ResourceError: A phase is not finite, or beyond 2**20 turns.
    """
    turns = np.asarray(phases_rad, dtype=np.float64) / (2 * math.pi)
    if not np.all(np.abs(turns) < 2**20):  # also false for NaN
        raise ResourceError("a phase is not finite or beyond 2**20 turns; reduce it modulo 2 pi")
    return np.rint(turns * TURN).astype(np.int64).astype(np.uint32)


def phase_from_word(word: int) -> float:
    """Return the angle of a phase word in radians, in ``[-pi, pi)``."""
    signed = (word + TURN // 2) % TURN - TURN // 2
    return signed / TURN * 2 * math.pi


def tuning_word(frequency_hz: float, tick_s: Fraction) -> int:
    """Return a frequency as a two's complement word of 2**-48 turn per tick.

    Raises:
        ResourceError: The frequency is not finite or beyond half a turn per tick.
    """
    if not math.isfinite(frequency_hz):
        raise ResourceError(f"frequency {frequency_hz!r} Hz is not finite")
    word = round(exact_fraction(frequency_hz) * tick_s * TUNING_TURN)
    if not -TUNING_TURN // 2 <= word < TUNING_TURN // 2:
        raise ResourceError(
            f"frequency {frequency_hz:g} Hz is beyond half a turn per tick of {float(tick_s):g} s; "
            "move the local oscillator closer"
        )
    return word


def tuning_word_to_hz(word: int, tick_s: Fraction) -> float:
    """Return the frequency of a tuning word in hertz."""
    return float(Fraction(word, TUNING_TURN) / tick_s)


def frequency_words(offsets_hz: NDArray[np.float64], tick_s: Fraction) -> NDArray[np.int32]:
    """Return frequencies within half a turn per tick as words of 2**-32 turn per tick, same shape."""
    words = np.rint(offsets_hz * (float(tick_s) * TURN))
    return np.clip(words, -TURN // 2, TURN // 2 - 1).astype(np.int32)


def gain_word(gain: float, *, what: str = "gain") -> int:
    """Return a gain in ``[-1, 1]`` as a word of 2**-30.

    Raises:
        ResourceError: The gain is not finite or beyond full scale.
    """
    if not abs(gain) <= 1:  # also refuses NaN
        raise ResourceError(f"{what} {gain!r} is beyond full scale [-1, 1]; lower the amplitude")
    return round(gain * GAIN_ONE)


def gain_from_word(word: int) -> float:
    """Return the gain that a word of 2**-30 stands for."""
    return word / GAIN_ONE
