"""Ordinary instruments as one driver: the host renders samples, demodulates and decides."""

from qctrl.instruments.boxes.base import (
    Acquisition,
    Box,
    BoxHealth,
    BoxIdentity,
    DcSource,
    Digitizer,
    Generator,
    GeneratorLimits,
    Oscillator,
    OutputSetting,
    Segment,
    ShotSequence,
    Step,
)
from qctrl.instruments.boxes.kinds import open_box
from qctrl.instruments.boxes.rack import BoxRack

__all__ = [
    "Acquisition",
    "Box",
    "BoxHealth",
    "BoxIdentity",
    "BoxRack",
    "DcSource",
    "Digitizer",
    "Generator",
    "GeneratorLimits",
    "Oscillator",
    "OutputSetting",
    "Segment",
    "ShotSequence",
    "Step",
    "open_box",
]
