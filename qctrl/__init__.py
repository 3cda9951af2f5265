"""Open control stack between Qiskit and a superconducting QPU."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from qctrl.version import __version__

if TYPE_CHECKING:
    from qctrl.access import ProviderService
    from qctrl.primitives import Batch, EstimatorOptions, EstimatorV2, SamplerOptions, SamplerV2, Session

__all__ = [
    "Batch",
    "EstimatorOptions",
    "EstimatorV2",
    "ProviderService",
    "SamplerOptions",
    "SamplerV2",
    "Session",
    "__version__",
]

# Loaded on first use (PEP 562): firmware imports qctrl.protocol and must not pay for Qiskit.
_ROOM_OF = {
    "Batch": "qctrl.primitives",
    "EstimatorOptions": "qctrl.primitives",
    "EstimatorV2": "qctrl.primitives",
    "ProviderService": "qctrl.access",
    "SamplerOptions": "qctrl.primitives",
    "SamplerV2": "qctrl.primitives",
    "Session": "qctrl.primitives",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'qctrl' has no attribute {name!r}")
    return getattr(importlib.import_module(_ROOM_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
