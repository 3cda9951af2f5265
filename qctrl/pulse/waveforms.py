"""Waveforms of custom pulses: an envelope with its amplitude and phase, in numbers or in parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from qctrl.errors import CompileError

Quantity: TypeAlias = Any
"""A float, or a parameter or expression of parameters: whatever has ``parameters``, as Qiskit's objects have."""


def quantity(value: object, what: str) -> Quantity:
    """Return a finite number as a float, and an open expression as it is.

    Args:
        value: What the user gave.
        what: Name of the quantity, for the error message.

    Raises:
        CompileError: It is neither a finite real number nor an expression of parameters.
    """
    if getattr(value, "parameters", None):
        return value
    try:
        # An expression without parameters is a number; so are NumPy's.
        number = math.nan if isinstance(value, str | bytes) else float(cast("Any", value))
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise CompileError(f"{what} is {value!r}; give a finite real number, or an expression of the gate's parameters")
    return number


@dataclass(frozen=True, slots=True)
class Waveform:
    """What a play plays, apart from its carrier."""

    shape: str
    """One of ``qctrl.signal.envelopes.SHAPES``."""
    duration: Quantity
    """In s; a whole number of the port's samples."""
    amp: Quantity
    """Fraction of the port's full scale at the peak, -1 to 1."""
    phase: Quantity
    """In rad; 0 rotates about X, ``pi/2`` about -Y."""
    parameters: tuple[tuple[str, Quantity], ...] = ()
    """The shape's own parameters by name; times in s, angles in rad."""


def drag(duration: Quantity, amp: Quantity, sigma: Quantity, beta: Quantity, phase: Quantity = 0.0) -> Waveform:
    """Return ``amp * (g(t) + i * beta * dg/dt)`` with a Gaussian ``g`` of peak 1, lifted to zero at its ends.

    Args:
        duration: In s.
        amp: Fraction of full scale.
        sigma: Width of the Gaussian, in s.
        beta: Weight of the derivative, in s.
        phase: In rad.

    Raises:
        CompileError: An argument is neither a finite number nor an expression of parameters.
    """
    return _waveform("drag", duration, amp, phase, sigma=sigma, beta=beta)


def gaussian(duration: Quantity, amp: Quantity, sigma: Quantity, phase: Quantity = 0.0) -> Waveform:
    """Return a Gaussian that is lifted to zero at its ends; arguments as in ``drag``."""
    return _waveform("gaussian", duration, amp, phase, sigma=sigma)


def constant(duration: Quantity, amp: Quantity, phase: Quantity = 0.0) -> Waveform:
    """Return a constant level; arguments as in ``drag``."""
    return _waveform("constant", duration, amp, phase)


def square(duration: Quantity, amp: Quantity, rise: Quantity = 0.0, phase: Quantity = 0.0) -> Waveform:
    """Return a constant level with half-cosine edges, each of ``rise`` seconds; 0 is a hard edge."""
    return _waveform("square", duration, amp, phase, rise=rise)


def flat_top_cosine(duration: Quantity, amp: Quantity, rise: Quantity, phase: Quantity = 0.0) -> Waveform:
    """Return a constant level with half-cosine edges, each of ``rise`` seconds."""
    return _waveform("flat_top_cosine", duration, amp, phase, rise=rise)


def flat_top_gaussian(duration: Quantity, amp: Quantity, rise: Quantity, phase: Quantity = 0.0) -> Waveform:
    """Return a constant level with edges that are halves of a Gaussian, each of ``rise`` seconds."""
    return _waveform("flat_top_gaussian", duration, amp, phase, rise=rise)


def slepian(
    duration: Quantity, amp: Quantity, theta_i: Quantity, theta_f: Quantity, lambda2: Quantity = 0.0
) -> Waveform:
    """Return a fast adiabatic flux pulse (Martinis and Geller, PRA 90, 022307 (2014)).

    Args:
        duration: In s.
        amp: Fraction of full scale in the middle.
        theta_i: Control angle at the ends, in rad: its cotangent is the detuning over the coupling.
        theta_f: Control angle in the middle, in rad.
        lambda2: Second coefficient of the angle's course over the first, -0.25 to 0.25.

    Raises:
        CompileError: An argument is neither a finite number nor an expression of parameters.
    """
    return _waveform("slepian", duration, amp, 0.0, theta_i=theta_i, theta_f=theta_f, lambda2=lambda2)


def _waveform(shape: str, duration: Quantity, amp: Quantity, phase: Quantity, **parameters: Quantity) -> Waveform:
    return Waveform(
        shape=shape,
        duration=quantity(duration, f"duration of {shape}"),
        amp=quantity(amp, f"amp of {shape}"),
        phase=quantity(phase, f"phase of {shape}"),
        parameters=tuple((name, quantity(value, f"{name} of {shape}")) for name, value in parameters.items()),
    )
