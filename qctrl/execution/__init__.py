"""From compiled work to raw results: jobs, runners, and the emulator that stands in for a rack."""

from __future__ import annotations

from qctrl.execution.bundles import Bundle, bundle
from qctrl.execution.connection import check_boxes
from qctrl.execution.embedded import Emulator
from qctrl.execution.execution import Execution
from qctrl.execution.kept_errors import afresh, forget_frames
from qctrl.execution.local import LocalRunner
from qctrl.execution.runner import Runner
from qctrl.execution.spec import SPAN, JobResult, JobSpec, Progress, Status, Work, WorkResult

__all__ = [
    "SPAN",
    "Bundle",
    "Emulator",
    "Execution",
    "JobResult",
    "JobSpec",
    "LocalRunner",
    "Progress",
    "Runner",
    "Status",
    "Work",
    "WorkResult",
    "afresh",
    "bundle",
    "check_boxes",
    "forget_frames",
]
