"""Arbitrary waveform generators in the dialect of the Tektronix AWG5200 and AWG70000 series.

Command forms follow Tektronix' own published package ``tm_devices`` (github.com/tektronix/tm_devices, the generated
commands of both series). Numbers (channels, lengths, volts) are those of an AWG5208 with the high-voltage output path
and of an AWG70002A.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.scpi.instrument import Instrument, ScpiError, boolean, choice, command, number, whole
from firmware_sim.scpi.roles import Shot
from firmware_sim.scpi.tektronix_sequences import SequenceList
from firmware_sim.scpi.tektronix_waveforms import WaveformList

_STOPPED, _WAITING, _RUNNING = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Model:
    """What differs between the series."""

    name: str
    firmware: str
    channels: int
    vpp: tuple[float, float]
    bits: tuple[int, int]
    """Of the converter: with all markers, without any."""
    fastest_hz: float
    min_samples: int = 2400
    max_samples: int = 1 << 27


AWG5208: Final = Model("AWG5208", "FV:7.5.0169.0", 8, (0.025, 5.0), (12, 16), 2.5e9)
AWG70002A: Final = Model("AWG70002A", "FV:5.3.0128.0", 2, (0.25, 0.5), (8, 10), 25e9)


@dataclass(slots=True)
class Channel:
    """Settings of an output."""

    bits: int
    on: bool = False
    vpp: float = 0.5
    sequence: str = ""
    track: int = 1


class TektronixAwg(Instrument):
    """One of them; see ``Generator``."""

    maker = "TEKTRONIX"

    def __init__(self, serial: str, series: Model) -> None:
        self.model, self.firmware, self._series = series.name, series.firmware, series
        self.on_trigger: Callable[[], None] = lambda: None
        self.misses_triggers = False
        self.stuck_state: int | None = None
        memory = WaveformList(series.min_samples, series.max_samples)
        self._lists = SequenceList(memory.waveforms, series.channels)
        self.waveforms, self.sequences = memory.waveforms, self._lists.sequences
        super().__init__(serial, (memory, self._lists))

    def reset(self) -> None:
        """Return to the state after power-on; both lists are empty."""
        self.waveforms.clear()
        self.sequences.clear()
        self.channels = {index: Channel(self._series.bits[1]) for index in range(1, self._series.channels + 1)}
        self.sample_rate_hz = 2.5e9
        self.reference = "INT"
        self.state = _STOPPED
        self.step = 1

    def outputs_on(self) -> list[int]:
        """Return the channels that are on."""
        return [index for index, channel in self.channels.items() if channel.on]

    # What the bench asks and does.

    def is_armed(self) -> bool:
        """Return whether it waits for a trigger."""
        return self.state == _WAITING

    def is_playing(self) -> bool:
        """Return whether a trigger came."""
        return self.state == _RUNNING

    def begin(self) -> None:
        """Leave the step that waits: the trigger came."""
        self.state = _RUNNING

    def end(self) -> None:
        """All repeats were played; go on to the step that holds the outputs."""
        if self.state == _RUNNING:
            self.step = 2

    def shot(self, index: int) -> Shot | None:
        """Return what a channel plays per shot; ``None`` if its output is off or has no sequence."""
        channel = self.channels[index]
        sequence = self.sequences.get(channel.sequence)
        if not channel.on or sequence is None:
            return None
        first = sequence.steps[0]
        inner = self.sequences[first.sequence].steps if first.sequence else [first]
        parts = [(self.waveforms[step.waveforms[channel.track]], step.repeats) for step in inner]
        if not first.sequence:
            parts = [(parts[0][0], 1)]
        samples = np.concatenate([np.tile(wave.samples, repeats) for wave, repeats in parts])
        markers = np.concatenate([np.tile(wave.markers, repeats) for wave, repeats in parts])
        return Shot(self._convert(channel, samples), markers, first.repeats)

    def _convert(self, channel: Channel, samples: NDArray[np.float32]) -> NDArray[np.float64]:
        top = 2 ** (channel.bits - 1) - 1
        return np.rint(samples.astype(np.float64) * top) / top * (channel.vpp / 2)

    # Outputs and clock.

    @command("SOURce<n>:CASSet:SEQuence")
    def assign_channel(self, channel: int, sequence: str, track: str = "1") -> None:
        """Let a channel play a track of a sequence."""
        if sequence not in self.sequences:
            raise ScpiError(-256, f"File name not found;{sequence}")
        self._channel(channel).sequence = sequence
        self._channel(channel).track = whole(track, 1, self.sequences[sequence].tracks)

    @command("SOURce<n>:CASSet?")
    def assigned(self, channel: int) -> str:
        """Return what a channel plays."""
        chosen = self._channel(channel)
        return f'"{chosen.sequence},{chosen.track}"' if chosen.sequence else '""'

    @command("[SOURce<n>:]VOLTage[:LEVel][:IMMediate][:AMPLitude]")
    def set_amplitude(self, channel: int, volts: str) -> None:
        """Set the peak-to-peak voltage."""
        self._channel(channel).vpp = number(volts, *self._series.vpp)

    @command("[SOURce<n>:]VOLTage[:LEVel][:IMMediate][:AMPLitude]?")
    def amplitude(self, channel: int) -> str:
        """Return the peak-to-peak voltage."""
        return f"{self._channel(channel).vpp:.9g}"

    @command("[SOURce<n>:]DAC:RESolution")
    def set_resolution(self, channel: int, bits: str) -> None:
        """Set the bits of the converter; markers take the rest."""
        self._channel(channel).bits = whole(bits, *self._series.bits)

    @command("[SOURce<n>:]DAC:RESolution?")
    def resolution(self, channel: int) -> str:
        """Return the bits of the converter."""
        return str(self._channel(channel).bits)

    @command("OUTPut<n>[:STATe]")
    def set_output(self, channel: int, state: str) -> None:
        """Switch an output."""
        self._channel(channel).on = boolean(state)

    @command("OUTPut<n>[:STATe]?")
    def output(self, channel: int) -> str:
        """Say whether an output is on."""
        return str(int(self._channel(channel).on))

    @command("OUTPut:OFF")
    def all_off(self, state: str) -> None:
        """Switch all outputs off."""
        if boolean(state):
            for channel in self.channels.values():
                channel.on = False

    @command("CLOCk:SRATe")
    def set_rate(self, rate: str) -> None:
        """Set the sample rate of all channels."""
        self.sample_rate_hz = number(rate, 298.0, self._series.fastest_hz)

    @command("CLOCk:SRATe?")
    def rate(self) -> str:
        """Return the sample rate."""
        return f"{self.sample_rate_hz:.10g}"

    @command("CLOCk:SOURce")
    def set_reference(self, source: str) -> None:
        """Choose the reference of the clock."""
        self.reference = choice(source, "INTernal", "EFIXed", "EVARiable", "EXTernal")

    @command("CLOCk:SOURce?")
    def clock_source(self) -> str:
        """Return the reference of the clock."""
        return self.reference

    @command("SOURce<n>:SCSTep?")
    def current_step(self, _channel: int) -> str:
        """Return the step that is played."""
        return str(self.step)

    def _channel(self, index: int) -> Channel:
        if index not in self.channels:
            raise ScpiError(-114, f"Header suffix out of range;{index}")
        return self.channels[index]

    # Running.

    @command("AWGControl:RUN[:IMMediate]")
    def run(self) -> None:
        """Start all channels; a first step that waits is waited for."""
        names = {channel.sequence for channel in self.channels.values() if channel.on and channel.sequence}
        waits = [self.sequences[name].steps[0].waits for name in names if name in self.sequences]
        if not waits:
            raise ScpiError(-221, "Settings conflict;no output has anything to play")
        self.step = 1
        self.state = _WAITING if all(waits) else _RUNNING

    @command("AWGControl:STOP[:IMMediate]")
    def stop(self) -> None:
        """Stop all channels."""
        self.state, self.step = _STOPPED, 1

    @command("AWGControl:RSTate?")
    def run_state(self) -> str:
        """Return 0 when stopped, 1 when waiting for a trigger, 2 when running."""
        return str(self.state if self.stuck_state is None else self.stuck_state)

    @command("TRIGger[:SEQuence][:IMMediate]")
    def trigger(self, which: str = "ATRigger") -> None:
        """Give a trigger as if it came from outside."""
        choice(which, "ATRigger")
        self.on_trigger()
