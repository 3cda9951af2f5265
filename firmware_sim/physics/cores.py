"""Work on many bindings, shared among the cores: kernels let go of the interpreter while they run."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 8
"""Cores beyond which the bindings that are played side by side leave little to share."""


def share(n: int, work: Callable[[slice], object]) -> None:
    """Call ``work`` for slices of a range that together are all of it, at once on all cores that the process may use.

    Args:
        n: Length of the range.
        work: Writes only what belongs to its slice, so that nothing depends on the number of cores.
    """
    cores = min(n, _cores())
    parts = [slice(first, last) for first, last in pairwise(n * k // cores for k in range(cores + 1))] if n else []
    others = [_pool().submit(work, part) for part in parts[1:]]
    if parts:
        work(parts[0])
    for other in others:
        other.result()


def _cores() -> int:
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, _MOST)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MOST - 1, thread_name_prefix="bindings")
