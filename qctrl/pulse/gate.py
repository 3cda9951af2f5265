"""``CustomGate``: a gate of the user's own, as the compiler takes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from qctrl.pulse.steps import Barrier, Capture, Delay, Frame, Play, SetFrequency, ShiftPhase, Step
from qctrl.pulse.waveforms import Quantity


@dataclass(frozen=True, eq=False)
class CustomGate:
    """A gate on certain qubits and what it plays; gates of equal content are equal.

    Its quantities are floats, or open expressions that can be compared and printed.
    """

    name: str
    qubits: tuple[int, ...]
    parameters: tuple[str, ...]
    """Names, in the order of the instruction's arguments."""
    steps: tuple[Step, ...]

    @cached_property
    def text(self) -> str:
        """The whole content, one line per step."""
        head = f"{self.name}({', '.join(self.parameters)}) on qubits {', '.join(map(str, self.qubits))}"
        return "\n".join([head, *(f"  {_line(step, self._show)}" for step in self.steps)])

    @cached_property
    def digest(self) -> bytes:
        """Identity of the content, 32 bytes."""
        content = repr((self.name, self.qubits, self.parameters, self.steps))
        return hashlib.blake2b(content.encode(), digest_size=32).digest()

    @property
    def n_captures(self) -> int:
        """Classical bits that the gate writes."""
        return sum(isinstance(step, Capture) for step in self.steps)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, CustomGate) and self.digest == other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def _show(self, value: Quantity) -> str:
        return repr(value) if isinstance(value, float) else str(value.text(self.parameters))


CustomGates: TypeAlias = Mapping[tuple[str, tuple[int, ...]], CustomGate]
"""Custom gates of a backend by name and qubits; never changed in place."""


def map_quantities(step: Step, convert: Callable[[Quantity], Quantity]) -> Step:
    """Return a step with every quantity converted."""
    match step:
        case Play():
            shape = step.waveform
            return replace(
                step,
                waveform=replace(
                    shape,
                    duration=convert(shape.duration),
                    amp=convert(shape.amp),
                    phase=convert(shape.phase),
                    parameters=tuple((name, convert(value)) for name, value in shape.parameters),
                ),
            )
        case Capture() | Delay():
            return replace(step, duration=convert(step.duration))
        case ShiftPhase():
            return replace(step, phase=convert(step.phase))
        case SetFrequency():
            return replace(step, frequency=convert(step.frequency))
        case Barrier():
            return step


def shown(frame: Frame) -> str:
    """Return a frame as messages and listings name it."""
    if frame.qubit is not None:
        return f"{frame.port} (carrier of qubit {frame.qubit})"
    return frame.port if frame.frequency is None else f"{frame.port} ({frame.frequency!r} Hz)"


def _line(step: Step, show: Callable[[Quantity], str]) -> str:
    match step:
        case Play(frame, shape):
            parameters = "".join(f" {name} {show(value)} s" for name, value in shape.parameters)
            size = f"{show(shape.duration)} s amp {show(shape.amp)} phase {show(shape.phase)} rad"
            return f"play {shown(frame)} {shape.shape} {size}{parameters}"
        case Capture(frame, duration):
            return f"capture {shown(frame)} {show(duration)} s"
        case Delay(frame, duration):
            return f"delay {shown(frame)} {show(duration)} s"
        case ShiftPhase(frame, phase):
            return f"shift_phase {shown(frame)} {show(phase)} rad"
        case SetFrequency(frame, frequency):
            return f"set_frequency {shown(frame)} {show(frequency)} Hz"
        case Barrier(frames):
            return " ".join(["barrier", *map(shown, frames)])
