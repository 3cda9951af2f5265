"""The signal equation, once: envelopes, the player, the Setup's corrections, demodulation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from qctrl.signal.demodulate import carrier, demodulate, demodulation_weights, discriminate, start_word
from qctrl.signal.envelopes import Envelope, dequantise, evaluate, quantise

if TYPE_CHECKING:
    from qctrl.signal.capture_windows import CaptureWindow
    from qctrl.signal.player import Player, PlayerState
    from qctrl.signal.setup_chain import SetupChain

__all__ = [
    "CaptureWindow",
    "Envelope",
    "Player",
    "PlayerState",
    "SetupChain",
    "carrier",
    "demodulate",
    "demodulation_weights",
    "dequantise",
    "discriminate",
    "evaluate",
    "quantise",
    "start_word",
]

# Loaded on first use (PEP 562): envelopes and demodulation must not pay for Numba.
_MODULE_OF = {
    "CaptureWindow": "qctrl.signal.capture_windows",
    "Player": "qctrl.signal.player",
    "PlayerState": "qctrl.signal.player",
    "SetupChain": "qctrl.signal.setup_chain",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'qctrl.signal' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)
