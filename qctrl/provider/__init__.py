"""The device as Qiskit sees it: Target, backend, early checks."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qctrl.provider.backend import Backend
    from qctrl.provider.configuration import Configuration
    from qctrl.provider.device import Device
    from qctrl.provider.forecast import Forecast
    from qctrl.provider.isa import check_isa
    from qctrl.provider.properties import Properties
    from qctrl.provider.request import Emulation, Request
    from qctrl.provider.run_job import RunJob
    from qctrl.provider.scheduling import RoundDelays
    from qctrl.provider.status import BackendStatus, to_job_status
    from qctrl.provider.target import build_target
    from qctrl.provider.tracked_job import TrackedJob

__all__ = [
    "Backend",
    "BackendStatus",
    "Configuration",
    "Device",
    "Emulation",
    "Forecast",
    "Properties",
    "Request",
    "RoundDelays",
    "RunJob",
    "TrackedJob",
    "build_target",
    "check_isa",
    "to_job_status",
]

# Loaded on first use (PEP 562): Qiskit imports the plugin of this room in every process that transpiles, for whatever
# backend, and must not pay for the compiler.
_MODULE_OF = {
    "Backend": "backend",
    "BackendStatus": "status",
    "Configuration": "configuration",
    "Device": "device",
    "Emulation": "request",
    "Forecast": "forecast",
    "Properties": "properties",
    "Request": "request",
    "RoundDelays": "scheduling",
    "RunJob": "run_job",
    "TrackedJob": "tracked_job",
    "build_target": "target",
    "check_isa": "isa",
    "to_job_status": "status",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'qctrl.provider' has no attribute {name!r}")
    return getattr(importlib.import_module(f"qctrl.provider.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
