"""Bits of a window without its integrated values: most of them are certain before the noise is worked out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics import _bit_kernels
from firmware_sim.physics.cores import share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.readout import Capture, Hazards, Tables

_FARTHEST = 8.7
"""Deviations that a quadrature's normal never exceeds: the radius of the smallest uniform of 53 bits."""
_MARGIN = 1e-6
"""Part of a mean's distance from a border that rounding to single precision may take."""

Bits = tuple["NDArray[np.uint8]", "NDArray[np.uint8]"]


@dataclass(frozen=True, slots=True, eq=False)
class BitWindow:
    """Captures of one window, ready to be told apart."""

    tables: Tables
    hazards: Hazards
    coefficients: NDArray[np.float64]
    """Of each capture's discriminator, shape ``(n, 3, 3)``."""
    classes: NDArray[np.int64]
    limit: NDArray[np.float64]
    """By capture and level of its qubit, the uniform of the noise's radius below which the bit is certain."""
    certain: NDArray[np.uint8]
    """That bit."""

    @property
    def nbytes(self) -> int:
        """Size in memory beside tables and hazards."""
        return self.coefficients.nbytes + self.limit.nbytes

    def draw(
        self,
        header: tuple[NDArray[np.uint64], NDArray[np.uint64], int],
        shots: NDArray[np.uint64],
        levels: NDArray[np.uint8],
    ) -> Bits:
        """Return the bit of each capture, and the level that the window leaves, for each shot of each binding.

        Args:
            header: Keys, shape ``(n_bindings, 2)``, bindings, shape ``(n_bindings,)``, and the draw block of the first
                capture; each capture takes one.
            shots: Absolute shot indices, shape ``(n_shots,)``.
            levels: Levels at the start, shape ``(n_bindings, n_shots, n)``; so are what is returned.
        """
        tables = self.tables
        bits, end_levels = np.empty_like(levels), np.empty_like(levels)
        parts = (tables.sums, tables.fields, tables.tails, tables.poles, tables.relevant)
        window = (self.hazards, parts, tables.offset, tables.mixing)
        told, sure = (self.coefficients, self.classes), (self.limit, self.certain)

        def draw(part: slice) -> None:
            mine = (header[0][part], header[1][part], np.uint64(header[2]))
            _bit_kernels.draw_bits(mine, shots, window, told, sure, levels[part], bits[part], end_levels[part])

        share(len(levels), draw)
        return bits, end_levels


def bit_window(group: Sequence[Capture], tables: Tables, hazards: Hazards) -> BitWindow:
    """Return what tells the bits of some captures of one window."""
    coefficients, classes = discriminators(group)
    limit, certain = sure_bits(tables, coefficients, classes)
    return BitWindow(tables, hazards, coefficients, classes, limit, certain)


def discriminators(group: Sequence[Capture]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return coefficients, shape ``(n, 3, 3)``, and numbers of classes of some captures."""
    return np.array([capture.coef for capture in group]), np.array([capture.n_classes for capture in group])


def sure_bits(
    tables: Tables, coefficients: NDArray[np.float64], classes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return below which uniform of its noise's radius each capture's bit is certain, by level, and that bit.

    A radius is ``sqrt(-2 log(1 - u))`` deviations; the mean is that of a qubit that does not jump, as far off as the
    levels of others may take it.
    """
    whole = tables.sums[:, :, :, -1]
    middle = whole.mean(axis=2)
    reach = np.abs(whole - middle[:, :, None]).max(axis=2)
    others = tables.relevant & ~np.eye(len(whole), dtype=np.bool_)
    mixing = np.abs(tables.mixing)
    own = np.diagonal(mixing)
    leeway = (reach * others).sum(axis=1) + _FARTHEST * (mixing.sum(axis=1) - own)
    means = np.diagonal(whole).T + (tables.offset + (middle * others).sum(axis=1))[:, None]
    gaps = np.array([_gaps(row, coef[:n]) for row, coef, n in zip(means, coefficients, classes, strict=True)])
    room = np.maximum(np.abs(gaps) * (1 - _MARGIN) - leeway[:, None], 0) / np.maximum(own, 1e-300)[:, None]
    return 1 - np.exp(-(room**2) / 2), (gaps > 0).astype(np.uint8)


def _gaps(means: NDArray[np.complex128], coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each mean may move before its bit may change, shape as ``means``; negative where the bit is 0."""
    if len(coefficients) == 1:
        return np.full(len(means), -np.inf)
    slopes = coefficients[1:] - coefficients[0]
    steepness = np.maximum(np.hypot(slopes[:, 0], slopes[:, 1]), 1e-300)
    points = np.stack([means.real, means.imag, np.ones(len(means))])
    return ((slopes @ points) / steepness[:, None]).max(axis=0)
