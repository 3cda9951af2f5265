"""From the codes of the DACs to what reaches the chip: converters, mixers, cables, filters, crosstalk.

These are the imperfections that a Setup is meant to undo, in the reverse order of its corrections. Only ports that the
truth gives an imperfection are touched. Filters start a shot settled at the port's idle level and run on from block to
block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_sim.line_truth import LineTruth, WireTruth
from firmware_sim.physics import _kernels
from qctrl.errors import ConfigError
from qctrl.signal import SetupChain
from qctrl.units import to_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_sim.config import Truth
    from qctrl.protocol import Port, Setup

_SETTLED = 1e-9
"""A memory this close to its idle level, in full scales, is idle: paths of a program may then meet again."""
_OUTPUTS = ("iq_drive", "flux")


class Wires:
    """The wires of one device behind one Setup, with the memory of their filters."""

    def __init__(self, truth: Truth, setup: Setup) -> None:
        """Match the ports of the truth with those of the Setup.

        Args:
            truth: The hidden device.
            setup: Ports, LOs and clocks; wires and leaks of ports that it lacks do nothing.

        Raises:
            ConfigError: A delay is no whole number of samples, or crosstalk joins ports of unequal rates.
        """
        self._setup = setup
        earliest = min((_delay_s(truth, setup, port) for port in setup.ports if port.kind in _OUTPUTS), default=0.0)
        self._wires = [_wire(truth, setup, port, earliest) for port in setup.ports]
        self._leaks = _leaks(truth, setup)
        self.ideal = not any(self._wires) and not self._leaks
        """Whether the chip gets just what the DACs put out."""
        codes = _levels_at_rest(setup)
        for wire, level in zip(self._wires, codes, strict=True):
            if wire is not None:
                wire.settle(level)
        self.rest = [complex(x[-1]) if len(x) else 0j for x in self.apply(_constant(setup, codes), 0)]
        """What each line holds at the chip while nothing plays."""
        self.restore(self.settled())

    def settled(self) -> list[NDArray[Any]]:
        """Return the memories at the start of a shot, for ``restore``."""
        return [array for wire in self._wires if wire is not None for array in wire.settled]

    def apply(self, lines: Sequence[NDArray[Any]], start_ticks: int) -> Sequence[NDArray[Any]]:
        """Return what reaches the chip during a block, port by port at each port's rate.

        Args:
            lines: DAC outputs of all ports over the block.
            start_ticks: First tick of the block, from the start of the shot.
        """
        if self.ideal:
            return lines
        felt = [x if wire is None else wire.apply(x) for wire, x in zip(self._wires, lines, strict=True)]
        mixed = list(felt)
        for target, source, leak in self._leaks:
            if len(felt[source]):
                mixed[target] = mixed[target] + leak.factor * leak.beat(len(felt[source]), start_ticks) * felt[source]
        return mixed

    def state(self) -> list[NDArray[Any]]:
        """Return a copy of all memories, for ``restore``."""
        return [array for wire in self._wires if wire is not None for array in wire.state()]

    def restore(self, state: Sequence[NDArray[Any]]) -> None:
        """Put back what ``state`` returned."""
        saved = iter(state)
        for wire in self._wires:
            if wire is not None:
                wire.memory, wire.tail = next(saved).copy(), next(saved).copy()


@dataclass(slots=True, eq=False)
class _Wire:
    """One port's converter, mixer and filters; complex throughout, real ports drop the zero imaginary part."""

    line: LineTruth | None
    truth: WireTruth
    real: bool
    decays: NDArray[np.float64]
    """``exp(-sample / tau)`` of each exponential."""
    memory: NDArray[np.complex128]
    """Low-pass of each exponential, one sample late."""
    tail: NDArray[np.complex128]
    """Last samples before FIR and delay."""
    settled: tuple[NDArray[np.complex128], NDArray[np.complex128]]

    def settle(self, level: complex) -> None:
        held = complex(self._convert(np.array([level], dtype=np.complex128))[0]) * self.truth.gain
        self.settled = (np.full_like(self.memory, held), np.full_like(self.tail, held))
        self.memory, self.tail = self.settled[0].copy(), self.settled[1].copy()

    def apply(self, samples: NDArray[Any]) -> NDArray[Any]:
        x = self._convert(np.asarray(samples, dtype=np.complex128)) * self.truth.gain
        for number, section in enumerate(self.truth.exponentials):
            x = self._exponential(x, number, section.amplitude)
        extended = np.concatenate([self.tail, x])
        y = np.convolve(extended, self.truth.fir, "valid") if self.truth.fir else extended
        self.tail = extended[len(x) :]
        found = y[: len(x)]
        return np.ascontiguousarray(found.real) if self.real else found

    def state(self) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        near = np.abs(self.memory - self.settled[0]) < _SETTLED
        return np.where(near, self.settled[0], self.memory), self.tail.copy()

    def _convert(self, x: NDArray[np.complex128]) -> NDArray[np.complex128]:
        if self.truth.bits is not None:
            top = 2 ** (self.truth.bits - 1) - 1
            x = (np.rint(x.real * top) + 1j * np.rint(x.imag * top)) / top
        return x if self.line is None else mix(self.line, x)

    def _exponential(self, x: NDArray[np.complex128], number: int, amplitude: float) -> NDArray[np.complex128]:
        decay = float(self.decays[number])
        slow = np.zeros(len(x) + 1, dtype=np.complex128)
        _kernels.cavity(x, complex(decay), complex(1 - decay), slow)
        slow += self.memory[number] * decay ** np.arange(len(slow))
        self.memory[number] = slow[-1]
        return x + amplitude * (x - slow[:-1])


@dataclass(frozen=True, slots=True)
class _Leak:
    factor: complex
    beat_hz: float
    """Physical LO of the source minus that of the target."""
    sample_s: float
    tick_s: float

    def beat(self, n_samples: int, start_ticks: int) -> NDArray[Any] | float:
        """Return the turn of the source in the target's frame, averaged over each held sample."""
        if not self.beat_hz:
            return 1.0
        times_s = start_ticks * self.tick_s + (np.arange(n_samples) + 0.5) * self.sample_s
        return np.sinc(self.beat_hz * self.sample_s) * np.exp(2j * np.pi * self.beat_hz * times_s)


def mix(line: LineTruth, samples: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return what an IQ mixer makes of its inputs: ``I + oi + i [(1 + g) (Q cos p + I sin p) + oq]``."""
    if not any((line.gain_imbalance, line.phase_imbalance, line.offset_i, line.offset_q)):
        return samples
    in_phase = samples.real + line.offset_i
    tilted = np.cos(line.phase_imbalance) * samples.imag + np.sin(line.phase_imbalance) * samples.real
    return in_phase + 1j * ((1 + line.gain_imbalance) * tilted + line.offset_q)


def _wire(truth: Truth, setup: Setup, port: Port, earliest_s: float) -> _Wire | None:
    line = truth.lines.get(port.name) if port.kind == "iq_drive" else None
    wire = truth.wires.get(port.name, WireTruth())
    late_s = _delay_s(truth, setup, port) - earliest_s if port.kind in _OUTPUTS else 0.0
    flawed = line is not None and any((line.gain_imbalance, line.phase_imbalance, line.offset_i, line.offset_q))
    if wire == WireTruth() and not flawed and late_s < _SETTLED * float(setup.tick_s):
        return None
    late = to_ticks(late_s, setup.tick_s, what=f"delay of port {port.name} behind the earliest")
    delay_samples, rest = divmod(late, port.sample_ticks)
    if rest:
        raise ConfigError(f"port {port.name} lags the earliest by {late} ticks; make it whole samples")
    sample_s = port.sample_ticks * float(setup.tick_s)
    decays = np.array([np.exp(-sample_s / section.tau) for section in wire.exponentials])
    memory = np.zeros(len(decays), dtype=np.complex128)
    tail = np.zeros(delay_samples + max(len(wire.fir) - 1, 0), dtype=np.complex128)
    return _Wire(line, wire, port.kind == "flux", decays, memory, tail, (memory, tail))


def _delay_s(truth: Truth, setup: Setup, port: Port) -> float:
    wire = truth.wires.get(port.name)
    return port.delay_ticks * float(setup.tick_s) + (0.0 if wire is None else wire.delay)


def _leaks(truth: Truth, setup: Setup) -> list[tuple[int, int, _Leak]]:
    """Return (target, source, leak) of all pairs of ports that the Setup has."""
    index = {port.name: number for number, port in enumerate(setup.ports)}
    found: list[tuple[int, int, _Leak]] = []
    pairs = [
        (target, source, leak.amplitude * np.exp(1j * leak.phase))
        for target, sources in truth.crosstalk.drive.items()
        for source, leak in sources.items()
    ]
    pairs += [(t, s, factor) for t, sources in truth.crosstalk.flux.items() for s, factor in sources.items()]
    for target, source, factor in pairs:
        if target not in index or source not in index or factor == 0:
            continue
        to, of = setup.ports[index[target]], setup.ports[index[source]]
        if to.sample_ticks != of.sample_ticks:
            raise ConfigError(f"crosstalk of {source} into {target}: their sample rates differ; make them equal")
        beat_hz = 0.0
        if to.kind == "iq_drive":
            beat_hz = of.lo_hz + truth.lines[source].lo_error - to.lo_hz - truth.lines[target].lo_error
        sample_s, tick_s = of.sample_ticks * float(setup.tick_s), float(setup.tick_s)
        whole = factor if to.kind == "iq_drive" else float(np.real(factor))
        found.append((index[target], index[source], _Leak(whole, beat_hz, sample_s, tick_s)))
    return found


def _levels_at_rest(setup: Setup) -> list[complex]:
    """Return what the DAC of each port holds while nothing plays: idle levels, mixed by the crosstalk correction."""
    silence = _constant(setup, [0j] * len(setup.ports))
    return [complex(samples[-1]) if len(samples) else 0j for samples in SetupChain(setup).apply(silence, 0)]


def _constant(setup: Setup, levels: Sequence[complex]) -> list[NDArray[Any]]:
    n_ticks = setup.block_granularity_ticks
    return [
        np.full(
            0 if port.kind == "acquire" else n_ticks // port.sample_ticks,
            level.real if port.kind == "flux" else level,
            dtype=np.float64 if port.kind == "flux" else np.complex128,
        )
        for port, level in zip(setup.ports, levels, strict=True)
    ]
