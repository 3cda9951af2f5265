"""Keysight M8190A with two channels and M8195A with four, through their soft front panel.

Commands and their forms: Keysight's guides, as public drivers quote them. M8190A: ``pyarbtools`` 2025.6
(``instruments.py``: ``trace:dwidth``, ``trace:def``, ``trace:data``, ``stable:data``, ``frequency:raster``; samples and
markers by pages 262 to 274 of its guide, edition 13), and qudi (``hardware/awg/keysight_m819x.py``: ``:STAB:DYN``,
``:FUNC:MODE``, ``:INIT:IMM``). M8195A: github.com/Rezahekmati/Keysight-AWG-M8195A, which follows its guide, revision 2,
edition 7: 6.18 (control words, ``:STAB:SCEN``, table 44 for ``:STAB:SEQ:STAT?``) and 6.21 (``:TRAC:DEF``,
``:TRAC:DATA``, ``:TRAC:DATA:BLOC?``, ``:TRAC:MMOD``). The M8190A numbers its channels in ``:STAB``, ``:INIT`` and
``:FUNC``; the M8195A has one table for all.

Shots are a scenario of two sequences: the shot, as often as it is wanted, then the level at rest for as long as the
loop counters last, which is years.

Never tried on a real instrument: everything. Doubtful above all: ``:STAB:SEQ:STAT?`` on the M8190A (taken from the
M8195A), bit 5 of ``:STAT:QUES:COND?`` for an unlocked reference, a granularity of 64 and a minimum of 320 samples on
the M8195A with its divider of 4, and the level of the trigger input, which is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qctrl.config import RackInstrument
from qctrl.errors import ConfigError
from qctrl.instruments.boxes.base import GeneratorLimits, OutputSetting, Segment, ShotSequence, Step
from qctrl.instruments.scpi.blocks import check_resolution, check_samples, parts
from qctrl.instruments.scpi.box import ScpiBox

_MARKER_1: Final = 1
"""Lowest bit of a sample of the M8190A: sample marker."""
_MARKED, _BEGINS, _ENDS_SCENARIO, _ENDS = 1 << 24, 1 << 28, 1 << 29, 1 << 30
"""Of a control word: markers are given; first and last entry of a sequence, last of the scenario."""
_TO_THE_END: Final = 0xFFFFFFFF
_FOR_YEARS: Final = 0xFFFFFFFF
_WAITING, _RUNNING = 1, 2
_REFERENCE_HZ: Final = 10e6


@dataclass(frozen=True, slots=True)
class _Model:
    """What differs between the models."""

    prefix: str
    channels: tuple[int, ...]
    tables: tuple[str, ...]
    """Suffixes of headers that concern a sequence table."""
    bits: int
    shift: int
    """Bits of a sample below those of the converter."""
    dtype: str
    max_vpp: float
    rates_hz: tuple[float, float]
    """Of samples; the converter is ``divider`` times as fast."""
    divider: int
    granularity: int
    min_samples: int
    max_steps: int
    has_markers: bool
    once: tuple[str, ...]
    """Lines that choose the one mode that is used here."""


_MODELS: Final = {
    "keysight_m8190a": _Model(
        "M8190A", (1, 2), ("1", "2"), 14, 2, "<i2", 0.7, (125e6, 8e9), 1, 48, 240, (1 << 19) - 1, True,
        (":INST:COUP:STAT ON", ":TRAC1:DWID WPR", ":TRAC2:DWID WPR", ":OUTP1:ROUT DAC", ":OUTP2:ROUT DAC"),
    ),
    "keysight_m8195a": _Model(
        "M8195A", (1, 2, 3, 4), ("",), 8, 0, "<i1", 1.0, (13.44e9, 16.25e9), 4, 64, 320, (1 << 24) - 1, False,
        (":INST:DACM FOUR", ":INST:MEM:EXT:RDIV DIV4", *(f":TRAC{channel}:MMOD EXT" for channel in (1, 2, 3, 4))),
    ),
}  # fmt: skip


class KeysightM819x(ScpiBox):
    """Segments by number, one sequence table, and a software trigger; see ``Generator``.

    A segment is the same number on all channels, so what a step plays is sent when the step is known.
    """

    makers = ("KEYSIGHT", "AGILENT")

    def __init__(self, name: str, entry: RackInstrument) -> None:
        super().__init__(name, entry)
        self._model = model = _MODELS[entry.kind]
        if entry.trigger_channel is not None and not model.has_markers:
            raise ConfigError(f"instruments.{name}: an {model.prefix} has no markers in use; trigger with another box")
        self.models = (model.prefix,)
        self.park = (":ABOR", *(f":OUTP{channel} OFF" for channel in model.channels))

    def after_connect(self) -> None:
        """Begin with an empty memory, so that it is known."""
        self._stored: dict[str, Segment] = {}
        self._numbers: dict[tuple[str, ...], int] = {}
        self._outputs: tuple[int, ...] = ()
        self._sequence: ShotSequence | None = None
        source = "EXT" if self.entry.reference == "external" else "INT"
        self.command(
            *self.park,
            *self._model.once,
            *(f":TRAC{channel}:DEL:ALL" for channel in self._model.channels),
            *(f":STAB{table}:RES" for table in self._model.tables),
            *((f":ROSC:FREQ {_REFERENCE_HZ!r}",) if source == "EXT" else ()),
            f":ROSC:SOUR {source}",
            *((":ARM:TRIG:SOUR EXT", ":ARM:TRIG:SLOP POS") if self.entry.trigger_channel is None else ()),
        )

    def is_connected(self) -> bool:
        """Return whether it answers and holds as many segments as it was given."""
        if not super().is_connected():
            return False
        found = [int(word) for word in self.session.ask(f":TRAC{self._wired()[0]}:CAT?").split(",")]
        return sum(number > 0 for number in found[::2]) == len(self._numbers)

    def configure(self, sample_rate_hz: float, outputs: Sequence[OutputSetting]) -> GeneratorLimits:
        """Set clock and amplitudes; see ``Generator``.

        Raises:
            ResourceError: An amplitude is beyond the limits.
            InstrumentError: It cannot sample at this rate.
        """
        model = self._model
        slowest, fastest = model.rates_hz
        if not slowest <= sample_rate_hz <= fastest:
            raise self.error(
                f"it takes samples at {slowest:g} to {fastest:g} Hz, {sample_rate_hz:.10g} Hz is wanted; "
                "change sample_rate in the wiring file; nothing was set"
            )
        for output in outputs:
            vpp = 2 * output.full_scale_v
            self.limited(f"amplitude of channel {output.channel}", vpp, self._max_vpp(), "V peak to peak")
            check_resolution(self.name, output, model.bits)
        raster_hz = model.divider * sample_rate_hz
        self.command(
            f":FREQ:RAST {raster_hz!r}", *(f":VOLT{output.channel} {2 * output.full_scale_v!r}" for output in outputs)
        )
        took_hz = float(self.session.ask(":FREQ:RAST?"))
        if took_hz != raster_hz:
            raise self.error(f"its clock runs at {took_hz:.10g} Hz, {raster_hz:.10g} Hz was set")
        self._outputs = tuple(output.channel for output in outputs)
        return GeneratorLimits(model.min_samples, 1 << 27, model.granularity, model.max_steps, _FOR_YEARS)

    def upload(self, segment: Segment) -> bool:
        """Check a segment; it is sent with the first step that plays it; see ``Generator``.

        Raises:
            ResourceError: A sample is not within -1 and 1.
        """
        if segment.name in self._stored:
            return False
        check_samples(self.name, segment.samples)
        self._stored[segment.name] = segment
        return True

    def load(self, sequence: ShotSequence) -> None:
        """Send the segments that are not there yet, and make the scenario; see ``Generator``.

        Raises:
            InstrumentError: What it holds is not what was sent.
        """
        if sequence == self._sequence:
            return
        self._sequence = None
        self.command(":ABOR")
        steps = (*sequence.steps, sequence.rest)
        for step in steps:
            if step.segments not in self._numbers:
                self._send(sequence.channels, step)
        tables = self._model.tables
        self.command(
            *(f":STAB{table}:DATA {line}" for table in tables for line in self._entries(sequence)),
            *(f":FUNC{table}:MODE STSC" for table in tables),
            *(f":STAB{table}:{line}" for table in tables for line in ("DYN OFF", "SCEN:SEL 0", "SCEN:COUN 1")),
            *(f":STAB{table}:SCEN:ADV AUTO" for table in tables),
            *(f":INIT:{mode}{table} OFF" for table in tables for mode in ("CONT", "GATE")),
        )
        self._sequence = sequence

    def arm(self) -> None:
        """Switch the outputs on and wait; see ``Generator``."""
        self.command(":ABOR", *(f":OUTP{channel} ON" for channel in self._outputs), ":INIT:IMM")
        state, _ = self._state()
        if state != _WAITING:
            raise self.error(f"it does not wait for its trigger after :INIT:IMM: run state {state}")

    def trigger(self) -> None:
        """Begin; see ``Generator``."""
        self.session.write(":TRIG:BEG")

    def has_played(self) -> bool:
        """Return whether it plays the level at rest; see ``Finishing``."""
        return self._sequence is not None and self._state() == (_RUNNING, len(self._sequence.steps))

    def are_outputs_on(self) -> bool:
        """Return whether any channel in use is on."""
        return any(self.session.ask(f":OUTP{channel}?") != "0" for channel in self._wired())

    def limits_text(self) -> str:
        """Return the largest amplitude."""
        return f"{self._max_vpp():g} Vpp"

    def _max_vpp(self) -> float:
        return min(self._model.max_vpp, self.entry.limits.max_vpp or self._model.max_vpp)

    def _wired(self) -> list[int]:
        return sorted(channel for channels in self.entry.channels.values() for channel in channels)

    def _state(self) -> tuple[int, int]:
        """Return execution state and table entry."""
        word = int(self.session.ask(f":STAB{self._model.tables[0]}:SEQ:STAT?"))
        return (word >> 25) & 3, word & ((1 << 25) - 1)

    def _send(self, channels: Sequence[int], step: Step) -> None:
        number = self._numbers[step.segments] = len(self._numbers) + 1
        width = np.dtype(self._model.dtype).itemsize
        shared = len(self._model.tables) == 1
        for channel, name in zip(channels, step.segments, strict=True):
            data = self._codes(self._stored[name]).data.cast("B")
            if not shared or channel == channels[0]:
                self.session.write(f":TRAC{channel}:DEF {number},{len(data) // width},0")
            for first, part in parts(data, width):
                self.session.write(f":TRAC{channel}:DATA {number},{first},", part)
            self.finish((f"upload of segment {number}",))
            if self.entry.verify == "first":
                self._verify(channel, number, data)

    def _codes(self, segment: Segment) -> NDArray[np.signedinteger]:
        top, shift = 2 ** (self._model.bits - 1) - 1, self._model.shift
        codes = np.rint(segment.samples.astype(np.float64) * top).astype(self._model.dtype) << shift
        if self._model.has_markers and segment.markers is not None:
            codes |= np.where(segment.markers, _MARKER_1, 0).astype(codes.dtype)
        return codes.astype(self._model.dtype)

    def _entries(self, sequence: ShotSequence) -> list[str]:
        """Return the lines of the table: index, control, loops of sequence and segment, segment, from, to."""
        last = len(sequence.steps) - 1
        lines: list[str] = []
        for index, step in enumerate(sequence.steps):
            control = _MARKED | (_BEGINS if index == 0 else 0) | (_ENDS if index == last else 0)
            loops = sequence.n_shots if index == 0 else 1
            lines.append(f"{index},{control},{loops},{step.repeats},{self._numbers[step.segments]},0,{_TO_THE_END}")
        control = _MARKED | _BEGINS | _ENDS | _ENDS_SCENARIO
        number = self._numbers[sequence.rest.segments]
        return [*lines, f"{last + 1},{control},{_FOR_YEARS},{_FOR_YEARS},{number},0,{_TO_THE_END}"]

    def _verify(self, channel: int, number: int, data: memoryview) -> None:
        width = np.dtype(self._model.dtype).itemsize
        for first, part in parts(data, width):
            query = f":TRAC{channel}:DATA:BLOC? {number},{first},{len(part) // width}"
            if self.session.ask_block(query, len(part)) != bytes(part):
                raise self.error(f"segment {number} reads back otherwise than it was sent; check the connection")
