"""Multiplexed dispersive readout in reflection: tables per waveform, then a few look-ups per shot.

    d alpha / dt = -(kappa / 2 - i (w_s - w_lo)) alpha + sqrt(kappa) b,      out = sum_j sqrt(kappa_j) alpha_j - b

with ``b`` the *whole* line as sent (sqrt(photons/s), in the frame of the readout LO), so tones of neighbours are
included; scattering from one resonator into another is not. ``|alpha|^2`` is the photon number. The ADC sees
``adc_scale * out`` plus white noise of variance ``adc_scale^2 / (2 efficiency dt)`` per sample and quadrature. Fields
at the start of the block are those that earlier ones left, see ``photons``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from firmware_sim.physics import _kernels
from firmware_sim.physics.cache import OperatorCache, content_key
from qctrl.errors import ConfigError, ResourceError
from qctrl.signal import carrier, demodulation_weights, start_word
from qctrl.units import to_ticks, tuning_word_to_hz

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_sim.config import FeedlineTruth, ResonatorTruth
    from firmware_sim.physics.device import Chip
    from qctrl.protocol import Setup

Hazards: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.float64]]"

_TURN = 2 * np.pi
_NEGLIGIBLE = 1e-4
_FARTHEST_LINEWIDTHS = 20
"""Linewidths between a capture and its resonator at which a scan still sees the line's edge, and nothing farther."""


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """One capture of a block, ready to be integrated."""

    port: int
    """Index of the acquire port in the Setup."""
    first_tick: int
    """From the start of the shot."""
    length_ticks: int
    ftw: int
    phase_word: int
    weights: NDArray[np.complex128] | None
    coef: NDArray[np.float64]
    """Discriminator, shape ``(3, 3)``."""
    n_classes: int
    clbit: int
    index: int
    """Column of the integrated value in the results."""


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Responses of the resonators of one feedline to one waveform in one window, for n captures."""

    qubits: tuple[int, ...]
    """Measured qubit of each capture."""
    n_samples: int
    sums: NDArray[np.complex128]
    """Weighted sum up to each sample by (capture, resonator, level), shape ``(n, n, levels, n_samples + 1)``."""
    fields: NDArray[np.complex128]
    """alpha by (resonator, level), shape ``(n, levels, n_samples + 1)``."""
    tails: NDArray[np.complex128]
    """What a unit field still adds, shape like ``sums``."""
    poles: NDArray[np.complex128]
    """Pole times sample length by (resonator, level)."""
    relevant: NDArray[np.bool_]
    """Whether a capture (row) sees the level of a qubit (column)."""
    offset: NDArray[np.complex128]
    """What does not depend on the qubits, shape ``(n,)``."""
    mixing: NDArray[np.complex128]
    """Turns unit normals of both quadratures into the correlated noise of the captures, shape ``(n, n)``."""
    coefficients: NDArray[np.complex128]
    """What each capture multiplies the ADC samples with, shape ``(n, n_samples)``."""
    scales: NDArray[np.complex128]
    """ADC value of a unit field of each resonator, shape ``(n,)``."""
    background: NDArray[np.complex128]
    """ADC samples apart from the measured resonators, shape ``(n_samples,)``."""
    noise_deviation: float
    """Of one ADC sample and quadrature."""
    adc_bits: int | None
    """None for a converter without steps or limits."""
    step_s: float
    """Length of an ADC sample."""
    key: bytes
    """Content that all this was made of."""


class Readout:
    """The feedlines of a chip as a Setup wires them."""

    def __init__(self, chip: Chip, setup: Setup, cache: OperatorCache, levels: int = 3) -> None:
        self._levels = levels
        self._nearest: dict[tuple[int, int], int] = {}
        self._chip = chip
        self._setup = setup
        self.cache = cache
        """Memory of what was made of windows."""

    def qubit_of(self, capture: Capture) -> int:
        """Return the chip index of the qubit whose resonator is nearest to the demodulation frequency.

        Raises:
            ConfigError: No feedline ends at the port, or it has no resonator near that frequency.
        """
        return self.nearest_qubit(capture.port, capture.ftw)

    def nearest_qubit(self, port: int, ftw: int) -> int:
        """Return the chip index of the qubit whose resonator is nearest to a frame's frequency; see ``qubit_of``."""
        found = self._nearest.get((port, ftw))
        if found is None:
            feedline, _ = self._feedline(port)
            wanted = self._setup.ports[port].lo_hz + tuning_word_to_hz(ftw, self._setup.tick_s)
            known = {q: r.frequency for q, r in self._chip.truth.resonators.items() if r.feedline == feedline}
            if not known:
                raise ConfigError(f"feedline {feedline} has no resonator to read; give one of its qubits a resonator")
            name = min(known, key=lambda q: abs(known[q] - wanted))
            far_hz = _FARTHEST_LINEWIDTHS * self._chip.truth.resonators[name].kappa
            if abs(known[name] - wanted) > far_hz:
                raise ConfigError(
                    f"port {self._setup.ports[port].name}: a capture at {wanted:.6g} Hz has no resonator; the nearest, "
                    f"of {name}, stands at {known[name]:.6g} Hz, and captures may be {far_hz:.3g} Hz off; move the "
                    f"frame's frequency, or give the qubit a resonator on {feedline}"
                )
            found = self._nearest[port, ftw] = self._chip.names.index(name)
        return found

    def groups(self, captures: Sequence[Capture]) -> list[tuple[Capture, ...]]:
        """Return captures of the same port and window together.

        Raises:
            ResourceError: Two captures of one window measure the same qubit.
        """
        found: dict[tuple[int, int, int], list[Capture]] = {}
        for capture in captures:
            found.setdefault((capture.port, capture.first_tick, capture.length_ticks), []).append(capture)
        for group in found.values():
            qubits = [self.qubit_of(capture) for capture in group]
            if len(set(qubits)) < len(qubits):
                name = self._chip.names[max(qubits, key=qubits.count)]
                raise ResourceError(f"two captures of one window are nearest to the resonator of {name}; keep one")
        return [tuple(group) for group in found.values()]

    def tables(
        self,
        group: tuple[Capture, ...],
        lines: Sequence[NDArray[Any]],
        start_ticks: int,
        fields: NDArray[np.complex128] | None = None,
    ) -> Tables:
        """Return the tables of captures with a common window.

        Args:
            group: The captures.
            lines: DAC outputs of all ports over the block.
            start_ticks: First tick of the block.
            fields: Of each qubit's resonator by level at the start of the block, shape ``(n_qubits, levels)``; empty
                unless given.
        """
        first = group[0]
        feedline, truth = self._feedline(first.port)
        port = self._setup.ports[self._setup.port_index(truth.readout_port)]
        step = self._setup.ports[first.port].sample_ticks
        if port.sample_ticks != step:
            raise ConfigError(f"ports {port.name} and {truth.acquire_port} differ in sample rate; make them equal")
        delay = to_ticks(truth.delay, self._setup.tick_s, what=f"delay of feedline {feedline}") + port.delay_ticks
        delay -= self._setup.ports[first.port].delay_ticks
        begin = (first.first_tick - start_ticks - delay) // step
        n_samples = first.length_ticks // step
        sent = _window(lines[self._setup.port_index(truth.readout_port)], begin + n_samples)
        qubits = tuple(self.qubit_of(capture) for capture in group)
        start = np.zeros((len(self._chip.names), self._levels), np.complex128) if fields is None else fields
        weighings = [part for capture in group for part in self._weighing(capture, port.lo_hz)]
        key = content_key(
            "readout", self._chip.hash, self._levels, feedline, qubits, begin, n_samples, sent, start, port.lo_hz,
            first.port, *weighings,
        )  # fmt: skip

        def build() -> tuple[NDArray[Any], ...]:
            weights = [self._coefficients(capture, n_samples, port.lo_hz) for capture in group]
            coefficients = np.array(weights).reshape(len(group), n_samples)
            return self._build(feedline, qubits, (sent, begin, coefficients, start), port.lo_hz)

        arrays = self.cache.get(key, build)
        step_s = self._step_s(first.port)
        deviation = float(truth.adc_scale / np.sqrt(2 * truth.efficiency * step_s))
        return Tables(
            qubits, n_samples, *arrays, noise_deviation=deviation, adc_bits=truth.adc_bits, step_s=step_s, key=key
        )

    def hazards(self, tables: Tables) -> Hazards:
        """Return the expected jumps of each qubit out of each level up to each sample, and their share upwards.

        A qubit's T1 falls with the photons that its resonator holds in that level, if the truth has a curve.
        """
        return self.cache.get(("hazards", tables.key, tables.step_s), lambda: self._hazards(tables))

    def _hazards(self, tables: Tables) -> Hazards:
        per_level, shares = [], []
        for j, q in enumerate(tables.qubits):
            qubit = self._chip.qubits[q]
            resonator = self._chip.truth.resonators[qubit.name]
            up = np.array((*qubit.heating_per_s[: self._levels - 1], 0.0))
            rates = np.array(qubit.decay_per_s[: self._levels]) + up
            hurry = 1 / t1_factor(resonator, np.abs(tables.fields[j, :, :-1]) ** 2)
            expected = np.cumsum(rates[:, None] * tables.step_s * hurry, axis=1)
            per_level.append(np.concatenate([np.zeros((self._levels, 1)), expected], axis=1))
            shares.append(np.divide(up, rates, out=np.zeros_like(up), where=rates > 0))
        return np.array(per_level), np.array(shares)

    def _build(
        self,
        feedline: str,
        qubits: tuple[int, ...],
        waves: tuple[NDArray[Any], int, NDArray[Any], NDArray[Any]],
        lo_hz: float,
    ) -> tuple[NDArray[Any], ...]:
        sent, begin, coefficients, start = waves
        truth = self._chip.truth.feedlines[feedline]
        step_s = self._step_s(self._setup.port_index(truth.readout_port))
        n, n_samples = coefficients.shape
        output = truth.adc_scale * np.exp(1j * truth.phase)
        drive = truth.input_scale * sent
        background = -output * _tail(drive, begin, n_samples)
        sums = np.zeros((n, n, self._levels, n_samples + 1), dtype=np.complex128)
        tails = np.zeros_like(sums)
        fields = np.zeros((n, self._levels, n_samples + 1), dtype=np.complex128)
        poles = np.zeros((n, self._levels), dtype=np.complex128)
        scales = np.zeros(n, dtype=np.complex128)
        for name, resonator in self._chip.truth.resonators.items():
            if resonator.feedline != feedline:
                continue
            kappa = _TURN * resonator.kappa
            shifts = np.array(resonator.shifts[: self._levels])
            pole = kappa / 2 - 1j * _TURN * (resonator.frequency + shifts - lo_hz)
            qubit = self._chip.names.index(name)
            if qubit not in qubits:
                response = _cavity(drive, kappa, complex(pole[0]), step_s, start[qubit, 0])
                background = background + output * np.sqrt(kappa) * _tail(response, begin, n_samples)
                continue
            j = qubits.index(qubit)
            poles[j], scales[j] = pole * step_s, output * np.sqrt(kappa)
            for s in range(self._levels):
                field = _cavity(drive, kappa, complex(pole[s]), step_s, start[qubit, s])
                fields[j, s] = _tail(field, begin, n_samples + 1)
                scaled = coefficients * scales[j]
                sums[:, j, s, 1:] = np.cumsum(scaled * fields[j, s, :-1], axis=1)
                for q in range(n):
                    _kernels.ringdown(scaled[q], complex(np.exp(-poles[j, s])), tails[q, j, s])
        relevant = _relevant(sums)
        offset = coefficients @ background + np.where(relevant, 0.0, sums[:, :, 0, -1]).sum(axis=1)
        variance = truth.adc_scale**2 / (2 * truth.efficiency * step_s)
        mixing = np.linalg.cholesky(positive(coefficients @ coefficients.conj().T)) * np.sqrt(variance)
        return sums, fields, tails, poles, relevant, offset, mixing, coefficients, scales, background

    def _weighing(self, capture: Capture, sent_lo_hz: float) -> tuple[int | NDArray[Any], ...]:
        """Return what the coefficients of a capture depend on, without working them out."""
        place = capture.first_tick if self._setup.ports[capture.port].lo_hz != sent_lo_hz else 0
        weights = () if capture.weights is None else (capture.weights,)
        return (place, capture.ftw, start_word(capture.ftw, capture.phase_word, capture.first_tick), *weights)

    def _coefficients(self, capture: Capture, n_samples: int, sent_lo_hz: float) -> NDArray[np.complex128]:
        step = self._setup.ports[capture.port].sample_ticks
        reference = carrier(capture.ftw, capture.phase_word, capture.first_tick, step, n_samples)
        difference_hz = sent_lo_hz - self._setup.ports[capture.port].lo_hz
        times_s = (capture.first_tick + step * np.arange(n_samples)) * float(self._setup.tick_s)
        beat = np.exp(1j * _TURN * difference_hz * times_s) if difference_hz else 1.0
        return demodulation_weights(reference, capture.weights) * beat

    def _feedline(self, port: int) -> tuple[str, FeedlineTruth]:
        name = self._setup.ports[port].name
        for feedline, truth in self._chip.truth.feedlines.items():
            if truth.acquire_port == name:
                return feedline, truth
        raise ConfigError(f"port {name} is not the acquire_port of any feedline of the truth; correct the wiring")

    def _step_s(self, port: int) -> float:
        return float(self._setup.tick_s) * self._setup.ports[port].sample_ticks


def t1_factor(resonator: ResonatorTruth, photons: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return T1 over the dark T1 at numbers of photons, same shape."""
    points = resonator.t1_with_photons
    known = [0.0, *(point.photons for point in points)], [1.0, *(point.factor for point in points)]
    return np.interp(photons, *known)


def _relevant(sums: NDArray[np.complex128]) -> NDArray[np.bool_]:
    change = np.abs(sums - sums[:, :, :1]).max(axis=(2, 3))
    return (change > _NEGLIGIBLE * np.diagonal(change)[:, None]) | np.eye(len(sums), dtype=bool)


def positive(gram: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Keep a Gram matrix invertible where captures have equal or zero weights."""
    return gram + np.eye(len(gram)) * (1e-12 * float(np.real(np.trace(gram))) + 1e-300)


def _cavity(drive: NDArray[Any], kappa: float, pole: complex, step_s: float, start: complex) -> NDArray[np.complex128]:
    field = np.full(len(drive) + 1, start, dtype=np.complex128)
    decay = complex(np.exp(-pole * step_s))
    _kernels.cavity(drive, decay, complex((1 - decay) * np.sqrt(kappa) / pole), field)
    return field


def _window(line: NDArray[np.complex128], end: int) -> NDArray[np.complex128]:
    """Return a line up to sample ``end``, with silence after its own end."""
    end = max(end, 0)
    if end <= len(line):
        return np.ascontiguousarray(line[:end])
    return np.concatenate([line, np.zeros(end - len(line), dtype=np.complex128)])


def _tail(samples: NDArray[Any], begin: int, n_samples: int) -> NDArray[np.complex128]:
    """Return ``n_samples`` from ``begin``, with silence before the first sample."""
    lead = min(max(-begin, 0), n_samples)
    return np.concatenate([np.zeros(lead, dtype=np.complex128), samples[max(begin, 0) : max(begin + n_samples, 0)]])
