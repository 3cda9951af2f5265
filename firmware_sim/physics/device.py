"""The chip in angular units: transmons, couplings and their tuning curves, from the hidden truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qctrl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_sim.config import EdgeTruth, QubitTruth, Truth

_TURN = 2 * np.pi
LEVELS = 4
"""Levels of a transmon that the truth describes."""
_LEAST_COUPLER_GAP_HZ = 1e8


@dataclass(frozen=True, slots=True)
class Transmon:
    """One qubit; rates in 1/s, angular frequencies in rad/s."""

    name: str
    truth: QubitTruth
    anharmonicity_rad_s: float
    decay_per_s: tuple[float, ...]
    """Rate out of levels 0 to 3 to the next level below."""
    heating_per_s: tuple[float, ...]
    """Rate out of levels 0 to 3 to the next level above."""
    thermal: tuple[float, ...]
    """Populations of levels 0 to 3 in equilibrium, in which every shot starts."""
    dephasing_per_s: float
    """Coherences between levels m and n lose this rate times (m - n)^2, besides the decay."""

    def frequency_hz(self, level_fs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the 0-1 frequency at levels of the flux port, same shape."""
        flux = self.truth.flux
        if flux is None:
            return np.full(level_fs.shape, self.truth.frequency)

        def shape(x: NDArray[np.float64]) -> NDArray[np.float64]:
            angle = np.pi * (x - flux.offset_fs) / flux.period_fs
            return (np.cos(angle) ** 2 + flux.asymmetry**2 * np.sin(angle) ** 2) ** 0.25

        charging = -self.truth.anharmonicity
        top = (self.truth.frequency + charging) / shape(np.zeros(1))[0]
        return top * shape(level_fs) - charging

    def slope_hz(self, level_fs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the change of the 0-1 frequency per full scale of the flux port, at levels of it, same shape."""
        step = 1e-5
        return (self.frequency_hz(level_fs + step) - self.frequency_hz(level_fs - step)) / (2 * step)


@dataclass(frozen=True, slots=True)
class Coupling:
    """The exchange term ``g (a^dag b + h.c.)`` of two transmons."""

    qubits: tuple[int, int]
    """Ascending."""
    truth: EdgeTruth
    mean_frequency_hz: float

    def strength_rad_s(self, level_fs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return g at levels of the coupler's flux port, same shape."""
        coupler = self.truth.coupler
        if coupler is None:
            return np.full(level_fs.shape, _TURN * self.truth.g_idle)
        gap_hz = coupler_frequency_hz(self.truth, level_fs) - self.mean_frequency_hz
        rest_hz = coupler.frequency - self.mean_frequency_hz
        return _TURN * (self.truth.g_idle - coupler.g_qc**2 * (1 / gap_hz - 1 / rest_hz))


def coupler_frequency_hz(edge: EdgeTruth, level_fs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the coupler's own frequency at levels of its port; the edge must have a coupler."""
    if edge.coupler is None:
        raise ConfigError("the edge has no coupler; give it one to ask for its frequency")
    return edge.coupler.frequency * np.sqrt(np.abs(np.cos(np.pi * level_fs / edge.coupler.period_fs)))


@dataclass(frozen=True, slots=True, eq=False)
class Chip:
    """All transmons and couplings of a device; qubit indices follow the truth file."""

    truth: Truth
    qubits: tuple[Transmon, ...]
    couplings: tuple[Coupling, ...]
    hash: bytes
    """Content hash of the truth; part of every cache key."""

    @property
    def nbytes(self) -> int:
        """Size in memory, about."""
        return 1024 * (len(self.qubits) + len(self.couplings))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the qubits in index order."""
        return tuple(qubit.name for qubit in self.qubits)

    @property
    def tuned(self) -> frozenset[int]:
        """Qubits none of whose couplings is fixed, so that a drive turns one alone."""
        fixed = {q for coupling in self.couplings if coupling.truth.coupler is None for q in coupling.qubits}
        return frozenset(range(len(self.qubits))) - fixed

    def dressing_hz(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        """Return by how much given frequencies lie above the bare ones of some qubits together, shape ``(n_qubits,)``.

        Qubits that are not among them are left out of the physics, so they must not shift the others either. Shifts of
        several neighbours add up to fourth order in g over the gap.
        """
        shift = np.zeros(len(self.qubits))
        for coupling in self.couplings if self.truth.frequencies == "dressed" else ():
            first, second = coupling.qubits
            if first in qubits and second in qubits:
                gap_hz = self.qubits[first].truth.frequency - self.qubits[second].truth.frequency
                # Levels that repel each other by g stand sqrt(bare^2 + 4 g^2) apart.
                pushed_hz = (abs(gap_hz) - np.sqrt(gap_hz**2 - 4 * coupling.truth.g_idle**2)) / 2
                shift[[first, second]] += np.sign(gap_hz) * np.array([pushed_hz, -pushed_hz])
        return shift[list(qubits)]


def build_chip(truth: Truth) -> Chip:
    """Return the chip that ``truth`` describes.

    Raises:
        ConfigError: A coupler reaches its qubits within the port's range, where a direct g(x) no longer describes it.
    """
    qubits = tuple(_transmon(name, qubit) for name, qubit in truth.qubits.items())
    index = {name: position for position, name in enumerate(truth.qubits)}
    couplings: list[Coupling] = []
    for name, edge in truth.edges.items():
        first, second = sorted(index[end] for end in name.split("-"))
        frequencies = [qubits[first].truth.frequency, qubits[second].truth.frequency]
        if edge.coupler is not None:
            lowest_hz = float(coupler_frequency_hz(edge, np.ones(1))[0])
            if min(lowest_hz, edge.coupler.frequency) < max(frequencies) + _LEAST_COUPLER_GAP_HZ:
                raise ConfigError(
                    f"edge {name}: its coupler comes down to {lowest_hz:g} Hz within full scale, less than "
                    f"{_LEAST_COUPLER_GAP_HZ:g} Hz above its qubits; raise its frequency or period_fs"
                )
        couplings.append(Coupling((first, second), edge, sum(frequencies) / 2))
    couplings.sort(key=lambda coupling: coupling.qubits)
    return Chip(truth, qubits, tuple(couplings), truth.hash)


def _transmon(name: str, truth: QubitTruth) -> Transmon:
    # Relaxation towards equilibrium takes T1, so the rates down and up of a transition add to 1 / T1.
    times = (truth.t1, truth.t1_21 or truth.t1 / 2, truth.t1_32 or truth.t1 / 3)
    hot = truth.thermal_population
    decay = (0.0, *((1 - hot) / time for time in times))
    heating = (*(hot / time for time in times), 0.0)
    weights = (hot / (1 - hot)) ** np.arange(LEVELS)
    dephasing = max(1 / truth.t2_echo - (heating[0] + decay[1] + heating[1]) / 2, 0.0)
    thermal = tuple((weights / weights.sum()).tolist())
    return Transmon(name, truth, _TURN * truth.anharmonicity, decay, heating, thermal, dephasing)
