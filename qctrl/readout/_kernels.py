"""Kernels of the readout room: bits are moved, never decided."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from qctrl.jit import JIT


@njit(**JIT)
def pack_register(bits: NDArray[np.uint8], clbits: NDArray[np.int64], packed: NDArray[np.uint8]) -> None:
    """Gather ``clbits`` of every row into big-endian, right-justified bytes.

    Args:
        bits: ``(rows, nbytes)``; clbit ``k`` is bit ``k & 7`` of byte ``k >> 3``.
        clbits: ``(n,)``; ``clbits[0]`` becomes the least significant bit of the last byte.
        packed: ``(rows, ceil(n / 8))``, zero on entry, written in place.
    """
    last = packed.shape[1] - 1
    for row in range(bits.shape[0]):
        for position in range(clbits.size):
            clbit = clbits[position]
            bit = (bits[row, clbit >> 3] >> (clbit & 7)) & 1
            packed[row, last - (position >> 3)] |= bit << (position & 7)
