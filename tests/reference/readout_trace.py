"""One shot of dispersive readout, sample by sample: the resonator equations integrated with SciPy's ``expm``.

Independent of ``firmware_sim.physics.readout``: no tables, no superposition of switched trajectories.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm


def resonator_field(drive, resonator, levels, *, lo_hz, dt_s=1e-9):
    """alpha at the start of each sample, for a level in each sample; ``drive`` in sqrt(photons/s)."""
    alpha, field = 0j, []
    kappa = 2 * np.pi * resonator.kappa
    for b, level in zip(drive, levels, strict=True):
        field.append(alpha)
        frequency = resonator.frequency + resonator.shifts[level]
        rate = -kappa / 2 + 2j * np.pi * (frequency - lo_hz)
        # d(alpha, 1)/dt = M (alpha, 1)
        step = expm(np.array([[rate, np.sqrt(kappa) * b], [0, 0]]) * dt_s)
        alpha = step[0, 0] * alpha + step[0, 1]
    return np.array(field)


def adc_samples(sent, truth, feedline, levels, *, lo_hz, dt_s=1e-9):
    """Noiseless ADC samples for DAC samples ``sent``; ``levels`` maps qubit names to a level per sample."""
    line = truth.feedlines[feedline]
    drive = line.input_scale * sent
    out = -drive
    for name, resonator in truth.resonators.items():
        if resonator.feedline == feedline:
            at = levels.get(name, np.zeros(len(sent), dtype=int))
            field = resonator_field(drive, resonator, at, lo_hz=lo_hz, dt_s=dt_s)
            out = out + np.sqrt(2 * np.pi * resonator.kappa) * field
    return line.adc_scale * np.exp(1j * line.phase) * out
