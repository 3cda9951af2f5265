"""From the packed format's words to the numbers of Q1ASM; every rounding of the back end is here."""

from __future__ import annotations

from fractions import Fraction

from qctrl.errors import ResourceError, TimingError
from qctrl.instruments.qblox import limits
from qctrl.protocol import Setup
from qctrl.units import GAIN_ONE, TUNING_TURN

_PHASE_UNITS = limits.PHASE_STEPS * limits.NCO_STEPS_PER_HZ
"""A quarter of a phase step is what one step of frequency turns in a nanosecond."""


def ticks_per_ns(setup: Setup) -> int:
    """Return how many ticks make a nanosecond.

    Raises:
        TimingError: No whole number of them does.
    """
    ticks = Fraction(1, 10**9) / setup.tick_s
    if ticks.denominator != 1:
        raise TimingError(
            f"Qblox cluster, capability clock: a tick of {float(setup.tick_s):g} s is no whole part of 1 ns; "
            "use such a tick"
        )
    return int(ticks)


def gain_steps(gain: int) -> int:
    """Return a gain word of 2**-30 as steps of 2**-15; full scale is one step short of 1."""
    return min(_round(gain * limits.GAIN_STEPS, GAIN_ONE), limits.GAIN_STEPS - 1)


def frequency_steps(ftw: int, ticks: int, who: str) -> int:
    """Return a tuning word in steps of a quarter hertz.

    Args:
        ftw: 2**-48 turn per tick.
        ticks: Ticks of a nanosecond.
        who: Name of the sequencer, for errors.

    Raises:
        ResourceError: The NCO does not reach it.
    """
    steps = _round(ftw * ticks * limits.NCO_STEPS_PER_HZ * 10**9, TUNING_TURN)
    if abs(steps) > limits.MAX_NCO_HZ * limits.NCO_STEPS_PER_HZ:
        raise ResourceError(
            f"Qblox {who}, capability NCO: {steps / limits.NCO_STEPS_PER_HZ:g} Hz is beyond "
            f"+-{limits.MAX_NCO_HZ:g} Hz; move the local oscillator closer"
        )
    return steps


def phase_steps(turns: int, nco_units: int) -> int:
    """Return what must be added to an NCO's phase to make it another one.

    Args:
        turns: Phase wanted, 2**-48 turn.
        nco_units: Phase of the NCO, quarters of a step.
    """
    return _round(turns * _PHASE_UNITS - nco_units * TUNING_TURN, TUNING_TURN * 4) % limits.PHASE_STEPS


def _round(numerator: int, denominator: int) -> int:
    """Return the nearest whole number to a quotient, half to even."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))
