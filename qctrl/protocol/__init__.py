"""The contract with firmware, real or simulated: five artefacts and the messages that carry them."""

from __future__ import annotations

from qctrl.protocol.flow import FLOW, FlowOp
from qctrl.protocol.messages import PROTOCOL_VERSION, RUNS_AHEAD, Reply, Request
from qctrl.protocol.patch import Patch
from qctrl.protocol.program import (
    BLOCK,
    CAPTURE,
    DISCRIMINATOR,
    ENVELOPE,
    EVENT,
    FRAME,
    ROW,
    EventOp,
    Program,
    RowField,
    RowKind,
)
from qctrl.protocol.results import Results
from qctrl.protocol.run import CaptureMode, Mode, NoiseKind, Run, SimOptions
from qctrl.protocol.setup import Crosstalk, Mixer, Port, PortKind, Setup

__all__ = [
    "BLOCK",
    "CAPTURE",
    "DISCRIMINATOR",
    "ENVELOPE",
    "EVENT",
    "FLOW",
    "FRAME",
    "PROTOCOL_VERSION",
    "ROW",
    "RUNS_AHEAD",
    "CaptureMode",
    "Crosstalk",
    "EventOp",
    "FlowOp",
    "Mixer",
    "Mode",
    "NoiseKind",
    "Patch",
    "Port",
    "PortKind",
    "Program",
    "Reply",
    "Request",
    "Results",
    "RowField",
    "RowKind",
    "Run",
    "Setup",
    "SimOptions",
]
