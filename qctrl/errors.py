"""The whole error tree of the stack; every class has a stable code.

::

    QctrlError                          QC-000
    ├── CalibrationError                QC-CAL    file:line:column, path, value, allowed range
    ├── ConfigError                     QC-CFG    the same, for racks and wiring
    ├── MissingExtraError               QC-EXTRA  names the extra to install
    ├── UnknownOptionError              QC-OPTION the nearest name; also an AttributeError and a ValueError
    ├── CompileError                    QC-CMP    instruction index, gate, qubits
    │   ├── UnsupportedInstructionError QC-CMP-INSTRUCTION
    │   ├── TimingError                 QC-CMP-TIMING
    │   ├── ResourceError               QC-CMP-RESOURCE  need / have, and of what
    │   └── RegisterNameError           QC-CMP-REGISTER  also a ValueError, as in Qiskit
    ├── ProtocolError                   QC-PROTO  magic, version, length, checksum
    ├── InstrumentError                 QC-INST   name and address
    │   ├── InstrumentTimeoutError      QC-INST-TIMEOUT  verb and deadline
    │   └── InstrumentFault             QC-INST-FAULT    code and text from the firmware
    └── JobError                        QC-JOB    job id
        ├── JobNotFoundError            QC-JOB-UNKNOWN
        ├── JobCancelledError           QC-JOB-CANCELLED
        ├── JobTimeLimitError           QC-JOB-TIMELIMIT
        └── JobInterruptedError         QC-JOB-INTERRUPTED
"""

from __future__ import annotations

from typing import ClassVar


class QctrlError(Exception):
    """Root of every error that the stack raises on purpose."""

    code: ClassVar[str] = "QC-000"


class CalibrationError(QctrlError):
    """A calibration file cannot be used; the message starts with ``file:line:column``."""

    code: ClassVar[str] = "QC-CAL"


class ConfigError(QctrlError):
    """A rack, wiring or truth file cannot be used; the message starts with its place."""

    code: ClassVar[str] = "QC-CFG"


class MissingExtraError(QctrlError):
    """An optional dependency is absent; the message names the extra that brings it."""

    code: ClassVar[str] = "QC-EXTRA"


class UnknownOptionError(QctrlError, AttributeError, ValueError):
    """An option has a name that the tree does not know.

    Qiskit says this of an attribute with an ``AttributeError``, other providers with a ``ValueError``.
    """

    code: ClassVar[str] = "QC-OPTION"


class CompileError(QctrlError):
    """A circuit or pulse program cannot be compiled.

    Args:
        message: What is wrong, with the value, the limit and the way out.
        instruction: Index of the instruction in its circuit, if one is to blame.
        gate: Name of that instruction.
        qubits: Indices of its qubits.
    """

    code: ClassVar[str] = "QC-CMP"

    def __init__(
        self,
        message: str,
        *,
        instruction: int | None = None,
        gate: str | None = None,
        qubits: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(message)
        self.instruction = instruction
        self.gate = gate
        self.qubits = qubits


class UnsupportedInstructionError(CompileError):
    """The device has no such operation on these qubits."""

    code: ClassVar[str] = "QC-CMP-INSTRUCTION"


class TimingError(CompileError):
    """A time is off the grid, negative or too long."""

    code: ClassVar[str] = "QC-CMP-TIMING"


class ResourceError(CompileError):
    """A memory, range or count of the hardware is exceeded."""

    code: ClassVar[str] = "QC-CMP-RESOURCE"


class RegisterNameError(CompileError, ValueError):
    """A classical register has a name that its result cannot have; a ``ValueError``, as Qiskit's samplers raise."""

    code: ClassVar[str] = "QC-CMP-REGISTER"


class ProtocolError(QctrlError):
    """Bytes from outside are not what the protocol says."""

    code: ClassVar[str] = "QC-PROTO"


class InstrumentError(QctrlError):
    """An instrument, or the emulator in its place, failed.

    Args:
        message: What happened and what to do.
        name: Name of the instrument in the rack.
        address: Where it was reached.
    """

    code: ClassVar[str] = "QC-INST"

    def __init__(self, message: str, *, name: str = "", address: str = "") -> None:
        super().__init__(message)
        self.name = name
        self.address = address


class InstrumentTimeoutError(InstrumentError):
    """No answer within the deadline; the message names the verb and the deadline."""

    code: ClassVar[str] = "QC-INST-TIMEOUT"


class InstrumentFault(InstrumentError):  # noqa: N818 - the field says fault, not error
    """The firmware refused or failed a request and said why.

    Args:
        message: The firmware's text.
        name: Name of the instrument in the rack.
        address: Where it was reached.
        fault_code: The firmware's own code.
    """

    code: ClassVar[str] = "QC-INST-FAULT"

    def __init__(self, message: str, *, name: str = "", address: str = "", fault_code: str = "") -> None:
        super().__init__(message, name=name, address=address)
        self.fault_code = fault_code


class JobError(QctrlError):
    """A job failed or its record cannot be used.

    Args:
        message: What happened and what to do.
        job_id: Id of the job.
    """

    code: ClassVar[str] = "QC-JOB"

    def __init__(self, message: str, *, job_id: str = "") -> None:
        super().__init__(message)
        self.job_id = job_id


class JobNotFoundError(JobError):
    """No job with this id is stored here."""

    code: ClassVar[str] = "QC-JOB-UNKNOWN"


class JobCancelledError(JobError):
    """The job was cancelled before it had a result."""

    code: ClassVar[str] = "QC-JOB-CANCELLED"


class JobTimeLimitError(JobError):
    """The job was stopped because it ran longer than it may."""

    code: ClassVar[str] = "QC-JOB-TIMELIMIT"


class JobInterruptedError(JobError):
    """The process that ran the job died before it had a result."""

    code: ClassVar[str] = "QC-JOB-INTERRUPTED"
