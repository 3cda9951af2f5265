"""Keysight 33612A and 33622A (33600A series, two channels): whole shots as bursts, for slow lines and flux.

Commands and their forms: QCoDeS, ``Keysight/KeysightAgilent_33XXX.py`` 0.58 (``SOURce{n}:FUNCtion``, ``:VOLTage``,
``:BURSt:*``, ``TRIGger{n}:SOURce``, ``:SLOPe``, ``OUTPut{n}``). Waveforms as blocks: public drivers that follow
Keysight's examples (``SOURce{n}:DATA:ARBitrary:DAC name,#...`` after ``FORMat:BORDer SWAPped``,
``:DATA:VOLatile:CLEar``, ``:FUNCtion:ARBitrary name``, ``:FUNCtion:ARBitrary:SRATe``, ``:FILTer``,
``data:attr:poin?``).

Never tried on a real instrument: everything. Doubtful above all: ``ROSCillator:SOURce`` together with ``:AUTO OFF``,
bit 5 of ``STATus:QUEStionable:CONDition?`` for an unlocked reference, and that two channels start on one clock edge.
A burst ends at the first sample of the shot, which therefore has to be the level at rest. Nothing can be read back but
the number of samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from qctrl.config import RackInstrument
from qctrl.errors import ConfigError, ResourceError
from qctrl.instruments.boxes.base import GeneratorLimits, OutputSetting, Segment, ShotSequence
from qctrl.instruments.scpi.blocks import check_resolution, check_samples
from qctrl.instruments.scpi.box import ScpiBox

_MAX_VPP: Final = 10.0
"""Into 50 ohm."""
_TOP: Final = 32767
_BITS: Final = 14
_FASTEST_HZ: Final = 1e9
_MIN_SAMPLES: Final = 32
_MAX_SAMPLES: Final = 4_000_000
_MAX_REPEATS: Final = 1_000_000
_NAME_LENGTH: Final = 12


class Keysight33600A(ScpiBox):
    """A burst of one arbitrary waveform per channel after the trigger; see ``Generator``."""

    makers = ("KEYSIGHT", "AGILENT")
    models = ("33612A", "33622A")
    park = ("OUTPut1 0", "OUTPut2 0")

    def __init__(self, name: str, entry: RackInstrument) -> None:
        super().__init__(name, entry)
        if entry.trigger_channel is not None:
            raise ConfigError(f"instruments.{name}: a {entry.kind} has no marker to trigger others; use another box")

    def after_connect(self) -> None:
        """Begin with an empty memory, so that it is known."""
        self._stored: dict[str, Segment] = {}
        self._held: set[tuple[int, str]] = set()
        self._vpp: dict[int, float] = {}
        self._sequence: ShotSequence | None = None
        source = "EXTernal" if self.entry.reference == "external" else "INTernal"
        self.command(
            *self.park,
            *(f"SOURce{channel}:DATA:VOLatile:CLEar" for channel in (1, 2)),
            "FORMat:BORDer SWAPped",
            "ROSCillator:SOURce:AUTO OFF",
            f"ROSCillator:SOURce {source}",
        )

    def is_connected(self) -> bool:
        """Return whether it answers and still holds what was sent."""
        if not super().is_connected():
            return False
        names = {name for _, name in self._held}
        found = {word.strip().strip('"') for word in self.session.ask("SOURce1:DATA:VOLatile:CATalog?").split(",")}
        found |= {word.strip().strip('"') for word in self.session.ask("SOURce2:DATA:VOLatile:CATalog?").split(",")}
        return names <= found

    def configure(self, sample_rate_hz: float, outputs: Sequence[OutputSetting]) -> GeneratorLimits:
        """Set clock and amplitudes; see ``Generator``.

        Raises:
            ResourceError: An amplitude is beyond the limits.
            InstrumentError: It cannot sample at this rate.
        """
        if not 0 < sample_rate_hz <= _FASTEST_HZ:
            raise self.error(
                f"it takes samples at {_FASTEST_HZ:g} Hz at most, {sample_rate_hz:.10g} Hz is wanted; "
                "change sample_rate in the wiring file; nothing was set"
            )
        lines: list[str] = []
        for output in outputs:
            vpp = 2 * output.full_scale_v
            self.limited(f"amplitude of channel {output.channel}", vpp, self._max_vpp(), "V peak to peak")
            check_resolution(self.name, output, _BITS)
            source = f"SOURce{output.channel}"
            lines += [f"OUTPut{output.channel}:LOAD 50", f"{source}:VOLTage:UNIT VPP", f"{source}:VOLTage:OFFSet 0"]
            lines += [f"{source}:VOLTage {vpp!r}", f"{source}:FUNCtion:ARBitrary:FILTer OFF"]
            lines += [f"{source}:FUNCtion:ARBitrary:SRATe {sample_rate_hz!r}"]
        self.command(*lines)
        self._vpp = {output.channel: 2 * output.full_scale_v for output in outputs}
        self._sequence = None
        return GeneratorLimits(_MIN_SAMPLES, _MAX_SAMPLES, 1, 1, _MAX_REPEATS)

    def upload(self, segment: Segment) -> bool:
        """Check a waveform; it is sent to the channel that plays it; see ``Generator``.

        Raises:
            ResourceError: A sample is not within -1 and 1.
        """
        if segment.name in self._stored:
            return False
        check_samples(self.name, segment.samples)
        self._stored[segment.name] = segment
        return True

    def load(self, sequence: ShotSequence) -> None:
        """Send what is not there yet, and let each channel burst it; see ``Generator``.

        Raises:
            ResourceError: A shot does not begin at the level at rest.
            InstrumentError: It does not hold as many samples as were sent.
        """
        if sequence == self._sequence:
            return
        self._sequence = None
        (step,) = sequence.steps
        lines: list[str] = []
        for channel, name, rest in zip(sequence.channels, step.segments, sequence.rest.segments, strict=True):
            self._check_rest(channel, self._stored[name], self._stored[rest])
            held = self._send(channel, self._stored[name])
            source, trigger = f"SOURce{channel}", f"TRIGger{channel}"
            lines += [f"{source}:FUNCtion:ARBitrary {held}", f"{source}:FUNCtion ARB"]
            lines += [f"{source}:VOLTage {self._vpp[channel]!r}"]
            lines += [f"{source}:BURSt:{line}" for line in ("MODE TRIG", "PHASe 0", f"NCYCles {sequence.n_shots}")]
            lines += [f"{trigger}:SOURce EXT", f"{trigger}:SLOPe POS", f"{source}:BURSt:STATe ON"]
        self.command(*lines)
        self._sequence = sequence

    def arm(self) -> None:
        """Switch the outputs on: a channel with a burst waits from then on; see ``Generator``."""
        self.command(*(f"OUTPut{channel} 1" for channel in self._vpp))

    def trigger(self) -> None:
        """Refuse: nothing would tell the others.

        Raises:
            InstrumentError: Always.
        """
        raise self.error("it has no marker to trigger others; nothing was started")

    def are_outputs_on(self) -> bool:
        """Return whether any channel in use is on."""
        wired = {channel for channels in self.entry.channels.values() for channel in channels}
        return any(self.session.ask(f"OUTPut{channel}?") != "0" for channel in sorted(wired))

    def limits_text(self) -> str:
        """Return the largest amplitude."""
        return f"{self._max_vpp():g} Vpp"

    def _max_vpp(self) -> float:
        return min(_MAX_VPP, self.entry.limits.max_vpp or _MAX_VPP)

    def _check_rest(self, channel: int, shot: Segment, rest: Segment) -> None:
        away = abs(float(shot.samples[0]) - float(rest.samples[-1]))
        if away > 2.0 ** (1 - _BITS):
            raise ResourceError(
                f"instrument {self.name}: channel {channel} would rest at {shot.samples[0]:g} of full scale after its "
                f"last shot, not at {rest.samples[-1]:g}; begin the circuit with a delay; nothing was armed"
            )

    def _send(self, channel: int, segment: Segment) -> str:
        """Return the name that a segment has in the memory of a channel, after sending it if it must be."""
        name = segment.name[:_NAME_LENGTH]
        if (channel, name) not in self._held:
            codes = np.rint(segment.samples.astype(np.float64) * _TOP).astype("<i2")
            # One block: the instrument cannot be given a waveform in parts, and none is longer than 8 MB.
            self.session.write(f"SOURce{channel}:DATA:ARBitrary:DAC {name},", codes.tobytes())
            self._held.add((channel, name))
            self.finish((f"upload of waveform {name}",))
            points = int(float(self.session.ask(f"SOURce{channel}:DATA:ATTRibute:POINts? {name}")))
            if points != len(codes):
                raise self.error(f"waveform {name} has {points} samples there, {len(codes)} were sent")
        return name
