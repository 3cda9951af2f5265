"""Integrated values and raw traces of a window, shot by shot, from its tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics import _kernels
from firmware_sim.physics.readout import positive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from firmware_sim.physics.random import Draws
    from firmware_sim.physics.readout import Hazards, Tables

_DEVIATIONS = 7.0
"""Of the noise, that a sample does not exceed: 1e-12 per sample."""
_FINE = 0.1
"""Steps below this part of the noise add less than 1e-3 to its variance."""


@dataclass(frozen=True, slots=True, eq=False)
class Shots:
    """What a window gave in each shot."""

    iq: NDArray[np.complex64]
    """Shape ``(n_shots, n_captures)``."""
    end_levels: NDArray[np.uint8]
    """Level that the window leaves each qubit in, shape ``(n_shots, n_captures)``."""
    traces: NDArray[np.complex64] | None
    """ADC samples, shape ``(n_shots, n_samples)``."""
    clipped: int = 0
    """ADC samples beyond full scale, of all shots."""


def integrate(tables: Tables, draws: Draws, block: int, levels: NDArray[np.uint8], hazards: Hazards | None) -> Shots:
    """Return the integrated values of all shots.

    Args:
        tables: The window's tables.
        draws: The shots.
        block: Draw block of the first capture; each capture takes one.
        levels: Level of each measured qubit at the start, shape ``(n_shots, n)``.
        hazards: Expected jumps of each measured qubit, see :meth:`Readout.hazards`; None switches every random
            process of the window off, its noise included.
    """
    if is_felt(tables):
        return integrate_with_traces(tables, draws, block, levels, hazards)
    return _values(tables, draws, block, levels, hazards)[0]


def integrate_with_traces(
    tables: Tables, draws: Draws, block: int, levels: NDArray[np.uint8], hazards: Hazards | None
) -> Shots:
    """Return the same as :func:`integrate`, and ADC samples that integrate to the very same values.

    A converter whose steps or limits are felt makes its codes first, and these are integrated.
    """
    shots, jumps = _values(tables, draws, block, levels, hazards)
    noiseless = np.broadcast_to(tables.background, (len(levels), tables.n_samples)).copy()
    for j in range(len(tables.qubits)):
        noiseless += tables.scales[j] * _trajectories(tables, j, levels[:, j], (jumps[0][:, j], jumps[1][:, j]))
    noise = np.zeros_like(noiseless)
    if hazards is not None:
        noise = draws.normals(block, tables.n_samples, stream=1) * tables.noise_deviation
    c = tables.coefficients
    missing = shots.iq - (noiseless + noise) @ c.T
    correction = np.linalg.solve(positive(c @ c.conj().T), missing.T).T @ c.conj()
    traces = noiseless + noise + correction
    if tables.adc_bits is None or not is_felt(tables):
        return Shots(shots.iq, shots.end_levels, traces.astype(np.complex64))
    codes, clipped = digitise(traces, tables.adc_bits)
    return Shots((codes @ c.T).astype(np.complex64), shots.end_levels, codes.astype(np.complex64), clipped)


def digitise(samples: NDArray[np.complex128], bits: int) -> tuple[NDArray[np.complex128], int]:
    """Return what a converter of full scale 1 makes of samples, and how many of them it clipped."""
    top = 2 ** (bits - 1) - 1
    i, q = (np.rint(part * top) for part in (samples.real, samples.imag))
    clipped = int(np.count_nonzero((np.abs(i) > top) | (np.abs(q) > top)))
    return (np.clip(i, -top, top) + 1j * np.clip(q, -top, top)) / top, clipped


def is_felt(tables: Tables) -> bool:
    """Return whether a converter does more than round far below the noise and far from its limits."""
    if tables.adc_bits is None:
        return False
    fields = np.abs(tables.fields[:, :, :-1]).max(axis=1, initial=0.0)
    highest = np.abs(tables.background) + np.abs(tables.scales) @ fields
    reach = float(highest.max(initial=0.0)) + _DEVIATIONS * tables.noise_deviation
    step = 2.0 ** (1 - tables.adc_bits)
    return reach > 1 or step > _FINE * tables.noise_deviation


def _values(
    tables: Tables, draws: Draws, block: int, levels: NDArray[np.uint8], hazards: Hazards | None
) -> tuple[Shots, tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    n = len(tables.qubits)
    still = (np.zeros((n, tables.fields.shape[1], tables.n_samples + 1)), np.zeros((n, tables.fields.shape[1])))
    jumps, normals = draws.windows(block, still if hazards is None else hazards, levels)
    values = np.broadcast_to(tables.offset, levels.shape).copy()
    if hazards is not None:
        values += normals @ tables.mixing.T
    parts = (tables.sums, tables.fields, tables.tails, tables.poles, tables.relevant)
    _kernels.integrate_shots(levels, jumps, parts, values)
    return Shots(values.astype(np.complex64), jumps[1][:, :, -1], None), jumps


def _trajectories(
    tables: Tables, j: int, levels: NDArray[np.uint8], jumps: tuple[NDArray[np.int64], NDArray[np.uint8]]
) -> NDArray[np.complex128]:
    """Return alpha of one resonator in each shot, shape ``(n_shots, n_samples)``."""
    fields, poles = tables.fields[j], tables.poles[j]
    times = np.arange(tables.n_samples)
    result = fields[levels][:, :-1]
    for shot in np.flatnonzero(jumps[0][:, 0] < tables.n_samples):
        level, field, since = int(levels[shot]), fields[levels[shot], 0], 0
        for jump, after in zip(jumps[0][shot], jumps[1][shot], strict=True):
            if jump >= tables.n_samples:
                break
            field = fields[level, jump] + np.exp(-poles[level] * (jump - since)) * (field - fields[level, since])
            level, since = int(after), jump
            left = np.exp(-poles[level] * (times[jump:] - jump)) * (field - fields[level, jump])
            result[shot, jump:] = fields[level, jump:-1] + left
    return result
