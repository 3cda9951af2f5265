"""Generators in the dialect of the Keysight M8190A and M8195A: segments by number and a sequence table.

Command forms follow the public sources that the host's driver names. The M8195A is emulated with four channels on its
extended memory and a divider of 4, which is one segment and one table for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.scpi.instrument import Instrument, ScpiError, boolean, choice, command, number, whole
from firmware_sim.scpi.keysight_table import SequenceTable
from firmware_sim.scpi.message import block
from firmware_sim.scpi.roles import Shot

_IDLE, _WAITING, _RUNNING = 0, 1, 2
_MARKER_1: Final = 1
_MAX_SAMPLES: Final = 1 << 27
_MAX_SEGMENTS: Final = 1 << 19


@dataclass(frozen=True, slots=True)
class Model:
    """What differs between the models."""

    name: str
    firmware: str
    channels: int
    shared: bool
    """Whether segments and the table are those of all channels."""
    bits: int
    shift: int
    dtype: str
    vpp: tuple[float, float]
    raster_hz: tuple[float, float]
    divider: int
    granularity: int
    min_samples: int


M8190A: Final = Model("M8190A", "5.3.0.0-1.2", 2, False, 14, 2, "<i2", (0.1, 0.7), (125e6, 8e9), 1, 48, 240)
M8195A: Final = Model("M8195A", "3.6.0.0-2", 4, True, 8, 0, "<i1", (0.075, 1.0), (53.76e9, 65e9), 4, 64, 320)


@dataclass(slots=True)
class Channel:
    """Settings of an output."""

    on: bool = False
    vpp: float = 0.5


class KeysightM819x(Instrument):
    """One of them; see ``Generator``."""

    maker = "Keysight Technologies"

    def __init__(self, serial: str, model: Model) -> None:
        self.model, self.firmware, self._model = model.name, model.firmware, model
        self.on_trigger: Callable[[], None] = lambda: None
        self.misses_triggers = False
        self.stuck_state: int | None = None
        self._table = SequenceTable(1 if model.shared else model.channels)
        super().__init__(serial, (self._table,))

    def reset(self) -> None:
        """Return to the state after power-on."""
        self.channels = {index: Channel() for index in range(1, self._model.channels + 1)}
        self.segments: dict[tuple[int, int], NDArray[np.signedinteger]] = {}
        self._table.reset_all()
        self.raster_hz = self._model.raster_hz[1]
        self.reference = "INT"
        self.state, self.entry = _IDLE, 0

    def outputs_on(self) -> list[int]:
        """Return the channels that are on."""
        return [index for index, channel in self.channels.items() if channel.on]

    # What the bench asks and does.

    @property
    def sample_rate_hz(self) -> float:
        """Rate of the samples in memory."""
        return self.raster_hz / self._model.divider

    def is_armed(self) -> bool:
        """Return whether it waits for a trigger."""
        return self.state == _WAITING

    def is_playing(self) -> bool:
        """Return whether a trigger came."""
        return self.state == _RUNNING

    def begin(self) -> None:
        """Take the trigger."""
        self.state = _RUNNING

    def end(self) -> None:
        """Go on to the second sequence of the scenario."""
        if self.state == _RUNNING:
            self.entry = self._table.length(1)

    def shot(self, index: int) -> Shot | None:
        """Return what a channel plays per shot; ``None`` if its output is off or has nothing to play."""
        steps = self._table.sequence(1 if self._model.shared else index)
        if not self.channels[index].on or not steps:
            return None
        codes = np.concatenate([np.tile(self._segment(index, step.segment), step.repeats) for step in steps])
        top = 2 ** (self._model.bits - 1) - 1
        volts = (codes >> self._model.shift) / top * (self.channels[index].vpp / 2)
        markers = codes & _MARKER_1 if self._model.shift else np.zeros_like(codes)
        return Shot(volts.astype(np.float64), markers.astype(np.uint8), steps[0].loops)

    def _channel(self, index: int) -> Channel:
        if index not in self.channels:
            raise ScpiError(-114, f"Header suffix out of range;{index}")
        return self.channels[index]

    def _segment(self, channel: int, segment: int) -> NDArray[np.signedinteger]:
        if (channel, segment) not in self.segments:
            raise ScpiError(-222, f"Data out of range;segment {segment} of channel {channel} is not defined")
        return self.segments[channel, segment]

    # Segments.

    @command("[SOURce:]TRACe<n>:DEFine")
    def define(self, channel: int, segment: str, length: str, value: str = "0") -> None:
        """Make a segment of one value."""
        self._channel(channel)
        samples = whole(length, self._model.min_samples, _MAX_SAMPLES)
        if samples % self._model.granularity:
            raise ScpiError(-222, f"Data out of range;{samples} is no multiple of {self._model.granularity}")
        name, top = whole(segment, 1, _MAX_SEGMENTS), int(np.iinfo(self._model.dtype).max)
        codes = np.full(samples, whole(value, -top - 1, top), dtype=self._model.dtype)
        for each in self.channels if self._model.shared else (channel,):
            if (each, name) in self.segments:
                raise ScpiError(-224, f"Illegal parameter value;segment {name} exists")
            self.segments[each, name] = codes.copy()

    @command("[SOURce:]TRACe<n>[:DATA]")
    def write(self, channel: int, segment: str, offset: str, data: bytearray) -> None:
        """Write samples."""
        if len(data) % np.dtype(self._model.dtype).itemsize:
            raise ScpiError(-161, f"Invalid block data;{len(data)} bytes are no whole number of samples")
        codes = np.frombuffer(data, dtype=self._model.dtype)
        held = self._segment(channel, whole(segment, 1, _MAX_SEGMENTS))
        first = whole(offset, 0, len(held) - 1)
        if first + len(codes) > len(held):
            raise ScpiError(-223, "Too much data")
        held[first : first + len(codes)] = codes

    @command("[SOURce:]TRACe<n>[:DATA]:BLOCk?")
    def read(self, channel: int, segment: str, offset: str, length: str) -> bytes:
        """Return samples as they were written."""
        held = self._segment(channel, whole(segment, 1, _MAX_SEGMENTS))
        first = whole(offset, 0, len(held) - 1)
        return block(held[first : first + whole(length, 1, len(held) - first)].tobytes())

    @command("[SOURce:]TRACe<n>:CATalog?")
    def catalog(self, channel: int) -> str:
        """Return the segments of a channel with their lengths."""
        held = [(segment, len(codes)) for (on, segment), codes in self.segments.items() if on == channel]
        return ",".join(f"{segment},{length}" for segment, length in held) or "0,0"

    @command("[SOURce:]TRACe<n>:DELete:ALL")
    def delete_all(self, channel: int) -> None:
        """Delete the segments of a channel."""
        self._channel(channel)
        for key in [key for key in self.segments if self._model.shared or key[0] == channel]:
            del self.segments[key]

    # Modes of which one is emulated.

    @command("[SOURce:]TRACe<n>:DWIDth")
    @command("[SOURce:]TRACe<n>:MMODe")
    @command("OUTPut<n>:ROUTe")
    @command("FUNCtion<n>:MODE")
    @command("[SOURce:]STABle<n>:SCENario:ADVance")
    def set_mode(self, _channel: int, mode: str) -> None:
        """Take the mode that is emulated."""
        choice(mode, "WPRecision", "WPR", "EXTended", "DAC", "STSC", "STSCenario", "AUTO")

    @command("INSTrument:COUPle:STATe")
    def couple(self, state: str) -> None:
        """Couple the channels; without is not emulated."""
        if self._model.shared or not boolean(state):
            raise ScpiError(-224, "Illegal parameter value;only coupled channels are emulated")

    @command("INSTrument:DACMode")
    def set_dac_mode(self, mode: str) -> None:
        """Use four channels."""
        if not self._model.shared:
            raise ScpiError(-113, "Undefined header")
        choice(mode, "FOUR")

    @command("INSTrument:MEMory:EXTended:RDIVider")
    def set_divider(self, divider: str) -> None:
        """Divide the clock of the memory."""
        choice(divider, f"DIV{self._model.divider}")

    @command("INITiate:CONTinuous<n>[:STATe]")
    @command("INITiate:GATE<n>[:STATe]")
    def set_trigger_mode(self, _channel: int, state: str) -> None:
        """Be triggered; continuous and gated are not emulated."""
        if boolean(state):
            raise ScpiError(-224, "Illegal parameter value;only triggered is emulated")

    @command("ARM[:SEQuence][:STARt][:LAYer]:TRIGger:SOURce")
    @command("ARM[:SEQuence][:STARt][:LAYer]:TRIGger:SLOPe")
    def set_trigger_input(self, what: str) -> None:
        """Take rising edges at the trigger input."""
        choice(what, "EXTernal", "POSitive")

    # Clock and outputs.

    @command("[SOURce:]ROSCillator:SOURce")
    def set_reference(self, source: str) -> None:
        """Choose the reference."""
        self.reference = choice(source, "INTernal", "EXTernal", "AXI")

    @command("[SOURce:]ROSCillator:SOURce?")
    def reference_source(self) -> str:
        """Return the reference."""
        return self.reference

    @command("[SOURce:]ROSCillator:FREQuency")
    def set_reference_frequency(self, value: str) -> None:
        """Say how fast the reference is."""
        number(value, 1e6, 17e9)

    @command("[SOURce:]FREQuency:RASTer")
    def set_raster(self, value: str) -> None:
        """Set the clock of the converters."""
        self.raster_hz = number(value, *self._model.raster_hz)

    @command("[SOURce:]FREQuency:RASTer?")
    def raster(self) -> str:
        """Return the clock of the converters."""
        return f"{self.raster_hz:.12g}"

    @command("[SOURce:]VOLTage<n>[:AMPLitude]")
    def set_amplitude(self, channel: int, volts: str) -> None:
        """Set the peak-to-peak voltage."""
        self._channel(channel).vpp = number(volts, *self._model.vpp)

    @command("[SOURce:]VOLTage<n>[:AMPLitude]?")
    def amplitude(self, channel: int) -> str:
        """Return the peak-to-peak voltage."""
        return f"{self._channel(channel).vpp:.9g}"

    @command("OUTPut<n>[:NORMal][:STATe]")
    def set_output(self, channel: int, state: str) -> None:
        """Switch an output."""
        self._channel(channel).on = boolean(state)

    @command("OUTPut<n>[:NORMal][:STATe]?")
    def output(self, channel: int) -> str:
        """Say whether an output is on."""
        return str(int(self._channel(channel).on))

    # Running.

    @command("ABORt")
    def stop(self) -> None:
        """Stop all channels."""
        self.state, self.entry = _IDLE, 0

    @command("INITiate:IMMediate")
    def run(self) -> None:
        """Wait for the trigger."""
        if not self.outputs_on() or not self._table.sequence(1):
            raise ScpiError(-221, "Settings conflict;no output has anything to play")
        self.state, self.entry = _WAITING, 0

    @command("TRIGger:BEGin[:IMMediate]")
    def trigger(self) -> None:
        """Give a trigger as if it came from outside."""
        self.on_trigger()

    @command("[SOURce:]STABle<n>:SEQuence:STATe?")
    def sequence_state(self, _table: int) -> str:
        """Return execution state and table entry."""
        state = self.state if self.stuck_state is None else self.stuck_state
        return str(state << 25 | self.entry)
