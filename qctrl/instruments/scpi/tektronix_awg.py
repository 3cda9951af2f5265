"""Tektronix AWG5200 and AWG70000 series.

Commands and their forms: Tektronix' published package ``tm_devices`` 3.7 (github.com/tektronix/tm_devices), commands of
both series: ``wlist``, ``slist``, ``source``, ``output``, ``clock``, ``awgcontrol``, ``trigger``. ``tm_devices`` has
``WLISt:WAVeform:DATA:I`` for the AWG70000 and the form without ``:I`` for the AWG5200; the latter is sent to both, as
qudi (``hardware/awg/tektronix_awg70k.py``) does. Values of ``AWGControl:RSTate?``, bits of the converters and the
layout of sample blocks: QCoDeS, ``tektronix/AWG70000A.py``.

Never tried on a real instrument: everything. Doubtful above all: bit 6 for marker 1 (documented for the AWG70000),
bit 5 of ``STATus:QUEStionable:CONDition?`` for an unlocked reference, and ``SOURce1:SCSTep?`` in a parent sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from qctrl.config import RackInstrument
from qctrl.instruments.boxes.base import GeneratorLimits, OutputSetting, Segment, ShotSequence
from qctrl.instruments.scpi.blocks import check_resolution, check_samples, parts
from qctrl.instruments.scpi.box import ScpiBox

_SHOTS: Final = "qctrl_shots"
_SHOT: Final = "qctrl_shot"
_MAX_STEPS: Final = 16383
_MAX_REPEATS: Final = (1 << 20) - 1
_SAMPLE_BYTES: Final = 4
_MARKER_1: Final = 1 << 6
_DONE_STEP: Final = 2


@dataclass(frozen=True, slots=True)
class _Series:
    """What differs between the series."""

    models: tuple[str, ...]
    max_vpp: float
    bits: int
    """Of the converter; each marker takes one."""


_SERIES: Final = {
    # High-voltage output path: data sheet 76W-61275, DC high voltage.
    "tektronix_awg5200": _Series(("AWG52",), 5.0, 16),
    "tektronix_awg70000": _Series(("AWG700",), 0.5, 10),
}


class TektronixAwg(ScpiBox):
    """Waveform list, a sequence that waits for trigger A, and markers; see ``Generator``."""

    makers = ("TEKTRONIX",)
    park = ("AWGControl:STOP", "OUTPut:OFF 1")

    def __init__(self, name: str, entry: RackInstrument) -> None:
        super().__init__(name, entry)
        self._series = _SERIES[entry.kind]
        self.models = self._series.models

    def after_connect(self) -> None:
        """Begin with an empty memory, so that it is known."""
        self._held: set[str] = set()
        self._outputs: tuple[int, ...] = ()
        self._sequence: ShotSequence | None = None
        self.command(
            "AWGControl:STOP",
            "OUTPut:OFF 1",
            "OUTPut:OFF 0",
            "SLISt:SEQuence:DELete ALL",
            "WLISt:WAVeform:DELete ALL",
            f"CLOCk:SOURce {'EFIXed' if self.entry.reference == 'external' else 'INTernal'}",
        )

    def is_connected(self) -> bool:
        """Return whether it answers and holds as many waveforms as it was given."""
        return super().is_connected() and int(self.session.ask("WLISt:SIZE?")) == len(self._held)

    def configure(self, sample_rate_hz: float, outputs: Sequence[OutputSetting]) -> GeneratorLimits:
        """Set clock and amplitudes; see ``Generator``.

        Raises:
            ResourceError: An amplitude is beyond the limits.
        """
        lines = [f"CLOCk:SRATe {sample_rate_hz!r}"]
        for output in outputs:
            vpp = 2 * output.full_scale_v
            self.limited(f"amplitude of channel {output.channel}", vpp, self._max_vpp(), "V peak to peak")
            check_resolution(self.name, output, self._series.bits)
            lines += [
                f"SOURce{output.channel}:VOLTage {vpp!r}",
                f"SOURce{output.channel}:DAC:RESolution {self._series.bits - output.marked}",
            ]
        self.command(*lines)
        took_hz = float(self.session.ask("CLOCk:SRATe?"))
        if took_hz != sample_rate_hz:
            raise self.error(f"its clock runs at {took_hz:.10g} Hz, {sample_rate_hz:.10g} Hz was set")
        self._outputs = tuple(output.channel for output in outputs)
        smallest, largest, granularity = (
            int(self.session.ask(f"WLISt:WAVeform:{word}?")) for word in ("LMINimum", "LMAXimum", "GRANularity")
        )
        return GeneratorLimits(smallest, largest, granularity, _MAX_STEPS, _MAX_REPEATS)

    def upload(self, segment: Segment) -> bool:
        """Send a segment that is not there yet, and read it back; see ``Generator``.

        Raises:
            ResourceError: A sample is not within -1 and 1.
            InstrumentError: What it holds is not what was sent.
        """
        if segment.name in self._held:
            return False
        check_samples(self.name, segment.samples)
        name, n_samples = segment.name, len(segment.samples)
        data = np.ascontiguousarray(segment.samples, dtype="<f4").data.cast("B")
        self.session.write(f'WLISt:WAVeform:NEW "{name}",{n_samples},REAL')
        self._held.add(name)
        for first, part in parts(data, _SAMPLE_BYTES):
            self.session.write(f'WLISt:WAVeform:DATA "{name}",{first},{len(part) // _SAMPLE_BYTES},', part)
        if segment.markers is not None:
            marks = np.where(segment.markers, _MARKER_1, 0).astype(np.uint8).data
            for first, part in parts(marks, 1):
                self.session.write(f'WLISt:WAVeform:MARKer:DATA "{name}",{first},{len(part)},', part)
        self.finish((f"upload of waveform {name}",))
        if self.entry.verify == "first":
            self._verify(name, data)
        return True

    def load(self, sequence: ShotSequence) -> None:
        """Make the sequence and its subsequence; see ``Generator``."""
        if sequence == self._sequence:
            return
        tracks, steps = len(sequence.channels), sequence.steps
        self._sequence = None
        lines = [
            f'SLISt:SEQuence:NEW "{_SHOT}",{len(steps)},{tracks}',
            *(line for k, step in enumerate(steps, 1) for line in _step_lines(_SHOT, k, step.segments)),
            *(f'SLISt:SEQuence:STEP{k}:RCOunt "{_SHOT}",{step.repeats}' for k, step in enumerate(steps, 1)),
            f'SLISt:SEQuence:NEW "{_SHOTS}",2,{tracks}',
            f'SLISt:SEQuence:STEP1:TASSet:SEQuence "{_SHOTS}","{_SHOT}"',
            f'SLISt:SEQuence:STEP1:WINPut "{_SHOTS}",ATRigger',
            f'SLISt:SEQuence:STEP1:RCOunt "{_SHOTS}",{sequence.n_shots}',
            *_step_lines(_SHOTS, _DONE_STEP, sequence.rest.segments),
            f'SLISt:SEQuence:STEP{_DONE_STEP}:RCOunt "{_SHOTS}",INFinite',
            *(f'SOURce{ch}:CASSet:SEQuence "{_SHOTS}",{k}' for k, ch in enumerate(sequence.channels, 1)),
        ]
        self.command(*lines)
        self._sequence = sequence

    def arm(self) -> None:
        """Switch the outputs on and wait; see ``Generator``."""
        self.command(
            "AWGControl:STOP", "OUTPut:OFF 0", *(f"OUTPut{channel} 1" for channel in self._outputs), "AWGControl:RUN"
        )
        state = self.session.ask("AWGControl:RSTate?")
        if state != "1":
            raise self.error(f"it does not wait for its trigger after AWGControl:RUN: run state {state}")

    def trigger(self) -> None:
        """Give trigger A; see ``Generator``."""
        self.session.write("TRIGger:IMMediate ATRigger")

    def has_played(self) -> bool:
        """Return whether it left the step with the shots; see ``Finishing``."""
        return int(self.session.ask("SOURce1:SCSTep?")) == _DONE_STEP and self.run_state() == "running"

    def run_state(self) -> str:
        """Return ``stopped``, ``waiting`` for a trigger, or ``running``."""
        said = self.session.ask("AWGControl:RSTate?")
        return {"0": "stopped", "1": "waiting", "2": "running"}.get(said, f"unknown ({said})")

    def are_outputs_on(self) -> bool:
        """Return whether any channel in use is on."""
        wired = {channel for channels in self.entry.channels.values() for channel in channels}
        return any(self.session.ask(f"OUTPut{channel}?") != "0" for channel in sorted(wired))

    def limits_text(self) -> str:
        """Return the largest amplitude."""
        return f"{self._max_vpp():g} Vpp"

    def _max_vpp(self) -> float:
        return min(self._series.max_vpp, self.entry.limits.max_vpp or self._series.max_vpp)

    def _verify(self, name: str, data: memoryview) -> None:
        for first, part in parts(data, _SAMPLE_BYTES):
            query = f'WLISt:WAVeform:DATA? "{name}",{first},{len(part) // _SAMPLE_BYTES}'
            if self.session.ask_block(query, len(part)) != bytes(part):
                raise self.error(f"waveform {name} reads back otherwise than it was sent; check the connection")


def _step_lines(sequence: str, step: int, segments: Sequence[str]) -> list[str]:
    return [
        f'SLISt:SEQuence:STEP{step}:TASSet{track}:WAVeform "{sequence}","{name}"'
        for track, name in enumerate(segments, 1)
    ]
