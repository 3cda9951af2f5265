"""The Setup's corrections, from the superposition of plays to the codes of the DAC, in the fixed order.

Flux idle level, crosstalk, predistortion, mixer correction, IQ offset, range check, quantisation. The delay is left to
the board: the samples are those that leave at ``t + delay``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import ProtocolError, ResourceError
from qctrl.signal import _kernels
from qctrl.units import TUNING_TURN, exact_fraction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from qctrl.protocol import Crosstalk, Port, Setup

Samples: TypeAlias = NDArray[np.complex128] | NDArray[np.float64]


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


def lo_word(lo_hz: float, tick_s: Fraction) -> int:
    """Return an LO frequency modulo one turn per tick as a word of 2**-48 turn per tick, in ``[0, 2**48)``."""
    return round(exact_fraction(lo_hz) * tick_s % 1 * TUNING_TURN) % TUNING_TURN


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """What is fixed about one output port, and the state of its filters."""

    port: Port
    sections: NDArray[np.float64]
    taps: NDArray[np.float64]
    correction: NDArray[np.float64]
    scale: float
    section_state: NDArray[Any]
    tap_history: NDArray[Any]

    def settle(self, level: complex) -> None:
        """Put the filters into the state of an input that has always been ``level``."""
        value = level if self.section_state.dtype == np.complex128 else level.real
        self.section_state[:] = value
        self.tap_history[:] = value

    def apply(self, x: NDArray[Any], start_ticks: int) -> Samples:
        """Return the codes of the DAC, as fractions of full scale; may overwrite ``x``."""
        if len(self.sections):
            _kernels.predistort_iir(self.sections, self.section_state, x)
        if len(self.taps):
            extended = np.concatenate((self.tap_history, x))
            self.tap_history[:] = extended[len(x) :]
            x = np.zeros_like(x)
            _kernels.predistort_fir(self.taps, extended, x)
        if self.port.kind == "flux":
            bad = _kernels.finish_real(self.port.max_amplitude, self.scale, x)
        else:
            bad = _kernels.finish_iq(self.correction, self.port.max_amplitude, self.scale, x)
        if bad >= 0:
            self._refuse(x[bad], start_ticks + bad * self.port.sample_ticks)
        return x

    def _refuse(self, value: complex, tick: int) -> None:
        shown = f"{value:.6g}" if self.port.kind == "flux" else f"I = {value.real:.6g}, Q = {value.imag:.6g}"
        raise ResourceError(
            f"port {self.port.name}, tick {tick}: {shown} of full scale after all corrections, the limit is "
            f"{self.port.max_amplitude:g}; lower the amplitudes of the plays that overlap there"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Ports that a crosstalk matrix mixes."""

    members: tuple[int, ...]
    matrix: NDArray[Any]
    """Real for flux ports, complex for IQ ports."""
    lo_words: NDArray[np.int64]
    sample_ticks: int

    def mix(self, x: Sequence[NDArray[Any]], start_ticks: int) -> NDArray[Any]:
        """Return the corrected samples, shape ``(n_members, n_samples)``."""
        stacked = np.stack(x)
        out = np.zeros_like(stacked)
        if self.matrix.dtype == np.float64:
            _kernels.mix_real(self.matrix, stacked, out)
        else:
            _kernels.mix_iq(self.matrix, self.lo_words, start_ticks, self.sample_ticks, stacked, out)
        return out


class SetupChain:
    """Applies a Setup to the samples of consecutive blocks; the filters' state runs on until ``reset``."""

    def __init__(self, setup: Setup) -> None:
        """Prepare the corrections of every port, settled at idle.

        Args:
            setup: A verified Setup.

        Raises:
            ProtocolError: A crosstalk matrix mixes unequal ports, or a filter is unstable.
        """
        self._lines = [_line(port, setup.tick_s) for port in setup.ports]
        self._groups = [_group(crosstalk, setup) for crosstalk in setup.crosstalk]
        members = [index for group in self._groups for index in group.members]
        if len(set(members)) != len(members):
            raise ProtocolError(f"setup of {setup.device}: a port appears twice in the crosstalk matrices")
        self.reset()

    def reset(self) -> None:
        """Settle every filter at idle, as at the start of a shot."""
        levels = [complex(line.port.idle) for line in self._lines]
        for group in self._groups:
            if group.matrix.dtype == np.float64:
                idle = np.array([levels[index].real for index in group.members])
                for index, level in zip(group.members, group.matrix @ idle, strict=True):
                    levels[index] = complex(level)
        for line, level in zip(self._lines, levels, strict=True):
            line.settle(level)

    def apply(self, baseband: Sequence[NDArray[Any]], start_ticks: int) -> list[Samples]:
        """Return what the DACs get for one block, per port: complex for IQ ports, real for flux.

        Args:
            baseband: Superposition of plays per port, complex for IQ ports, real for flux, empty for acquire ports;
                may be overwritten.
            start_ticks: First tick of the block, from the start of the shot.

        Raises:
            ResourceError: A sample is out of range or not a number; only ``reset`` may follow.
        """
        x = list(baseband)
        for index, line in enumerate(self._lines):
            if line.port.idle != 0:
                x[index] = x[index] + line.port.idle
        for group in self._groups:
            mixed = group.mix([x[index] for index in group.members], start_ticks)
            for row, index in enumerate(group.members):
                x[index] = mixed[row]
        return [
            samples if line.port.kind == "acquire" else line.apply(samples, start_ticks)
            for line, samples in zip(self._lines, x, strict=True)
        ]

    def state(self) -> list[NDArray[Any]]:
        """Return a copy of all filter states, for ``restore``."""
        return [array.copy() for line in self._lines for array in (line.section_state, line.tap_history)]

    def restore(self, state: Sequence[NDArray[Any]]) -> None:
        """Put back what ``state`` returned."""
        own = [array for line in self._lines for array in (line.section_state, line.tap_history)]
        for array, saved in zip(own, state, strict=True):
            array[:] = saved


def _line(port: Port, tick_s: Fraction) -> _Line:
    dtype = np.float64 if port.kind == "flux" else np.complex128
    sample_s = float(port.sample_ticks * tick_s)
    sections = [predistortion_section(amplitude, tau_s, sample_s) for amplitude, tau_s in port.iir]
    return _Line(
        port=port,
        sections=np.array(sections, dtype=np.float64).reshape(-1, _kernels.SECTION_COLUMNS),
        taps=np.array(port.fir, dtype=np.float64),
        correction=np.array([*port.mixer.matrix, port.mixer.offset_i, port.mixer.offset_q], dtype=np.float64),
        scale=float(2 ** (port.dac_bits - 1) - 1),
        section_state=np.zeros(len(sections), dtype=dtype),
        tap_history=np.zeros(max(len(port.fir) - 1, 0), dtype=dtype),
    )


def _group(crosstalk: Crosstalk, setup: Setup) -> _Group:
    members = tuple(setup.port_index(name) for name in crosstalk.ports)
    ports = [setup.ports[index] for index in members]
    names = ", ".join(crosstalk.ports)
    if len({(port.kind, port.sample_ticks) for port in ports}) != 1 or ports[0].kind == "acquire":
        raise ProtocolError(f"crosstalk of {names}: the ports must be outputs of equal kind and sample rate")
    matrix = np.array(crosstalk.real, dtype=np.float64)
    imaginary = np.array(crosstalk.imag, dtype=np.float64)
    if ports[0].kind == "flux" and imaginary.any():
        raise ProtocolError(f"crosstalk of {names}: flux ports are real, the imaginary part must be 0")
    return _Group(
        members=members,
        matrix=matrix if ports[0].kind == "flux" else matrix + 1j * imaginary,
        lo_words=np.array([lo_word(port.lo_hz, setup.tick_s) for port in ports], dtype=np.int64),
        sample_ticks=ports[0].sample_ticks,
    )
