"""Drivers: from packed artefacts to whatever plays them."""

from qctrl.instruments.base import AtOnce, Debuggable, Driver, Fetched, Identity, Link, Playback, Progress, State
from qctrl.instruments.rack import OpenRack
from qctrl.instruments.registry import open_boxes, open_driver
from qctrl.instruments.sequencer import Sequencer

__all__ = [
    "AtOnce",
    "Debuggable",
    "Driver",
    "Fetched",
    "Identity",
    "Link",
    "OpenRack",
    "Playback",
    "Progress",
    "Sequencer",
    "State",
    "open_boxes",
    "open_driver",
]
