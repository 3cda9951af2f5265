"""Instruments that speak SCPI over VISA."""

from qctrl.instruments.scpi.box import ScpiBox
from qctrl.instruments.scpi.session import Session

__all__ = ["ScpiBox", "Session"]
