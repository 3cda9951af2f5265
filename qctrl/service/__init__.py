"""The job service: a store that outlives processes, and the jobs in it."""

from qctrl.service.codec import Blob, decode, decode_circuits, encode, encode_circuits
from qctrl.service.jobs import JobHandle, Jobs, LiveJob, StoredJob
from qctrl.service.record import JobRecord, Stage, Submission
from qctrl.service.store import JobStore, default_path

__all__ = [
    "Blob",
    "JobHandle",
    "JobRecord",
    "JobStore",
    "Jobs",
    "LiveJob",
    "Stage",
    "StoredJob",
    "Submission",
    "decode",
    "decode_circuits",
    "default_path",
    "encode",
    "encode_circuits",
]
