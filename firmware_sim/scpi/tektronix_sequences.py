"""The sequence list of a Tektronix generator: ``SLISt``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from firmware_sim.scpi.instrument import ScpiError, choice, command, whole
from firmware_sim.scpi.tektronix_waveforms import Waveform

_MAX_STEPS: Final = 16383
_MAX_REPEATS: Final = (1 << 20) - 1


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


class SequenceList:
    """Sequences by name.

    Args:
        waveforms: Waveforms that steps may play.
        channels: Number of channels, the most tracks of a sequence.
    """

    def __init__(self, waveforms: Mapping[str, Waveform], channels: int) -> None:
        self._waveforms = waveforms
        self._channels = channels
        self.sequences: dict[str, Sequence] = {}

    @command("SLISt:SEQuence:NEW")
    def new_sequence(self, name: str, steps: str, tracks: str = "1") -> None:
        """Make a sequence of empty steps, in place of one of the same name."""
        count = whole(steps, 1, _MAX_STEPS)
        self.sequences[name] = Sequence(whole(tracks, 1, self._channels), [Step() for _ in range(count)])

    @command("SLISt:SEQuence:DELete")
    def delete_sequence(self, name: str) -> None:
        """Delete one sequence, or ALL."""
        if name.upper() == "ALL":
            self.sequences.clear()
        elif self.sequences.pop(name, None) is None:
            raise ScpiError(-256, f"File name not found;{name}")

    @command("SLISt:SIZE?")
    def count(self) -> str:
        """Return the number of sequences."""
        return str(len(self.sequences))

    @command("SLISt:SEQuence:LENGth?")
    def length(self, name: str) -> str:
        """Return the number of steps of a sequence."""
        return str(len(self._steps(name)))

    @command("SLISt:SEQuence:STEP<n>:TASSet<n>:WAVeform")
    def assign_waveform(self, step: int, track: int, sequence: str, waveform: str) -> None:
        """Let a step play a waveform on a track."""
        if waveform not in self._waveforms:
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
        self._step(sequence, step).repeats = whole(count, 1, _MAX_REPEATS) if repeats is None else repeats

    @command("SLISt:SEQuence:STEP<n>:WINPut")
    def wait_input(self, step: int, sequence: str, source: str) -> None:
        """Let a step wait for trigger A, or for nothing."""
        self._step(sequence, step).waits = choice(source, "ATRigger", "OFF") == "ATR"

    @command("SLISt:SEQuence:STEP<n>:GOTO")
    def goto(self, step: int, sequence: str, where: str) -> None:
        """Say which step follows."""
        self._step(sequence, step).goto = choice(where, "NEXT", "FIRSt", "END")

    def _step(self, sequence: str, step: int) -> Step:
        steps = self._steps(sequence)
        return steps[whole(str(step), 1, len(steps)) - 1]

    def _steps(self, sequence: str) -> list[Step]:
        if sequence not in self.sequences:
            raise ScpiError(-256, f"File name not found;{sequence}")
        return self.sequences[sequence].steps
