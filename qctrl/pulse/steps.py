"""Steps of a custom gate, and the verbs that make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from qctrl.errors import CompileError
from qctrl.pulse.waveforms import Quantity, Waveform, quantity


@dataclass(frozen=True, slots=True)
class Frame:
    """A carrier on a port. Made from a port alone it is the one that the calibration plays there."""

    port: str
    frequency: float | None = None
    """A carrier of its own, in Hz."""
    qubit: int | None = None
    """The carrier of this qubit, whose virtual Z it follows."""


@dataclass(frozen=True, slots=True)
class Play:
    """Play a waveform on a frame."""

    frame: Frame
    waveform: Waveform


@dataclass(frozen=True, slots=True)
class Capture:
    """Integrate what comes back on a frame of an acquire port, and decide a bit."""

    frame: Frame
    duration: Quantity
    """In s."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Let a frame wait."""

    frame: Frame
    duration: Quantity
    """In s."""


@dataclass(frozen=True, slots=True)
class Barrier:
    """Let frames wait for the last of them."""

    frames: tuple[Frame, ...]
    """None: all frames of the gate."""


@dataclass(frozen=True, slots=True)
class ShiftPhase:
    """Shift the phase of a frame; where it follows a qubit, a virtual Z."""

    frame: Frame
    phase: Quantity
    """In rad."""


@dataclass(frozen=True, slots=True)
class SetFrequency:
    """Change the carrier of a frame until the gate ends; the phase is that of a carrier that always ran."""

    frame: Frame
    frequency: Quantity
    """In Hz, as the QPU sees it."""


Step: TypeAlias = Play | Capture | Delay | Barrier | ShiftPhase | SetFrequency


def frame(port: str, *, frequency: float | None = None, qubit: int | None = None) -> Frame:
    """Return a frame other than the one that a port's name stands for.

    Args:
        port: Name of the port, such as ``q0.drive``.
        frequency: A carrier of its own, in Hz; shifts of its phase end with the gate.
        qubit: The carrier of this qubit: of its drive, or of its readout, depending on the port.

    Raises:
        CompileError: An argument is of a wrong type, or both a frequency and a qubit are given.
    """
    if frequency is not None and qubit is not None:
        raise CompileError(f"frame on {port}: give a frequency or a qubit, not both")
    if qubit is not None and (isinstance(qubit, bool) or not isinstance(qubit, int) or qubit < 0):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise CompileError(f"frame on {port}: qubit is {qubit!r}; give the index of a qubit")
    if frequency is not None:
        frequency = quantity(frequency, f"frequency of the frame on {port}")
        if not isinstance(frequency, float):
            raise CompileError(
                f"frame on {port}: frequency is {frequency}; a frame has a fixed carrier, vary it with set_frequency"
            )
    return Frame(_port(port, "frame"), frequency, qubit)


def play(where: str | Frame, waveform: Waveform) -> Play:
    """Play a waveform.

    Args:
        where: A port, or a frame on it.
        waveform: What ``drag``, ``gaussian``, ``constant``, ``square``, ``flat_top_...`` or ``slepian`` return.

    Raises:
        CompileError: An argument is of a wrong type.
    """
    if not isinstance(waveform, Waveform):  # pyright: ignore[reportUnnecessaryIsInstance] users may err
        raise CompileError(f"play on {where}: {waveform!r} is no waveform; give drag(...), gaussian(...) or another")
    return Play(_frame(where, "play"), waveform)


def capture(where: str | Frame, duration: Quantity) -> Capture:
    """Capture on an acquire port; the bit goes to the instruction's classical bit.

    Args:
        where: A port, or a frame on it.
        duration: In s.

    Raises:
        CompileError: An argument is of a wrong type.
    """
    return Capture(_frame(where, "capture"), quantity(duration, f"duration of capture on {where}"))


def delay(where: str | Frame, duration: Quantity) -> Delay:
    """Let a frame wait for ``duration`` seconds.

    Raises:
        CompileError: An argument is of a wrong type.
    """
    return Delay(_frame(where, "delay"), quantity(duration, f"duration of delay on {where}"))


def barrier(*where: str | Frame) -> Barrier:
    """Let the given ports or frames, or all of the gate, wait for the last of them.

    Raises:
        CompileError: An argument is of a wrong type.
    """
    return Barrier(tuple(_frame(each, "barrier") for each in where))


def shift_phase(where: str | Frame, phase: Quantity) -> ShiftPhase:
    """Shift the phase of a frame by ``phase`` rad.

    Raises:
        CompileError: An argument is of a wrong type.
    """
    return ShiftPhase(_frame(where, "shift_phase"), quantity(phase, f"phase of shift_phase on {where}"))


def set_frequency(where: str | Frame, frequency: Quantity) -> SetFrequency:
    """Move the carrier of a frame to ``frequency`` Hz until the gate ends.

    Raises:
        CompileError: An argument is of a wrong type.
    """
    return SetFrequency(_frame(where, "set_frequency"), quantity(frequency, f"frequency of set_frequency on {where}"))


def _frame(where: object, verb: str) -> Frame:
    return where if isinstance(where, Frame) else Frame(_port(where, verb))


def _port(port: object, verb: str) -> str:
    if not isinstance(port, str):
        raise CompileError(f"{verb}: {port!r} is no port; give its name, such as 'q0.drive', or a frame")
    return port
