"""Open amplitudes and frequencies: rows of the program, and the words that parameter values give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.errors import CompileError, ResourceError
from qctrl.ir.pulse_program import ValueKind
from qctrl.units import GAIN_ONE, frequency_words

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from qctrl.compiler.envelope_table import EnvelopeTable
    from qctrl.compiler.rack import Rack, Wired
    from qctrl.ir.expression import Expression
    from qctrl.ir.pulse_program import OpenValue, PulseProgram

RETUNE: Final = np.dtype(
    [("block", "<u4"), ("frame", "<u4"), ("start_ticks", "<i8"), ("word", "<i8"), ("row", "<u4"), ("zero", "<u4")]
)
"""A tune in the words of the wire: block, frame, start in the setup's ticks, tuning word or the row that gives it."""

_NO_RETUNES: Final = np.frombuffer(b"", dtype=RETUNE)
_NO_ROWS: Final = np.frombuffer(b"", dtype="<u4")
_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True)
class BoundValue:
    """An open number, and what of it the rack can play."""

    kind: ValueKind
    expression: Expression
    limit: float
    """Largest gain, or largest distance from the LO in Hz."""
    lo_hz: float
    """Frequency of the port's LO; 0 for a gain."""
    tick_s: Fraction
    what: str

    def words(self, columns: NDArray[np.float64], parameters: tuple[str, ...]) -> NDArray[np.uint32]:
        """Return the words of all bindings, shape ``(n_bindings,)``.

        Args:
            columns: Parameter values, shape ``(n_bindings, n_parameters)``.
            parameters: Their names.

        Raises:
            CompileError: A value is not finite.
            ResourceError: A value is beyond what the rack can play.
        """
        numbers = self.expression.evaluate(columns)
        size = np.abs(numbers - self.lo_hz)
        wrong = np.flatnonzero(~self._fits(size))
        if len(wrong):
            self._refuse(float(numbers[wrong[0]]), int(wrong[0]), columns[wrong[0]], parameters)
        if self.kind == ValueKind.GAIN:
            return np.rint(numbers * GAIN_ONE).astype(np.int32).view(np.uint32)
        return frequency_words(numbers - self.lo_hz, self.tick_s).view(np.uint32)

    def _fits(self, size: NDArray[np.float64]) -> NDArray[np.bool_]:
        return size <= min(1.0, self.limit + _SLACK) if self.kind == ValueKind.GAIN else size < self.limit

    def _refuse(self, number: float, binding: int, values: NDArray[np.float64], parameters: tuple[str, ...]) -> None:
        names = sorted(self.expression.parameters)
        given = ", ".join(f"{parameters[index]} = {float(values[index])!r}" for index in names)
        where = f"binding {binding}: {self.what} is {number!r} with {given}"
        if not np.isfinite(number):
            raise CompileError(f"{where}; it must be finite")
        if self.kind == ValueKind.GAIN:
            raise ResourceError(f"{where}; the limit is {self.limit:.9g} of full scale, bind a smaller value")
        raise ResourceError(f"{where}; {_reach(self.limit, self.lo_hz)}")


def bind_values(pulses: PulseProgram, rack: Rack, wired: Wired, table: EnvelopeTable) -> tuple[BoundValue, ...]:
    """Return the open values of a program with the limits of the rack."""
    peaks = np.zeros(len(pulses.values))
    if len(pulses.play_values):
        is_open = pulses.play_values >= 0
        envelopes, frames = pulses.plays["envelope"][is_open], pulses.plays["frame"][is_open]
        heights = table.peaks[table.number[envelopes, wired.frame_rate[frames]]]
        np.maximum.at(peaks, pulses.play_values[is_open], heights)
    return tuple(_bound(value, pulses, rack, peak) for value, peak in zip(pulses.values, peaks.tolist(), strict=True))


def _bound(value: OpenValue, pulses: PulseProgram, rack: Rack, peak: float) -> BoundValue:
    port = rack.port_index[pulses.ports[value.port]]
    expression = pulses.expressions[value.expression]
    if value.kind == ValueKind.FREQUENCY:
        lo_hz, half_rate_hz = rack.setup.ports[port].lo_hz, _half_rate_hz(rack, port)
        return BoundValue(value.kind, expression, half_rate_hz, lo_hz, rack.tick_s, value.what)
    factor_i, offset_i, factor_q, offset_q, highest = rack.limits[port].tolist()
    heights = [(factor_i * peak, highest - offset_i), (factor_q * peak, highest - offset_q)]
    limit = min([1.0, *(room / height for height, room in heights if height > 0)])
    return BoundValue(value.kind, expression, limit, 0.0, rack.tick_s, value.what)


def play_rows(pulses: PulseProgram) -> NDArray[np.uint32]:
    """Return the row that replaces each play's gain, 0 for none; empty if there are none at all."""
    if len(pulses.play_values) == 0:
        return _NO_ROWS
    rows = np.where(pulses.play_values >= 0, len(pulses.rows) + pulses.play_values, 0).astype(np.uint32)
    rows.setflags(write=False)
    return rows


def retunes(pulses: PulseProgram, rack: Rack, wired: Wired, ratio: int) -> NDArray[np.void]:
    """Return the changes of frequency in the words of the wire.

    Args:
        pulses: A pulse program.
        rack: The rack that it is packed for.
        wired: Its frames on that rack.
        ratio: The rack's ticks per tick of the pulses.

    Raises:
        ResourceError: A frequency is too far from its port's LO.
    """
    tunes = pulses.tunes
    if len(tunes) == 0:
        return _NO_RETUNES
    made = np.zeros(len(tunes), dtype=RETUNE)
    made["block"], made["frame"], made["start_ticks"] = tunes["block"], tunes["frame"], tunes["start_ticks"] * ratio
    is_open = tunes["value"] >= 0
    made["row"][is_open] = len(pulses.rows) + tunes["value"][is_open]
    made["word"] = wired.frames["ftw"][tunes["frame"]]
    for index in np.flatnonzero(~is_open & ~np.isnan(tunes["frequency_hz"])).tolist():
        port = int(wired.frame_port[tunes["frame"][index]])
        made["word"][index] = _word(float(tunes["frequency_hz"][index]), rack, port, int(tunes["source"][index])) << 16
    made["word"][is_open] = 0
    made.setflags(write=False)
    return made


def _word(frequency_hz: float, rack: Rack, port: int, source: int) -> int:
    lo_hz, half_rate_hz = rack.setup.ports[port].lo_hz, _half_rate_hz(rack, port)
    if not abs(frequency_hz - lo_hz) < half_rate_hz:
        raise ResourceError(
            f"instruction {source}: frequency on {rack.setup.ports[port].name} is {frequency_hz!r} Hz; "
            f"{_reach(half_rate_hz, lo_hz)}",
            instruction=source,
        )
    return int(frequency_words(np.array([frequency_hz - lo_hz]), rack.tick_s)[0])


def _half_rate_hz(rack: Rack, port: int) -> float:
    return float(1 / (2 * int(rack.sample_ticks[port]) * rack.tick_s))


def _reach(half_rate_hz: float, lo_hz: float) -> str:
    return f"the limit is {half_rate_hz:.9g} Hz from the LO at {lo_hz:.12g} Hz, choose a nearer one"
