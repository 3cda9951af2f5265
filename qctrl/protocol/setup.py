"""``Setup``: what the operator calibrated and cabled, as the firmware needs it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, TypeAlias

import msgspec

from qctrl.errors import ProtocolError
from qctrl.protocol import _container

KIND: Final = b"SETU"
_BODY: Final = b"BODY"
_LARGEST_STEP: Final = 2.0
_NO_LIMITS: Final = (msgspec.UNSET, msgspec.UNSET)

PortKind: TypeAlias = Literal["iq_drive", "flux", "iq_readout", "acquire"]


class Mixer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Mixer correction: ``[I', Q'] = matrix @ [I, Q] + offset``, in fractions of full scale."""

    matrix: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 1.0)
    """Row-major 2 x 2."""
    offset_i: float = 0.0
    offset_q: float = 0.0


class Port(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One analogue line of the QPU and all that the board must apply to it."""

    name: str
    kind: PortKind
    sample_ticks: int
    """Ticks per sample."""
    granularity_ticks: int
    """Starts and lengths of events are multiples of this."""
    full_scale_v: float
    max_amplitude: float
    """Largest allowed |I|, |Q| or level, as a fraction of full scale, at most 1."""
    dac_bits: int
    lo_hz: float = 0.0
    """Frequency of the local oscillator; 0 for flux."""
    idle: float = 0.0
    """Level between plays, as a fraction of full scale; flux only."""
    delay_ticks: int = 0
    """A sample x(t) leaves at t + delay."""
    mixer: Mixer = Mixer()
    iir: tuple[tuple[float, float], ...] = ()
    """Predistortion sections (amplitude, time constant in seconds)."""
    fir: tuple[float, ...] = ()
    """Predistortion taps, first the newest sample; empty means none."""
    max_step: float | msgspec.UnsetType = msgspec.UNSET
    """Largest allowed change of I, Q or the level from one sample to the next, as a fraction of full scale."""
    max_duty: float | msgspec.UnsetType = msgspec.UNSET
    """Largest fraction of a shot and the repetition delay behind it during which plays may last."""


class Crosstalk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Correction between ports of equal kind and rate: ``x_out = (real + i imag) @ x_in``."""

    ports: tuple[str, ...]
    real: tuple[tuple[float, ...], ...]
    imag: tuple[tuple[float, ...], ...]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    device: str
    tick_num: int
    tick_den: int
    shot_grid_ticks: int
    bit_latency_ticks: int
    calibration_id: str
    ports: tuple[Port, ...]
    crosstalk: tuple[Crosstalk, ...]


@dataclass(frozen=True, slots=True)
class Setup:
    """Ports, corrections and clocks of one rack, in the order in which programs number the ports."""

    device: str
    tick_num: int
    tick_den: int
    """A tick lasts ``tick_num / tick_den`` seconds, exactly."""
    shot_grid_ticks: int
    """Shots start on multiples of this: the shortest time in which every LO makes whole turns."""
    bit_latency_ticks: int
    """Time from the end of a capture window until the flow can read its bit."""
    calibration_id: str
    """Hash of the calibration that this was derived from, hex."""
    ports: tuple[Port, ...]
    crosstalk: tuple[Crosstalk, ...] = ()

    @property
    def tick_s(self) -> Fraction:
        """Length of a tick in seconds."""
        return Fraction(self.tick_num, self.tick_den)

    @property
    def block_granularity_ticks(self) -> int:
        """Blocks start on multiples of this: the lcm of all ports' granularities and sample lengths."""
        return math.lcm(*(math.lcm(port.granularity_ticks, port.sample_ticks) for port in self.ports))

    def port_index(self, name: str) -> int:
        """Return the number of a port.

        Raises:
            ProtocolError: There is no such port.
        """
        for index, port in enumerate(self.ports):
            if port.name == name:
                return index
        raise ProtocolError(f"the setup of {self.device} has no port {name!r}; wire it in the wiring file")

    def verify(self) -> None:
        """Check every range that later stages rely on.

        Raises:
            ProtocolError: A value is out of range.
        """
        if min(self.tick_num, self.tick_den, self.shot_grid_ticks) < 1 or self.bit_latency_ticks < 0:
            raise ProtocolError(f"setup of {self.device}: a clock is not positive")
        names = [port.name for port in self.ports]
        if not names or len(set(names)) != len(names):
            raise ProtocolError(f"setup of {self.device}: no ports, or a port name appears twice")
        for port in self.ports:
            _verify_port(port)
        for matrix in self.crosstalk:
            _verify_crosstalk(matrix, names)

    def to_bytes(self) -> bytes:
        """Return the wire form; equal setups have equal bytes."""
        body = _Body(*(getattr(self, name) for name in _Body.__struct_fields__))
        return _container.pack(KIND, [(_BODY, msgspec.json.encode(body))])

    @classmethod
    def from_bytes(cls, data: bytes) -> Setup:
        """Return the setup in ``data``.

        Raises:
            ProtocolError: The bytes are damaged or a value is out of range.
        """
        sections = _container.unpack(KIND, data, (_BODY,))
        try:
            body = msgspec.json.decode(sections[_BODY], type=_Body)
        except msgspec.MsgspecError as error:
            raise ProtocolError(f"SETU: {error}") from error
        setup = cls(*(getattr(body, name) for name in _Body.__struct_fields__))
        setup.verify()
        return setup

    @property
    def hash(self) -> bytes:
        """Identity: 32-byte blake2b of the canonical body."""
        return _container.identity(self.to_bytes())

    def text(self) -> str:
        """Return one line per port."""
        head = f"setup {self.device} tick {self.tick_num}/{self.tick_den} s shot_grid {self.shot_grid_ticks} ticks"
        lines = [
            f"port {k} {p.name} {p.kind} {p.sample_ticks} ticks/sample fs {p.full_scale_v:g} V lo {p.lo_hz:.6g} Hz"
            for k, p in enumerate(self.ports)
        ]
        return "\n".join([head, *lines])


def _verify_port(port: Port) -> None:
    numbers = (
        port.full_scale_v,
        port.lo_hz,
        *port.mixer.matrix,
        port.mixer.offset_i,
        port.mixer.offset_q,
        *port.fir,
        *(value for section in port.iir for value in section),
    )
    checks = (
        (all(math.isfinite(value) for value in numbers), "a number is not finite"),
        (port.sample_ticks >= 1 and port.granularity_ticks >= 1, "ticks per sample and granularity must be 1 or more"),
        (port.granularity_ticks % max(port.sample_ticks, 1) == 0, "granularity must be whole samples"),
        (port.full_scale_v > 0, "full scale must be positive"),
        (0 < port.max_amplitude <= 1, "max_amplitude must lie in (0, 1]"),
        (2 <= port.dac_bits <= 24, "dac_bits must lie in 2..24"),
        (abs(port.idle) <= port.max_amplitude, "idle level is beyond max_amplitude"),
        (port.kind == "flux" or port.idle == 0, "only flux ports have an idle level"),
        (port.delay_ticks >= 0, "delay must be 0 or more"),
        (all(tau > 0 for _, tau in port.iir), "a filter's time constant must be positive"),
        (port.max_step is msgspec.UNSET or 0 < port.max_step <= _LARGEST_STEP, "max_step must lie in (0, 2]"),
        (port.max_duty is msgspec.UNSET or 0 < port.max_duty <= 1, "max_duty must lie in (0, 1]"),
        (port.kind != "acquire" or (port.max_step, port.max_duty) == _NO_LIMITS, "an acquire port puts nothing out"),
    )
    for holds, text in checks:
        if not holds:
            raise ProtocolError(f"port {port.name}: {text}")


def _verify_crosstalk(matrix: Crosstalk, names: list[str]) -> None:
    n = len(matrix.ports)
    square = all(len(rows) == n and all(len(row) == n for row in rows) for rows in (matrix.real, matrix.imag))
    values = [value for rows in (matrix.real, matrix.imag) for row in rows for value in row]
    if not square or not set(matrix.ports) <= set(names) or not all(math.isfinite(v) for v in values):
        raise ProtocolError(f"crosstalk of {', '.join(matrix.ports)}: not a finite square matrix over known ports")
