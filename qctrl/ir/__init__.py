"""The two intermediate forms of a circuit: gates, then timed pulses."""

from __future__ import annotations

from qctrl.ir.expression import Expression
from qctrl.ir.gate_program import INSTRUCTION, SEGMENT, GateProgram, GateSite, Opcode, SegmentKind, TimedBox
from qctrl.ir.interface import Interface
from qctrl.ir.pulse_program import (
    CAPTURE,
    DISCRIMINATOR,
    FRAME,
    PLAY,
    ROW,
    SHIFT,
    TUNE,
    OpenValue,
    PulseProgram,
    ValueKind,
    Voices,
)
from qctrl.ir.text import gate_text, pulse_text

__all__ = [
    "CAPTURE",
    "DISCRIMINATOR",
    "FRAME",
    "INSTRUCTION",
    "PLAY",
    "ROW",
    "SEGMENT",
    "SHIFT",
    "TUNE",
    "Expression",
    "GateProgram",
    "GateSite",
    "Interface",
    "Opcode",
    "OpenValue",
    "PulseProgram",
    "SegmentKind",
    "TimedBox",
    "ValueKind",
    "Voices",
    "gate_text",
    "pulse_text",
]
