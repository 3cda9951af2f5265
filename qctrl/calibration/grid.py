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


def grid_fault(duration_s: float, dt_s: Fraction, min_ticks: int = 0) -> tuple[str, str] | None:
    """Return text and remedy if a duration is no whole number of ticks or too short, else ``None``.

    Args:
        duration_s: Duration in s.
        dt_s: Tick in s.
        min_ticks: Least accepted duration, in ticks.
    """
    count = ticks(duration_s, dt_s)
    shown = f"value {duration_s:g} s is {float(count):g} ticks of {float(dt_s):g} s"
    if count.denominator != 1:
        low, high = (float((math.floor(count) + step) * dt_s) for step in (0, 1))
        return shown, f"write a whole number of ticks, {low:g} or {high:g}"
    if count < min_ticks:
        return f"{shown}, below min_length {min_ticks}", f"write at least {float(min_ticks * dt_s):g}"
    return None
