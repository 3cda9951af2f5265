"""Pictures of what the instrument gets; matplotlib comes with the extra ``plot``."""

from __future__ import annotations

from qctrl.plot.drawing import draw, read
from qctrl.plot.schedule import Block, Capture, Lane, Mark, Play, Schedule

__all__ = ["Block", "Capture", "Lane", "Mark", "Play", "Schedule", "draw", "read"]
