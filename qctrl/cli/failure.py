"""What a failure looks like on the terminal: one line with a stable code, and an exit code."""

from collections.abc import Iterator
from typing import Final

from qctrl.errors import CalibrationError, ConfigError, InstrumentError, ProtocolError, QctrlError

CHECK_FAILED: Final = 1
USAGE: Final = 2
CONNECTION: Final = 3
CONFIGURATION: Final = 4

_EXIT_CODES: Final[tuple[tuple[type[QctrlError], int], ...]] = (
    (CalibrationError, CONFIGURATION),
    (ConfigError, CONFIGURATION),
    (InstrumentError, CONNECTION),
    (ProtocolError, CONNECTION),
)


def exit_code(error: BaseException) -> int:
    """Return 3 if an instrument is to blame, 4 if a calibration or configuration file, else 1."""
    if isinstance(error, BaseExceptionGroup):
        return max((exit_code(cause) for cause in error.exceptions), default=CHECK_FAILED)
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), CHECK_FAILED)


def lines(error: BaseException) -> Iterator[str]:
    """Yield ``error [CODE]: message``, once per cause of a group; further lines of a message are indented."""
    if isinstance(error, BaseExceptionGroup):
        for cause in error.exceptions:
            yield from lines(cause)
    elif isinstance(error, QctrlError):
        first, *rest = str(error).strip().splitlines() or [type(error).__name__]
        yield f"error [{error.code}]: {first}"
        yield from (f"  {line}" for line in rest if line.strip())
    else:
        said = " ".join(str(error).split())
        yield f"error [QC-INTERNAL]: {type(error).__name__}: {said}; this is a defect: QCTRL_DEBUG=1 shows where"
