"""The rack's side of a program: ports, tuning words and sampled envelopes, made once and remembered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from msgspec import UNSET

from qctrl.compiler.envelope_table import EnvelopeTable, envelope_table
from qctrl.compiler.identity_cache import IdentityCache
from qctrl.errors import CompileError, ResourceError
from qctrl.protocol import DISCRIMINATOR, FRAME, ROW, RowKind
from qctrl.units import exact_fraction, tuning_word

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from qctrl.ir.pulse_program import PulseProgram, Voices
    from qctrl.protocol import Crosstalk, Port, Setup

_Group: TypeAlias = "tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]"
"""Ports, magnitudes of their crosstalk matrix, and how far its terms turn from sample to sample."""


@dataclass(frozen=True, slots=True, eq=False)
class Rack:
    """What the compiler asks of a setup, as arrays; ports are numbered as in the setup."""

    setup: Setup
    setup_hash: bytes
    tick_s: Fraction
    block_grid_ticks: int
    port_index: dict[str, int]
    sample_ticks: NDArray[np.int64]
    grid_ticks: NDArray[np.int64]
    limits: NDArray[np.float64]
    """Per port: factor and offset that take a peak to |I|, factor and offset to |Q|, and the largest allowed."""
    unmixed: NDArray[np.float64]
    """The same for what comes out of the crosstalk correction, instead of the port's own plays."""
    groups: tuple[_Group, ...]
    """Ports that crosstalk correction joins."""
    max_steps: NDArray[np.float64] | None
    """Largest change from sample to sample of each port; ``None`` if no port has such a limit."""
    has_duties: bool
    """Whether the time that a port plays is limited."""
    wired: IdentityCache[Wired]
    """By the voices of a pulse program."""

    @property
    def all_groups(self) -> tuple[_Group, ...]:
        """``groups``, and every other port as a group of its own."""
        joined = {port for ports, _, _ in self.groups for port in ports.tolist()}
        alone = (np.array([port]) for port in range(len(self.limits)) if port not in joined)
        return (*self.groups, *((port, np.ones((1, 1)), np.zeros((1, 1))) for port in alone))


@dataclass(frozen=True, slots=True, eq=False)
class Wired:
    """Frames, envelopes and discriminators of a family of programs on one rack; every array is read-only."""

    frame_port: NDArray[np.int64]
    frame_rate: NDArray[np.int64]
    """Number of the sample rate of each frame's port."""
    frames: NDArray[np.void]
    """dtype ``qctrl.protocol.FRAME``."""
    discriminators: NDArray[np.void]
    """dtype ``qctrl.protocol.DISCRIMINATOR``."""
    table: EnvelopeTable
    """The envelopes, sampled at the rates of their ports."""


_RACKS: Final[IdentityCache[Rack]] = IdentityCache(8)


def rack_of(setup: Setup) -> Rack:
    """Return what the compiler asks of a setup; made once, remembered for the setups in use."""
    return _RACKS.get((setup,), lambda: _make_rack(setup))


def wire(pulses: PulseProgram, rack: Rack) -> Wired:
    """Return the frames of a program on a rack.

    Raises:
        CompileError: The setup lacks a port.
        ResourceError: A frequency is too far from its port's LO.
        CompileError: An envelope cannot be evaluated at its port's rate.
    """
    voices = pulses.voices
    return rack.wired.get((voices,), lambda: _make_wired(voices, rack))


def open_rows(n_phases: int, values: Sequence[int] = ()) -> NDArray[np.void]:
    """Return the column of ``n_phases`` phase rows, and behind them one row of each given kind."""
    if values:
        rows = np.zeros(n_phases + len(values), dtype=ROW)
        rows["kind"] = [*[RowKind.PHASE] * n_phases, *values]
        return _read_only(rows)
    return _ZERO_ROW if n_phases == 1 else _phase_rows(n_phases)


def _phase_rows(n_rows: int) -> NDArray[np.void]:
    rows = np.zeros(n_rows, dtype=ROW)
    rows["kind"] = RowKind.PHASE
    return _read_only(rows)


def _make_rack(setup: Setup) -> Rack:
    port_index = {port.name: index for index, port in enumerate(setup.ports)}
    groups = tuple(_group(crosstalk, setup, port_index) for crosstalk in setup.crosstalk)
    unmixed = _limit_rows(setup, groups)
    return Rack(
        setup=setup,
        setup_hash=setup.hash,
        tick_s=setup.tick_s,
        block_grid_ticks=setup.block_granularity_ticks,
        port_index=port_index,
        sample_ticks=_read_only(np.array([port.sample_ticks for port in setup.ports], dtype=np.int64)),
        grid_ticks=_read_only(np.array([port.granularity_ticks for port in setup.ports], dtype=np.int64)),
        limits=_read_only(unmixed * _own_weights(setup, groups)),
        unmixed=_read_only(unmixed),
        groups=groups,
        max_steps=_max_steps(setup),
        has_duties=any(port.max_duty is not UNSET for port in setup.ports),
        wired=IdentityCache(256),
    )


def _limits(port: Port, tick_s: Fraction, rest: float) -> tuple[float, float, float, float, float]:
    """Return a row of ``Rack.unmixed``; ``rest`` is what reaches the filters in silence."""
    gain = 1.0
    if port.iir or port.fir:
        from qctrl.signal.bounds import filter_gain  # brings kernels that most racks do not need here

        gain = filter_gain(port.iir, port.fir, float(port.sample_ticks * tick_s))
    if port.kind == "flux":
        level = abs(rest) * abs(sum(port.fir) if port.fir else 1.0)
        return gain, level, gain, level, port.max_amplitude
    ii, iq, qi, qq = port.mixer.matrix
    offsets = abs(port.mixer.offset_i), abs(port.mixer.offset_q)
    return gain * math.hypot(ii, iq), offsets[0], gain * math.hypot(qi, qq), offsets[1], port.max_amplitude


def _group(crosstalk: Crosstalk, setup: Setup, index: dict[str, int]) -> _Group:
    ports = np.array([index[name] for name in crosstalk.ports], dtype=np.intp)
    weights = np.hypot(np.array(crosstalk.real), np.array(crosstalk.imag))
    lo_hz = np.array([setup.ports[port].lo_hz for port in ports.tolist()])
    sample_s = float(setup.ports[int(ports[0])].sample_ticks * setup.tick_s)
    beats = 2 * np.abs(np.sin(np.pi * (lo_hz[None, :] - lo_hz[:, None]) * sample_s))
    return ports, weights, beats


def _limit_rows(setup: Setup, groups: tuple[_Group, ...]) -> NDArray[np.float64]:
    rests = np.array([port.idle for port in setup.ports])
    for crosstalk, (ports, _, _) in zip(setup.crosstalk, groups, strict=True):
        rests[ports] = np.array(crosstalk.real) @ rests[ports]
    rows = [_limits(port, setup.tick_s, rest) for port, rest in zip(setup.ports, rests.tolist(), strict=True)]
    return np.array(rows, dtype=np.float64)


def _own_weights(setup: Setup, groups: tuple[_Group, ...]) -> NDArray[np.float64]:
    """Return what the crosstalk correction leaves of each port's own plays, as factors of ``Rack.limits``."""
    weights = np.ones((len(setup.ports), 5))
    for ports, sizes, _ in groups:
        weights[ports[:, None], [0, 2]] = np.diagonal(sizes)[:, None]
    return weights


def _max_steps(setup: Setup) -> NDArray[np.float64] | None:
    steps = [math.inf if port.max_step is UNSET else port.max_step for port in setup.ports]
    return None if min(steps) == math.inf else _read_only(np.array(steps))


def _make_wired(voices: Voices, rack: Rack) -> Wired:
    ports = np.array([_port(rack, name) for name in voices.ports], dtype=np.int64)
    frame_port = ports[voices.frames["port"]]
    rates, frame_rate = np.unique(rack.sample_ticks[frame_port], return_inverse=True)
    discriminators = np.zeros(len(voices.discriminators), dtype=DISCRIMINATOR)
    for name in ("n_classes", "coef"):
        discriminators[name] = voices.discriminators[name]
    used = np.zeros((len(voices.envelopes), max(len(rates), 1)), dtype=np.uint8)
    used[voices.pairs[:, 0], frame_rate[voices.pairs[:, 1]]] = 1
    return Wired(
        frame_port=_read_only(frame_port),
        frame_rate=_read_only(frame_rate.astype(np.int64)),
        frames=_frames(voices, frame_port, rack),
        discriminators=_read_only(discriminators),
        table=envelope_table(voices.envelopes, used, tuple(rates.tolist()), rack.tick_s),
    )


def _port(rack: Rack, name: str) -> int:
    index = rack.port_index.get(name)
    if index is None:
        raise CompileError(f"the setup of {rack.setup.device} has no port {name}; wire it in the wiring file")
    return index


def _frames(voices: Voices, frame_port: NDArray[np.int64], rack: Rack) -> NDArray[np.void]:
    frames = np.zeros(len(frame_port), dtype=FRAME)
    frames["port"] = frame_port
    frames["ftw"] = [
        _frame_word(frequency_hz, rack.setup.ports[port], rack.tick_s)
        for frequency_hz, port in zip(voices.frames["frequency_hz"].tolist(), frame_port.tolist(), strict=True)
    ]
    return _read_only(frames)


def _frame_word(frequency_hz: float, port: Port, tick_s: Fraction) -> int:
    """Return the tuning word of a frame: its offset from the port's LO."""
    offset_hz = float(exact_fraction(frequency_hz) - exact_fraction(port.lo_hz))
    half_rate_hz = float(1 / (2 * port.sample_ticks * tick_s))
    if not abs(offset_hz) < half_rate_hz:
        raise ResourceError(
            f"port {port.name}: {frequency_hz:.9g} Hz is {offset_hz:+.6g} Hz from the LO at {port.lo_hz:.9g} Hz, "
            f"the limit is {half_rate_hz:.6g} Hz; move the LO in the wiring file"
        )
    return tuning_word(offset_hz, tick_s)


def _read_only(column: NDArray[Any]) -> NDArray[Any]:
    column.flags.writeable = False
    return column


_ZERO_ROW: Final = _phase_rows(1)
