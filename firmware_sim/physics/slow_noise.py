"""Noise of frequency and flux that is slow against a pulse: quasi-static, 1/f, and drift over simulated time.

A qubit's frequency is off by ``x + slope y``: x in Hz, y in full scales of its flux port, ``slope`` that of its tuning
curve where it stands. Each of x and y is the sum of

- a Gaussian that every shot draws anew,
- 1/f noise of one-sided density ``A^2 / f`` between two frequencies: a sum of cosines, one per band of equal ratio,
  with Gaussian quadratures (Rice 1944, section 2.8) and a frequency drawn within the band. It is a function of
  simulated time, so shots are correlated as their times say, whatever the batch, and it moves within a shot;
- a drift proportional to simulated time.

If nothing moves by a noticeable part of a turn within a shot, the offsets are rounded to half a standard deviation, so
that shots share histories. Every program and every binding has a realisation of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics.random import Draws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_sim.config import SlowTruth
    from firmware_sim.physics.device import Chip

_SHOT_STREAM, _LINE_STREAM = 4, 6
_BANDS_PER_DECADE = 8
_MOVING_TURNS = 0.02
"""Turns of the fastest cosine within a shot from which on it is followed there."""
_BINS_PER_DEVIATION = 2
_USUAL_VALUES = 16
"""Rounded values that a Gaussian takes in a few thousand shots."""
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Clock:
    """When shots are played, in simulated time."""

    start_s: float = 0.0
    """Of shot 0."""
    period_s: float = 0.0
    """From the start of a shot to that of the next."""
    length_s: float = 0.0
    """Of a shot, without the delay to the next."""


class SlowNoise:
    """The slow noise of a chip during one run."""

    def __init__(self, chip: Chip, clock: Clock, *, noisy: bool = True) -> None:
        """Collect the sources of the truth.

        Args:
            chip: The device.
            clock: Times of the shots.
            noisy: False switches all of it off.
        """
        sources = [
            (qubit, kind, truth)
            for qubit, transmon in enumerate(chip.qubits)
            for kind, truth in enumerate((transmon.truth.frequency_noise, transmon.truth.flux_noise))
            if truth is not None and noisy
        ]
        self._n_qubits = len(chip.qubits)
        self._clock = clock
        self._sources: tuple[tuple[int, int, SlowTruth], ...] = tuple(sources)
        self._lines: dict[tuple[bytes, int], dict[tuple[int, int], _Lines]] = {}
        self.silent = not sources
        """Whether there is none."""
        self.kinds = tuple(
            kind
            for kind in ("quasi_static", "one_over_f", "drift")
            if any(getattr(truth, kind) for *_, truth in sources)
        )
        """Kinds of it that there are."""
        fastest_hz = max((truth.highest for _, _, truth in sources if truth.one_over_f), default=0.0)
        self.moving = fastest_hz * clock.length_s > _MOVING_TURNS
        """Whether it changes within a shot."""

    def groups(self, draws: Draws, qubits: frozenset[int] | None = None) -> NDArray[np.int64]:
        """Return a label per shot; in shots of equal label some qubits have equal offsets at all times.

        Args:
            draws: The shots.
            qubits: Qubits whose offsets matter; all unless given.
        """
        if self._sources_of(qubits) == 0:
            return np.zeros(len(draws.shots), dtype=np.int64)
        if self.moving:
            return np.arange(len(draws.shots))
        offsets = self._offsets(draws, 0.0, 0.0)
        kept = offsets if qubits is None else offsets[:, sorted(qubits)]
        return np.unique(kept.reshape(len(draws.shots), -1), axis=0, return_inverse=True)[1].ravel()

    def most_groups(self, n_shots: int, qubits: frozenset[int] | None = None) -> int:
        """Return how many labels so many shots may have, about; see ``groups``."""
        sources = self._sources_of(qubits)
        if sources == 0:
            return 1
        return n_shots if self.moving else min(n_shots, _USUAL_VALUES**sources)

    def _sources_of(self, qubits: frozenset[int] | None) -> int:
        return sum(qubits is None or qubit in qubits for qubit, *_ in self._sources)

    def angles(self, draws: Draws, span_s: tuple[float, float], slopes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by what angle each qubit of each shot turns more, in rad, shape ``(n_shots, n_qubits)``.

        Args:
            draws: The shots.
            span_s: Begin and end, from the start of the shot.
            slopes: Hz per full scale of each qubit's flux port over this time, shape ``(n_qubits,)``.
        """
        begin_s, end_s = span_s if self.moving else (0.0, 0.0)
        offsets = self._offsets(draws, begin_s, end_s)
        return 2 * np.pi * (span_s[1] - span_s[0]) * (offsets[:, :, 0] + slopes * offsets[:, :, 1])

    def _offsets(self, draws: Draws, begin_s: float, end_s: float) -> NDArray[np.float64]:
        """Return the mean of x and y over a time of each shot, shape ``(n_shots, n_qubits, 2)``."""
        result = np.zeros((len(draws.shots), self._n_qubits, 2))
        shot_s = self._clock.start_s + draws.shots.astype(np.float64) * self._clock.period_s
        for qubit, kind, truth in self._sources:
            value = np.zeros(len(draws.shots))
            if truth.quasi_static:
                value += truth.quasi_static * draws.normals(2 * qubit + kind, 1, _SHOT_STREAM)[:, 0].real
            if truth.one_over_f:
                lines = self._lines_of(draws, qubit, kind, truth)
                value += lines.mean(shot_s + begin_s, shot_s + end_s)
            value = value if self.moving else _rounded(value, truth)
            result[:, qubit, kind] = value + truth.drift * self._clock.start_s / _HOUR_S
        return result

    def _lines_of(self, draws: Draws, qubit: int, kind: int, truth: SlowTruth) -> _Lines:
        found = self._lines.setdefault((draws.key.tobytes(), draws.binding), {})
        if (qubit, kind) not in found:
            found[qubit, kind] = _spectral_lines(draws, 2 * qubit + kind, truth)
        return found[qubit, kind]


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    frequencies_hz: NDArray[np.float64]
    amplitudes: NDArray[np.complex128]
    """The noise is ``Re sum amplitude exp(-2 pi i f t)``."""

    def mean(self, begin_s: NDArray[np.float64], end_s: NDArray[np.float64]) -> NDArray[np.float64]:
        middle = np.exp(-1j * np.pi * np.outer(begin_s + end_s, self.frequencies_hz))
        width = np.sinc(np.outer(end_s - begin_s, self.frequencies_hz))
        return ((middle * width) @ self.amplitudes).real


def _spectral_lines(draws: Draws, block: int, truth: SlowTruth) -> _Lines:
    decades = np.log10(truth.highest / truth.lowest)
    n_bands = max(1, int(np.ceil(decades * _BANDS_PER_DECADE)))
    bands = Draws(draws.key, draws.binding, np.arange(n_bands, dtype=np.uint64))
    quadratures, place = bands.normals(2 * block, 2, _LINE_STREAM).T
    width = decades / n_bands
    # The angle of a complex Gaussian is uniform: it places the line within its band.
    within = np.angle(place) / (2 * np.pi) + 0.5
    frequencies_hz = truth.lowest * 10 ** (width * (np.arange(n_bands) + within))
    deviation = truth.one_over_f * np.sqrt(width * np.log(10))
    return _Lines(frequencies_hz, deviation * quadratures)


def _rounded(value: NDArray[np.float64], truth: SlowTruth) -> NDArray[np.float64]:
    """Return values on a grid, with the variance that rounding adds taken off again."""
    step = truth.deviation / _BINS_PER_DEVIATION
    if not step:
        return value
    return np.rint(value / step) * step / np.sqrt(1 + 1 / (12 * _BINS_PER_DEVIATION**2))


def turn(
    data: NDArray[np.complex128], angles: Sequence[float] | NDArray[np.float64], levels: int
) -> NDArray[np.complex128]:
    """Return a ket or density matrix whose qubits' levels n turned by ``exp(-i n angle)``."""
    phases = np.ones(1, dtype=np.complex128)
    for angle in angles:
        phases = np.multiply.outer(phases, np.exp(-1j * angle * np.arange(levels))).ravel()
    return phases * data if data.ndim == 1 else phases[:, None] * data * phases.conj()
