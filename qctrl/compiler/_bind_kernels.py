"""The Numba kernel of binding: angles to words, summed along the chains of rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from qctrl.jit import JIT
from qctrl.units import TURN

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORD: Final = TURN - 1
_TURN_RAD: Final = 2 * math.pi
_LONGEST_TURNS: Final = 2.0**20


@njit(**JIT)
def bind_rows(
    values: NDArray[np.float64], column: NDArray[np.int64], previous: NDArray[np.int64], out: NDArray[np.uint32]
) -> int:
    """Quantise the angle of every row and sum along each row's chain of predecessors.

    Args:
        values: Angles in radians, shape ``(n_bindings, n_columns)``.
        column: Column of each row; row 0 is skipped.
        previous: Row that each row continues; always an earlier one.
        out: Out: words, shape ``(n_bindings, n_rows)``.

    Returns:
        The first binding with an angle that is not finite or beyond the range of a phase, -1 if there is none.
    """
    for b in range(out.shape[0]):
        out[b, 0] = 0
        good = True
        for r in range(1, out.shape[1]):
            turns = values[b, column[r]] / _TURN_RAD
            good &= abs(turns) < _LONGEST_TURNS  # also false for NaN
            word = np.int64(np.rint(turns * TURN)) if good else np.int64(0)
            out[b, r] = (np.int64(out[b, previous[r]]) + word) & _WORD
        if not good:
            return b
    return -1
