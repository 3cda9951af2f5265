"""Predistortion of one port: coefficients of its sections, and what follows a state of them."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import ProtocolError
from qctrl.signal import _kernels
from qctrl.signal._dense_kernels import MOST_SECTIONS
from qctrl.signal._kernels import CHUNK


def predistortion_section(amplitude: float, tau_s: float, sample_s: float) -> tuple[float, float, float, float]:
    """Return the coefficients (direct, from_state, pole, feed) that undo one exponential of a line.

    The line's response to a unit step is ``1 + amplitude * exp(-t / tau)`` (Rol et al., Appl. Phys. Lett. 116, 054001
    (2020), on-chip distortion of flux pulses). For samples held for ``sample_s`` and ``p = exp(-sample_s / tau)`` the
    line maps ``y`` to ``y[n] + amplitude * d[n]`` with ``d[n] = p d[n-1] + y[n] - y[n-1]``. Its exact inverse at the
    sample instants is, with the one-sample-delayed low-pass ``u`` of the output,

        y[n]   = (x[n] + amplitude * u[n]) / (1 + amplitude)
        u[n+1] = p * u[n] + (1 - p) * y[n]

    which is evaluated, with ``y`` inserted into the second line, as

        y[n]   = direct * x[n] + from_state * u[n]        direct = 1 / (1 + amplitude)
        u[n+1] = pole * u[n] + feed * x[n]                from_state = amplitude / (1 + amplitude)
                                                          pole = (p + amplitude) / (1 + amplitude)
                                                          feed = (1 - p) / (1 + amplitude)

    The response to a constant is that constant, so the settled state for an input ``x`` is ``u = x``.

    Args:
        amplitude: Overshoot (positive) or undershoot (negative) of the line, as a fraction of the step.
        tau_s: Time constant of the line in seconds, positive.
        sample_s: Sample period in seconds.

    Raises:
        ProtocolError: The inverse is unstable.
    """
    decay = math.exp(-sample_s / tau_s)
    rest = -math.expm1(-sample_s / tau_s)
    if not 2 * amplitude > -(1 + decay):
        raise ProtocolError(
            f"predistortion of amplitude {amplitude:g}, tau {tau_s:g} s cannot be inverted stably; "
            f"the amplitude must be above {-(1 + decay) / 2:g}"
        )
    gain = 1 / (1 + amplitude)
    return gain, amplitude * gain, (decay + amplitude) * gain, rest * gain


@lru_cache(maxsize=256)
def decay_tables(iir: tuple[tuple[float, float], ...], sample_s: float) -> tuple[NDArray[np.float64], ...]:
    """Return (sections, modes, powers) of a port's sections, as ``_kernels.Line`` names them; read-only.

    The sections in series are one linear system; without input, ``u[n+1] = A u[n]`` and ``y[n] = C u[n]``.

    Args:
        iir: (amplitude, time constant in seconds) of each section.
        sample_s: Sample period in seconds.

    Raises:
        ProtocolError: A section's inverse is unstable.
    """
    sections = np.array(
        [predistortion_section(amplitude, tau_s, sample_s) for amplitude, tau_s in iir], dtype=np.float64
    ).reshape(-1, _kernels.SECTION_COLUMNS)
    idle = np.zeros((max(MOST_SECTIONS - len(sections), 0), _kernels.SECTION_COLUMNS))
    idle[:, _kernels.DIRECT] = 1.0
    a, c = _system(np.concatenate((sections, idle)))
    count = len(c)
    powers = np.zeros((CHUNK + 1, count, count))
    powers[0] = np.eye(count)
    known = 1
    while known <= CHUNK:
        more = min(known, CHUNK + 1 - known)
        powers[known : known + more] = powers[:more] @ (powers[known - 1] @ a)
        known += more
    modes = np.ascontiguousarray((c @ powers[:CHUNK]).T)
    tables = (sections, modes, powers)
    for table in tables:
        table.flags.writeable = False
    return tables


def _system(sections: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return A and C of sections in series."""
    count = len(sections)
    a = np.zeros((count, count))
    # The input of a section, in terms of the states before it.
    reach = np.zeros(count)
    for m, section in enumerate(sections):
        a[m] = section[_kernels.FEED] * reach
        a[m, m] = section[_kernels.POLE]
        reach = section[_kernels.DIRECT] * reach
        reach[m] = section[_kernels.FROM_STATE]
    return a, reach
