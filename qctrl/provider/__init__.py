"""The device as Qiskit sees it: Target, backend, early checks."""

from qctrl.provider.backend import Backend, Configuration, Device
from qctrl.provider.isa import check_isa
from qctrl.provider.request import Emulation, Request
from qctrl.provider.run_job import RunJob
from qctrl.provider.status import to_job_status
from qctrl.provider.target import build_target

__all__ = [
    "Backend",
    "Configuration",
    "Device",
    "Emulation",
    "Request",
    "RunJob",
    "build_target",
    "check_isa",
    "to_job_status",
]
