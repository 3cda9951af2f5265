"""Kernels of the readout room: bits are moved, never decided."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from qctrl.jit import JIT


@njit(**JIT)
def pack_register(bits: NDArray[np.uint8], moves: NDArray[np.int64], packed: NDArray[np.uint8]) -> None:
    """Move runs of bits of every row to other bytes.

    Args:
        bits: ``(rows, nbytes)``; clbit ``k`` is bit ``k & 7`` of byte ``k >> 3``.
        moves: ``(n_moves, 5)``: byte to read, shift to the right, mask, shift to the left, byte to write.
        packed: ``(rows, ceil(n / 8))``, zero on entry, written in place.
    """
    for row in range(bits.shape[0]):
        for index in range(moves.shape[0]):
            run = (bits[row, moves[index, 0]] >> moves[index, 1]) & moves[index, 2]
            packed[row, moves[index, 4]] |= run << moves[index, 3]
