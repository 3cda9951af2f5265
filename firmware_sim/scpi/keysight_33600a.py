"""A waveform generator in the dialect of the Keysight 33600A: one arbitrary waveform per channel, in bursts.

Command forms follow the public sources that the host's driver names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.scpi.instrument import Instrument, ScpiError, boolean, choice, command, number, whole
from firmware_sim.scpi.roles import Shot

CHANNELS: Final = 2
_TOP: Final = 32767
_BITS: Final = 14
_SAMPLES: Final = (32, 4_000_000)
_NAME_LENGTH: Final = 12


@dataclass(slots=True)
class Channel:
    """Settings of an output."""

    on: bool = False
    vpp: float = 0.1
    rate_hz: float = 40e3
    arbitrary: bool = False
    waveform: str = ""
    bursts: bool = False
    cycles: int = 1
    source: str = "IMM"
    waveforms: dict[str, NDArray[np.int16]] = field(default_factory=dict[str, NDArray[np.int16]])


class Keysight33600A(Instrument):
    """A 33622A; see ``Generator``."""

    maker = "Keysight Technologies"
    model = "33622A"
    firmware = "A.01.00-2.25-03-64-02"

    def __init__(self, serial: str) -> None:
        self.on_trigger: Callable[[], None] = lambda: None
        self.misses_triggers = False
        super().__init__(serial)

    def reset(self) -> None:
        """Return to the state after power-on."""
        self.channels = {index: Channel() for index in range(1, CHANNELS + 1)}
        self.reference = "INT"
        self._playing = False

    def outputs_on(self) -> list[int]:
        """Return the channels that are on."""
        return [index for index, channel in self.channels.items() if channel.on]

    # What the bench asks and does.

    @property
    def sample_rate_hz(self) -> float:
        """Sample rate of the channels that are on, of the first if none is."""
        return next((channel.rate_hz for channel in self.channels.values() if channel.on), self.channels[1].rate_hz)

    def is_armed(self) -> bool:
        """Return whether a channel waits for a trigger."""
        waits = [one for one in self.channels.values() if one.on and one.bursts and one.source == "EXT"]
        return bool(waits) and not self._playing

    def is_playing(self) -> bool:
        """Return whether a burst goes on."""
        return self._playing

    def begin(self) -> None:
        """Begin the bursts."""
        self._playing = True

    def end(self) -> None:
        """Wait for the next trigger."""
        self._playing = False

    def shot(self, index: int) -> Shot | None:
        """Return what a channel plays per cycle; ``None`` if its output is off or has nothing to play."""
        channel = self.channels[index]
        codes = channel.waveforms.get(channel.waveform)
        if not channel.on or not channel.arbitrary or codes is None:
            return None
        steps = 2 ** (_BITS - 1) - 1
        volts = np.rint(codes / _TOP * steps) / steps * (channel.vpp / 2)
        return Shot(volts, np.zeros(len(codes), dtype=np.uint8), channel.cycles)

    def _channel(self, index: int) -> Channel:
        if index not in self.channels:
            raise ScpiError(-114, f"Header suffix out of range;{index}")
        return self.channels[index]

    # Waveforms.

    @command("FORMat:BORDer")
    def set_order(self, order: str) -> None:
        """Take the low byte first; the other order is not emulated."""
        choice(order, "SWAPped")

    @command("[SOURce<n>:]DATA:VOLatile:CLEar")
    def clear_waveforms(self, channel: int) -> None:
        """Forget the waveforms of a channel."""
        self._channel(channel).waveforms.clear()

    @command("[SOURce<n>:]DATA:VOLatile:CATalog?")
    def catalog(self, channel: int) -> str:
        """Return the names of the waveforms of a channel."""
        return ",".join(f'"{name}"' for name in self._channel(channel).waveforms) or '""'

    @command("[SOURce<n>:]DATA:ARBitrary:DAC")
    def write(self, channel: int, name: str, data: bytearray) -> None:
        """Make a waveform."""
        if len(data) % 2:
            raise ScpiError(-161, f"Invalid block data;{len(data)} bytes are no whole number of samples")
        codes = np.frombuffer(data, dtype="<i2")
        if not _SAMPLES[0] <= len(codes) <= _SAMPLES[1]:
            raise ScpiError(-222, f"Data out of range;{len(codes)} samples")
        if len(name) > _NAME_LENGTH or name in self._channel(channel).waveforms:
            raise ScpiError(786, "Specified arb waveform already exists")
        self._channel(channel).waveforms[name] = codes.copy()

    @command("[SOURce<n>:]DATA:ATTRibute:POINts?")
    def points(self, channel: int, name: str) -> str:
        """Return how many samples a waveform has."""
        if name not in self._channel(channel).waveforms:
            raise ScpiError(785, f"Specified arb waveform does not exist;{name}")
        return str(len(self._channel(channel).waveforms[name]))

    @command("[SOURce<n>:]FUNCtion:ARBitrary")
    def choose(self, channel: int, name: str) -> None:
        """Choose a waveform."""
        if name not in self._channel(channel).waveforms:
            raise ScpiError(785, f"Specified arb waveform does not exist;{name}")
        self._channel(channel).waveform = name

    @command("[SOURce<n>:]FUNCtion:ARBitrary?")
    def chosen(self, channel: int) -> str:
        """Return the name of the waveform that is chosen."""
        return f'"{self._channel(channel).waveform}"'

    @command("[SOURce<n>:]FUNCtion:ARBitrary:SRATe")
    def set_rate(self, channel: int, rate: str) -> None:
        """Set the sample rate."""
        self._channel(channel).rate_hz = number(rate, 1e-6, 1e9)

    @command("[SOURce<n>:]FUNCtion:ARBitrary:SRATe?")
    def rate(self, channel: int) -> str:
        """Return the sample rate."""
        return f"{self._channel(channel).rate_hz:.12g}"

    @command("[SOURce<n>:]FUNCtion:ARBitrary:FILTer")
    def set_filter(self, channel: int, name: str) -> None:
        """Switch the filter off; others are not emulated."""
        self._channel(channel)
        choice(name, "OFF")

    @command("[SOURce<n>:]FUNCtion")
    def set_function(self, channel: int, name: str) -> None:
        """Play the waveform."""
        choice(name, "ARB", "ARBitrary")
        self._channel(channel).arbitrary = True

    # Levels.

    @command("[SOURce<n>:]VOLTage:UNIT")
    def set_unit(self, channel: int, unit: str) -> None:
        """Mean peak to peak."""
        self._channel(channel)
        choice(unit, "VPP")

    @command("[SOURce<n>:]VOLTage:OFFSet")
    def set_offset(self, channel: int, volts: str) -> None:
        """Have no offset."""
        self._channel(channel)
        number(volts, 0, 0)

    @command("[SOURce<n>:]VOLTage")
    def set_amplitude(self, channel: int, volts: str) -> None:
        """Set the peak-to-peak voltage."""
        self._channel(channel).vpp = number(volts, 1e-3, 10.0)

    @command("[SOURce<n>:]VOLTage?")
    def amplitude(self, channel: int) -> str:
        """Return the peak-to-peak voltage."""
        return f"{self._channel(channel).vpp:.9g}"

    @command("OUTPut<n>:LOAD")
    def set_load(self, channel: int, ohm: str) -> None:
        """Say what the output drives."""
        self._channel(channel)
        number(ohm, 50, 50)

    @command("OUTPut<n>")
    def set_output(self, channel: int, state: str) -> None:
        """Switch an output."""
        self._channel(channel).on = boolean(state)
        self._playing = False

    @command("OUTPut<n>?")
    def output(self, channel: int) -> str:
        """Say whether an output is on."""
        return str(int(self._channel(channel).on))

    # Bursts, trigger, clock.

    @command("[SOURce<n>:]BURSt:MODE")
    def set_burst_mode(self, channel: int, mode: str) -> None:
        """Count cycles."""
        self._channel(channel)
        choice(mode, "TRIGgered")

    @command("[SOURce<n>:]BURSt:PHASe")
    def set_phase(self, channel: int, degrees: str) -> None:
        """Begin at the first sample."""
        self._channel(channel)
        number(degrees, 0, 0)

    @command("[SOURce<n>:]BURSt:NCYCles")
    def set_cycles(self, channel: int, count: str) -> None:
        """Set the cycles of a burst."""
        self._channel(channel).cycles = whole(count, 1, 100_000_000)

    @command("[SOURce<n>:]BURSt:STATe")
    def set_bursts(self, channel: int, state: str) -> None:
        """Play bursts."""
        self._channel(channel).bursts = boolean(state)

    @command("TRIGger<n>:SOURce")
    def set_source(self, channel: int, source: str) -> None:
        """Choose what triggers."""
        self._channel(channel).source = choice(source, "IMMediate", "EXTernal", "TIMer", "BUS")

    @command("TRIGger<n>:SLOPe")
    def set_slope(self, channel: int, slope: str) -> None:
        """Take rising edges."""
        self._channel(channel)
        choice(slope, "POSitive")

    @command("ROSCillator:SOURce:AUTO")
    def set_automatic_reference(self, state: str) -> None:
        """Do not choose the reference by itself."""
        if boolean(state):
            raise ScpiError(-224, "Illegal parameter value;only OFF is emulated")

    @command("ROSCillator:SOURce")
    def set_reference(self, source: str) -> None:
        """Choose the reference."""
        self.reference = choice(source, "INTernal", "EXTernal")

    @command("ROSCillator:SOURce?")
    def reference_source(self) -> str:
        """Return the reference."""
        return self.reference
