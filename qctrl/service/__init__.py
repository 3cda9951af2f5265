"""The job service: a store that outlives processes, and the jobs in it."""

from qctrl.service.blob import Blob, decode, encode
from qctrl.service.codec import decode_circuits, encode_circuits
from qctrl.service.jobs import JobHandle, Jobs, LiveJob, StoredJob
from qctrl.service.record import JobFilter, JobRecord, Stage, Submission
from qctrl.service.spec_codec import decode_spec, encode_spec
from qctrl.service.store import JobStore, default_path

__all__ = [
    "Blob",
    "JobFilter",
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
    "decode_spec",
    "default_path",
    "encode",
    "encode_circuits",
    "encode_spec",
]
