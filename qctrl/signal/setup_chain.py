"""The Setup's corrections, from the superposition of plays to the codes of the DAC.

Flux idle level, crosstalk, predistortion, mixer correction, IQ offset, range check, quantisation. The delay is left to
the board: the samples are those that leave at ``t + delay``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import ProtocolError
from qctrl.signal import _kernels
from qctrl.signal.line import OutputLine
from qctrl.units import TUNING_TURN, exact_fraction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from qctrl.protocol import Crosstalk, Setup

Samples: TypeAlias = NDArray[np.complex128] | NDArray[np.float64]


def lo_word(lo_hz: float, tick_s: Fraction) -> int:
    """Return an LO frequency modulo one turn per tick as a word of 2**-48 turn per tick, in ``[0, 2**48)``."""
    return round(exact_fraction(lo_hz) * tick_s % 1 * TUNING_TURN) % TUNING_TURN


@dataclass(frozen=True, slots=True, eq=False)
class Group:
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
    """Applies a Setup to the samples of consecutive blocks; the filters' state runs on until ``reset``.

    Args:
        setup: A verified Setup.

    Attributes:
        lines: Output line of each port; None for an acquire port.
        groups: Ports that crosstalk joins; every port is in at most one.

    Raises:
        ProtocolError: A crosstalk matrix mixes unequal ports, or a filter is unstable.
    """

    def __init__(self, setup: Setup) -> None:
        self.groups = tuple(_group(crosstalk, setup) for crosstalk in setup.crosstalk)
        members = [index for group in self.groups for index in group.members]
        if len(set(members)) != len(members):
            raise ProtocolError(f"setup of {setup.device}: a port appears twice in the crosstalk matrices")
        levels = _idle_levels(setup, self.groups)
        self.lines = tuple(
            None if port.kind == "acquire" else OutputLine(port, setup.tick_s, level)
            for port, level in zip(setup.ports, levels, strict=True)
        )

    def reset(self) -> None:
        """Settle every filter at idle, as at the start of a shot."""
        for line in self.lines:
            if line is not None:
                line.settle()

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
        for group in self.groups:
            mixed = group.mix([x[index] for index in group.members], start_ticks)
            for row, index in enumerate(group.members):
                x[index] = mixed[row]
        return [
            samples if line is None else line.apply(samples, start_ticks)
            for line, samples in zip(self.lines, x, strict=True)
        ]

    def state(self) -> list[NDArray[Any]]:
        """Return a copy of all filter states, for ``restore``."""
        return [
            array.copy() for line in self.lines if line is not None for array in (line.state.sections, line.state.tail)
        ]

    def restore(self, state: Sequence[NDArray[Any]]) -> None:
        """Put back what ``state`` returned."""
        saved = iter(state)
        for line in self.lines:
            if line is not None:
                line.load(next(saved), next(saved))


def _idle_levels(setup: Setup, groups: Sequence[Group]) -> list[float]:
    """Return what reaches the filters of each port in silence."""
    levels = [port.idle for port in setup.ports]
    for group in groups:
        if group.matrix.dtype == np.float64:
            mixed = group.matrix @ np.array([levels[index] for index in group.members])
            for index, level in zip(group.members, mixed, strict=True):
                levels[index] = float(level)
    return levels


def _group(crosstalk: Crosstalk, setup: Setup) -> Group:
    members = tuple(setup.port_index(name) for name in crosstalk.ports)
    ports = [setup.ports[index] for index in members]
    names = ", ".join(crosstalk.ports)
    if len({(port.kind, port.sample_ticks) for port in ports}) != 1 or ports[0].kind == "acquire":
        raise ProtocolError(f"crosstalk of {names}: the ports must be outputs of equal kind and sample rate")
    matrix = np.array(crosstalk.real, dtype=np.float64)
    imaginary = np.array(crosstalk.imag, dtype=np.float64)
    if ports[0].kind == "flux" and imaginary.any():
        raise ProtocolError(f"crosstalk of {names}: flux ports are real, the imaginary part must be 0")
    return Group(
        members=members,
        matrix=matrix if ports[0].kind == "flux" else matrix + 1j * imaginary,
        lo_words=np.array([lo_word(port.lo_hz, setup.tick_s) for port in ports], dtype=np.int64),
        sample_ticks=ports[0].sample_ticks,
    )
