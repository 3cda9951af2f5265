"""Several boxes at once: each has a session of its own, so nothing waits for anything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from qctrl.errors import InstrumentError, QctrlError

_B = TypeVar("_B")
_R = TypeVar("_R")


def each(boxes: Mapping[str, _B], failure: str, action: Callable[[_B], _R]) -> dict[str, _R]:
    """Do something to several boxes at once; return what came of it, by name.

    Args:
        boxes: The boxes.
        failure: What did not work if it did not, for the message.
        action: What to do.

    Raises:
        QctrlError: It failed on one box.
        ExceptionGroup: It failed on several; every cause is in it.
    """
    if not boxes:
        return {}
    with ThreadPoolExecutor(len(boxes)) as pool:
        futures = {name: pool.submit(action, box) for name, box in boxes.items()}
    errors = [error for future in futures.values() if (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, QctrlError):
            raise error
    raise_together([error for error in errors if isinstance(error, QctrlError)], failure)
    return {name: future.result() for name, future in futures.items()}


def raise_together(errors: Sequence[QctrlError], failure: str) -> None:
    """Raise errors, if there are any: one as it is, several in a group.

    Args:
        errors: The errors.
        failure: What did not work, for the message.

    Raises:
        QctrlError: There is one.
        ExceptionGroup: There are several.
    """
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup(f"{len(errors)} instruments {failure}", errors) from InstrumentError(failure)
