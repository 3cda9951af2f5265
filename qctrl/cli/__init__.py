"""The ``qctrl`` command."""

from qctrl.cli.main import main

__all__ = ["main"]
