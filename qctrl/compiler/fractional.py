"""Angles of fractional gates: scaled amplitudes and phases, as numbers or as expressions of the parameters."""

from __future__ import annotations

from qctrl.ir.expression import Expression


def scaled(value: float, angle_rad: float | Expression, full_rad: float) -> float | Expression:
    """Return ``value * angle / full``; the same to the last bit whether the angle is a number or bound later.

    Args:
        value: At the full angle.
        angle_rad: Angle of the gate, in rad.
        full_rad: Angle at which the value holds, in rad.
    """
    factor = value / full_rad
    if isinstance(angle_rad, Expression):
        return Expression((*angle_rad.steps, ("constant", factor), ("mul", 0)))
    return angle_rad * factor


def scaled_squared(value: float, angle_rad: float | Expression, full_rad: float) -> float | Expression:
    """Return ``value * (angle / full)**2``; arguments as for ``scaled``."""
    factor = value / full_rad**2
    if isinstance(angle_rad, Expression):
        return Expression((*angle_rad.steps, *angle_rad.steps, ("mul", 0), ("constant", factor), ("mul", 0)))
    return angle_rad * angle_rad * factor
