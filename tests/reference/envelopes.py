"""Envelope formulas at one instant, as plainly as they can be written. Times in seconds."""

import math

from scipy.integrate import quad
from scipy.optimize import brentq


def gaussian(t: float, duration: float, sigma: float) -> float:
    """Gaussian about the middle, shifted to be zero at both ends and scaled to be one in the middle."""
    bell = math.exp(-((t - duration / 2) ** 2) / (2 * sigma**2))
    at_the_end = math.exp(-((duration / 2) ** 2) / (2 * sigma**2))
    return (bell - at_the_end) / (1 - at_the_end)


def drag(t: float, duration: float, sigma: float, beta: float) -> complex:
    """Gaussian on the real part and ``beta`` times its slope, found numerically, on the imaginary part."""
    h = duration * 1e-6
    slope = (gaussian(t + h, duration, sigma) - gaussian(t - h, duration, sigma)) / (2 * h)
    return complex(gaussian(t, duration, sigma), beta * slope)


def flat_top_cosine(t: float, duration: float, rise: float) -> float:
    """Raised-cosine edges of length ``rise`` around ones."""
    if t < rise:
        return 0.5 - 0.5 * math.cos(math.pi * t / rise)
    if t > duration - rise:
        return 0.5 - 0.5 * math.cos(math.pi * (duration - t) / rise)
    return 1.0


def flat_top_gaussian(t: float, duration: float, rise: float) -> float:
    """Halves of a Gaussian of length ``2 * rise`` and sigma ``rise / 2`` around ones."""
    if t < rise:
        return gaussian(t, 2 * rise, rise / 2)
    if t > duration - rise:
        return gaussian(duration - t, 2 * rise, rise / 2)
    return 1.0


def slepian(t: float, duration: float, theta_i: float, theta_f: float, lambda2: float = 0.0) -> float:
    """Detuning at the control angle that is reached at a time: real time is the integral of the angle's sine."""

    def theta(s: float) -> float:
        first = (theta_f - theta_i) / 2
        return theta_i + first * (1 - math.cos(2 * math.pi * s)) + lambda2 * first * (1 - math.cos(4 * math.pi * s))

    def elapsed(s: float) -> float:
        return quad(lambda u: math.sin(theta(u)), 0, s, epsabs=1e-13)[0]

    s = brentq(lambda s: elapsed(s) / elapsed(1) - t / duration, 0, 1, xtol=1e-13)
    lowest, highest = 1 / math.tan(theta_i), 1 / math.tan(theta_f)
    return (lowest - 1 / math.tan(theta(s))) / (lowest - highest)
