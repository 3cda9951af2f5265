"""Memory for samples, and views of columns as the kernels take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Scalar = TypeVar("_Scalar", bound=np.generic)
LINE_FLOATS: Final = 8
"""Of a line of the cache, 64 bytes."""
_PAGE_FLOATS: Final = 2**18
"""Of a huge page, 2 MiB."""
_MANY_FLOATS: Final = 2 * _PAGE_FLOATS
"""From 4 MiB on NumPy asks for huge pages; fresh memory is had fastest if it is nothing else."""


def aligned(n_floats: int) -> NDArray[np.float64]:
    """Return fresh memory that begins with a line of the cache, or with a huge page if there is much of it.

    Vectors across two lines take twice the time. What lies around the array is never touched and costs nothing.
    """
    unit = LINE_FLOATS if n_floats < _MANY_FLOATS else _PAGE_FLOATS
    memory = np.empty(n_floats + 2 * unit, dtype=np.float64)
    first = -(memory.ctypes.data // memory.itemsize) % unit
    return memory[first : first + n_floats]


def read_only(column: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """Return a contiguous read-only view: one type for the kernels, so that they are compiled once."""
    view = np.ascontiguousarray(column).view()
    view.flags.writeable = False
    return view
