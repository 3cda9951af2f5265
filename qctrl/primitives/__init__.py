"""Qiskit's primitives on this stack."""

from qctrl.primitives.estimator import EstimatorV2
from qctrl.primitives.job import Job
from qctrl.primitives.options import EstimatorOptions, SamplerOptions
from qctrl.primitives.restore import restore
from qctrl.primitives.sampler import SamplerV2
from qctrl.primitives.session import Batch, Session
from qctrl.primitives.spans import ExecutionSpan, ExecutionSpans

__all__ = [
    "Batch",
    "EstimatorOptions",
    "EstimatorV2",
    "ExecutionSpan",
    "ExecutionSpans",
    "Job",
    "SamplerOptions",
    "SamplerV2",
    "Session",
    "restore",
]
