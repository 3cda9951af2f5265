"""An arbitrary waveform generator in the dialect of the Tektronix AWG5200 series.

Command forms follow Tektronix' own published package ``tm_devices`` (github.com/tektronix/tm_devices, the generated
commands of the AWG5200). Numbers (channels, lengths, volts) are those of an AWG5208 with the high-voltage output path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.scpi.instrument import Instrument, ScpiError, boolean, choice, command, number
from firmware_sim.scpi.message import block

CHANNELS: Final = 8
_MIN_SAMPLES: Final = 2400
_MAX_SAMPLES: Final = 1 << 27
_MAX_STEPS: Final = 16383
_MAX_REPEATS: Final = (1 << 20) - 1
_MARKER_1: Final = 1 << 6
_STOPPED, _WAITING, _RUNNING = 0, 1, 2


@dataclass(slots=True, eq=False)
class Waveform:
    """A waveform in the list."""

    samples: NDArray[np.float32]
    markers: NDArray[np.uint8]


@dataclass(slots=True)
class Step:
    """A step of a sequence."""

    waveforms: dict[int, str] = field(default_factory=dict[int, str])
    """By track."""
    sequence: str = ""
    """A subsequence, in place of waveforms."""
    repeats: int = 1
    """0 is for ever."""
    waits: bool = False
    goto: str = "NEXT"


@dataclass(slots=True)
class Sequence:
    """A sequence in the list."""

    tracks: int
    steps: list[Step]


@dataclass(slots=True)
class Channel:
    """Settings of an output."""

    on: bool = False
    vpp: float = 0.5
    bits: int = 16
    sequence: str = ""
    track: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """What an output plays once, and how often."""

    volts: NDArray[np.float64]
    markers: NDArray[np.uint8]
    repeats: int


class Awg5200(Instrument):
    """The generator; ``on_trigger`` tells the bench that its trigger was given."""

    maker: ClassVar[str] = "TEKTRONIX"
    model: ClassVar[str] = "AWG5208"
    firmware: ClassVar[str] = "FV:7.5.0169.0"

    def __init__(self, serial: str) -> None:
        self.on_trigger: Callable[[], None] = lambda: None
        self.misses_triggers = False
        self.stuck_state: int | None = None
        super().__init__(serial)

    def reset(self) -> None:
        """Return to the state after power-on; the waveform list is empty."""
        self.waveforms: dict[str, Waveform] = {}
        self.sequences: dict[str, Sequence] = {}
        self.channels = {index: Channel() for index in range(1, CHANNELS + 1)}
        self.sample_rate_hz = 2.5e9
        self.reference = "INT"
        self.state = _STOPPED
        self.step = 1

    # What the bench asks and does.

    def is_armed(self) -> bool:
        """Return whether it waits for a trigger."""
        return self.state == _WAITING

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

    # Waveforms.

    @command("WLISt:WAVeform:LMINimum?")
    def shortest(self) -> str:
        """Return the least number of samples."""
        return str(_MIN_SAMPLES)

    @command("WLISt:WAVeform:LMAXimum?")
    def longest(self) -> str:
        """Return the largest number of samples."""
        return str(_MAX_SAMPLES)

    @command("WLISt:WAVeform:GRANularity?")
    def granularity(self) -> str:
        """Return what a number of samples is a multiple of."""
        return "1"

    @command("WLISt:SIZE?")
    def list_size(self) -> str:
        """Return the number of waveforms."""
        return str(len(self.waveforms))

    @command("WLISt:WAVeform:NEW")
    def new_waveform(self, name: str, length: str, kind: str = "REAL") -> None:
        """Make a waveform of zeros."""
        choice(kind, "REAL")
        if name in self.waveforms:
            raise ScpiError(-224, f"Illegal parameter value;waveform {name} exists")
        samples = int(number(length, _MIN_SAMPLES, _MAX_SAMPLES))
        self.waveforms[name] = Waveform(np.zeros(samples, dtype=np.float32), np.zeros(samples, dtype=np.uint8))

    @command("WLISt:WAVeform:DELete")
    def delete_waveform(self, name: str) -> None:
        """Delete one waveform, or ALL."""
        if name.upper() == "ALL":
            self.waveforms.clear()
        elif self.waveforms.pop(name, None) is None:
            raise ScpiError(-256, f"File name not found;{name}")

    @command("WLISt:WAVeform:DATA")
    def write_samples(self, name: str, start: str, size: str, data: bytearray) -> None:
        """Write 32-bit floats, little-endian, full scale at -1 and 1."""
        wave, first, count = self._part(name, start, size)
        if len(data) != 4 * count:
            raise ScpiError(-161, f"Invalid block data;{len(data)} bytes for {count} samples")
        samples = np.frombuffer(data, dtype="<f4")
        if not np.isfinite(samples).all() or np.abs(samples).max(initial=0) > 1:
            raise ScpiError(-222, "Data out of range;sample")
        wave.samples[first : first + count] = samples

    @command("WLISt:WAVeform:DATA?")
    def read_samples(self, name: str, start: str, size: str) -> bytes:
        """Return samples as they were written."""
        wave, first, count = self._part(name, start, size)
        return block(wave.samples[first : first + count].astype("<f4").tobytes())

    @command("WLISt:WAVeform:MARKer:DATA")
    def write_markers(self, name: str, start: str, size: str, data: bytearray) -> None:
        """Write one byte per sample; bit 6 is marker 1."""
        wave, first, count = self._part(name, start, size)
        if len(data) != count:
            raise ScpiError(-161, f"Invalid block data;{len(data)} bytes for {count} markers")
        wave.markers[first : first + count] = np.frombuffer(data, dtype=np.uint8) & _MARKER_1

    def _part(self, name: str, start: str, size: str) -> tuple[Waveform, int, int]:
        if name not in self.waveforms:
            raise ScpiError(-256, f"File name not found;{name}")
        wave = self.waveforms[name]
        first = int(number(start, 0, len(wave.samples) - 1))
        return wave, first, int(number(size, 1, len(wave.samples) - first))

    # Sequences.

    @command("SLISt:SEQuence:NEW")
    def new_sequence(self, name: str, steps: str, tracks: str = "1") -> None:
        """Make a sequence of empty steps, in place of one of the same name."""
        count = int(number(steps, 1, _MAX_STEPS))
        self.sequences[name] = Sequence(int(number(tracks, 1, CHANNELS)), [Step() for _ in range(count)])

    @command("SLISt:SEQuence:DELete")
    def delete_sequence(self, name: str) -> None:
        """Delete one sequence, or ALL."""
        if name.upper() == "ALL":
            self.sequences.clear()
        elif self.sequences.pop(name, None) is None:
            raise ScpiError(-256, f"File name not found;{name}")

    @command("SLISt:SEQuence:STEP<n>:TASSet<n>:WAVeform")
    def assign_waveform(self, step: int, track: int, sequence: str, waveform: str) -> None:
        """Let a step play a waveform on a track."""
        if waveform not in self.waveforms:
            raise ScpiError(-256, f"File name not found;{waveform}")
        self._step(sequence, step).waveforms[track] = waveform

    @command("SLISt:SEQuence:STEP<n>:TASSet:SEQuence")
    def assign_sequence(self, step: int, sequence: str, inner: str) -> None:
        """Let a step play a subsequence on all tracks."""
        if inner not in self.sequences or inner == sequence:
            raise ScpiError(-256, f"File name not found;{inner}")
        self._step(sequence, step).sequence = inner

    @command("SLISt:SEQuence:STEP<n>:RCOunt")
    def repeat(self, step: int, sequence: str, count: str) -> None:
        """Let a step repeat."""
        word = count.upper()
        repeats = {"ONCE": 1, "INF": 0, "INFINITE": 0}.get(word)
        self._step(sequence, step).repeats = int(number(count, 1, _MAX_REPEATS)) if repeats is None else repeats

    @command("SLISt:SEQuence:STEP<n>:WINPut")
    def wait_input(self, step: int, sequence: str, source: str) -> None:
        """Let a step wait for trigger A, or for nothing."""
        self._step(sequence, step).waits = choice(source, "ATRigger", "OFF") == "ATR"

    @command("SLISt:SEQuence:STEP<n>:GOTO")
    def goto(self, step: int, sequence: str, where: str) -> None:
        """Say which step follows."""
        self._step(sequence, step).goto = choice(where, "NEXT", "FIRSt", "END")

    def _step(self, sequence: str, step: int) -> Step:
        if sequence not in self.sequences:
            raise ScpiError(-256, f"File name not found;{sequence}")
        steps = self.sequences[sequence].steps
        return steps[int(number(str(step), 1, len(steps))) - 1]

    # Outputs and clock.

    @command("SOURce<n>:CASSet:SEQuence")
    def assign_channel(self, channel: int, sequence: str, track: str = "1") -> None:
        """Let a channel play a track of a sequence."""
        if sequence not in self.sequences:
            raise ScpiError(-256, f"File name not found;{sequence}")
        self._channel(channel).sequence = sequence
        self._channel(channel).track = int(number(track, 1, self.sequences[sequence].tracks))

    @command("[SOURce<n>:]VOLTage[:LEVel][:IMMediate][:AMPLitude]")
    def set_amplitude(self, channel: int, volts: str) -> None:
        """Set the peak-to-peak voltage."""
        self._channel(channel).vpp = number(volts, 0.025, 5.0)

    @command("[SOURce<n>:]VOLTage[:LEVel][:IMMediate][:AMPLitude]?")
    def amplitude(self, channel: int) -> str:
        """Return the peak-to-peak voltage."""
        return f"{self._channel(channel).vpp:.9g}"

    @command("[SOURce<n>:]DAC:RESolution")
    def set_resolution(self, channel: int, bits: str) -> None:
        """Set the bits of the converter; markers take the rest."""
        self._channel(channel).bits = int(number(bits, 12, 16))

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
        self.sample_rate_hz = number(rate, 298.0, 2.5e9)

    @command("CLOCk:SRATe?")
    def rate(self) -> str:
        """Return the sample rate."""
        return f"{self.sample_rate_hz:.10g}"

    @command("CLOCk:SOURce")
    def set_reference(self, source: str) -> None:
        """Choose the reference of the clock."""
        self.reference = choice(source, "INTernal", "EFIXed", "EVARiable", "EXTernal")

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
