"""Envelope formulas at one instant, as plainly as they can be written. Times in seconds."""

import math


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
