"""The rack's side of a program: ports, tuning words and sampled envelopes, made once and remembered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

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
    from qctrl.protocol import Port, Setup


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
    wired: IdentityCache[Wired]
    """By the voices of a pulse program."""


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
    return Rack(
        setup=setup,
        setup_hash=setup.hash,
        tick_s=setup.tick_s,
        block_grid_ticks=setup.block_granularity_ticks,
        port_index={port.name: index for index, port in enumerate(setup.ports)},
        sample_ticks=_read_only(np.array([port.sample_ticks for port in setup.ports], dtype=np.int64)),
        grid_ticks=_read_only(np.array([port.granularity_ticks for port in setup.ports], dtype=np.int64)),
        limits=_read_only(np.array([_limits(port) for port in setup.ports], dtype=np.float64)),
        wired=IdentityCache(256),
    )


def _limits(port: Port) -> tuple[float, float, float, float, float]:
    if port.kind == "flux":
        return 1.0, abs(port.idle), 1.0, abs(port.idle), port.max_amplitude
    ii, iq, qi, qq = port.mixer.matrix
    offsets = abs(port.mixer.offset_i), abs(port.mixer.offset_q)
    return math.hypot(ii, iq), offsets[0], math.hypot(qi, qq), offsets[1], port.max_amplitude


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
