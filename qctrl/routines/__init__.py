"""Calibration routines: ordinary users of the stack that write what they measured."""

from __future__ import annotations

from qctrl.routines.bootstrap import bootstrap

__all__ = ["bootstrap"]
