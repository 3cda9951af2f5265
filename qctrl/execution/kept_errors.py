"""Errors that a job keeps, and raises again for everybody who asks.

A raised error remembers the frames that it went through, and they what they knew, the job among it: a circle that only
the garbage collector would break, late. So what is kept remembers no frames, and what is raised is not kept.
"""

from __future__ import annotations

import copy

from qctrl.errors import QctrlError


def forget_frames(error: BaseException) -> None:
    """Let an error and its causes forget where they were raised."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = None
        parts = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [each for each in (one.__cause__, one.__context__, *parts) if each is not None]


def afresh(error: BaseException) -> BaseException:
    """Return an equal error to raise; a defect, which may be of a class that cannot be copied, is given itself."""
    if not isinstance(error, QctrlError):
        return error
    again = copy.copy(error)
    again.__cause__, again.__context__ = error.__cause__, error.__context__
    again.__suppress_context__ = error.__suppress_context__
    return again
