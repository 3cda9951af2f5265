"""Durations on the device's time grid, in exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

from qctrl.units import exact_fraction

_SLACK_TICKS = Fraction(1, 10**6)


def ticks(duration_s: float, dt_s: Fraction) -> Fraction:
    """Return ``duration_s`` in units of ``dt_s``, whole where it is so within a millionth.

    Args:
        duration_s: Duration in s.
        dt_s: Tick in s.
    """
    count = exact_fraction(duration_s) / dt_s
    nearest = round(count)
    return Fraction(nearest) if abs(count - nearest) <= _SLACK_TICKS else count


def on_grid(duration_ticks: Fraction, step_ticks: int) -> int:
    """Return the least multiple of ``step_ticks`` that is not below ``duration_ticks``."""
    return math.ceil(duration_ticks / step_ticks) * step_ticks


def grid_fault(duration_s: float, dt_s: Fraction, min_ticks: int = 0, step_ticks: int = 1) -> tuple[str, str] | None:
    """Return text and remedy if a duration is no whole number of steps or too short, else ``None``.

    Args:
        duration_s: Duration in s.
        dt_s: Tick in s.
        min_ticks: Least accepted duration, in ticks.
        step_ticks: It must be a multiple of this.
    """
    count = ticks(duration_s, dt_s)
    shown = f"value {duration_s:g} s is {float(count):g} ticks of {float(dt_s):g} s"
    if count.denominator != 1 or count % step_ticks:
        low, high = (float((count // step_ticks + more) * step_ticks * dt_s) for more in (0, 1))
        what = "ticks" if step_ticks == 1 else f"steps of granularity {step_ticks}"
        return shown, f"write a whole number of {what}, {low:g} or {high:g}"
    if count < min_ticks:
        return f"{shown}, below min_length {min_ticks}", f"write at least {float(min_ticks * dt_s):g}"
    return None
