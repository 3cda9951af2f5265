"""What the corrections of a port can make of its plays, without their samples."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from qctrl.signal.filters import predistortion_section

_FOLLOWED: Final = 4096
"""Samples of the impulse response that are summed one by one."""


@lru_cache(maxsize=256)
def filter_gain(iir: tuple[tuple[float, float], ...], fir: tuple[float, ...], sample_s: float) -> float:
    """Return a bound on the sum of the magnitudes of a port's impulse response.

    An input of at most 1 leads to an output of at most this, and so for differences from sample to sample. The first
    samples are summed; what the state after them can still put out is bounded section by section.

    Args:
        iir: (amplitude, time constant in seconds) of each predistortion section.
        fir: Taps, newest sample first; empty means none.
        sample_s: Sample period in seconds.

    Raises:
        ProtocolError: A section's inverse is unstable.
    """
    if not iir:
        return sum(map(abs, fir)) if fir else 1.0
    sections = [predistortion_section(amplitude, tau_s, sample_s) for amplitude, tau_s in iir]
    states = [0.0] * len(sections)
    taps = fir or (1.0,)
    total = 0.0
    for n in range(len(taps) + _FOLLOWED):
        y = taps[n] if n < len(taps) else 0.0
        for m, (direct, from_state, pole, feed) in enumerate(sections):
            x = y
            y = direct * x + from_state * states[m]
            states[m] = pole * states[m] + feed * x
        total += abs(y)
    after = 1.0  # gain of the sections behind
    for state, (direct, from_state, pole, feed) in zip(reversed(states), reversed(sections), strict=True):
        total += abs(from_state * state) / (1 - abs(pole)) * after
        after *= abs(direct) + abs(from_state * feed) / (1 - abs(pole))
    return total
