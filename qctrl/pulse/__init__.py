"""Custom pulses: what users write to say what a gate of their own plays.

A gate's steps run in order on each frame, and at the same time on different frames; ``delay`` and ``barrier`` align
them. Durations are in s, frequencies in Hz, phases in rad, amplitudes in fractions of a port's full scale. Every number
may be a parameter, or an expression of parameters, of the gate. What a gate does to a frame ends with the gate, except
a shift of phase on a frame that follows a qubit: that is a virtual Z, and stays.
"""

from __future__ import annotations

from qctrl.pulse.gate import CustomGate, CustomGates
from qctrl.pulse.steps import (
    Barrier,
    Capture,
    Delay,
    Frame,
    Play,
    SetFrequency,
    ShiftPhase,
    Step,
    barrier,
    capture,
    delay,
    frame,
    play,
    set_frequency,
    shift_phase,
)
from qctrl.pulse.waveforms import (
    Quantity,
    Waveform,
    constant,
    drag,
    flat_top_cosine,
    flat_top_gaussian,
    gaussian,
    slepian,
    square,
)

__all__ = [
    "Barrier",
    "Capture",
    "CustomGate",
    "CustomGates",
    "Delay",
    "Frame",
    "Play",
    "Quantity",
    "SetFrequency",
    "ShiftPhase",
    "Step",
    "Waveform",
    "barrier",
    "capture",
    "constant",
    "delay",
    "drag",
    "flat_top_cosine",
    "flat_top_gaussian",
    "frame",
    "gaussian",
    "play",
    "set_frequency",
    "shift_phase",
    "slepian",
    "square",
]
