"""Classical memory of many shots at once: their registers, and the arithmetic of the flow on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.protocol import FlowOp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.branches import Branch

_ZERO: Final = np.uint64(0)
_ONE: Final = np.uint64(1)
_WIDTH: Final = np.uint64(64)
_ALL_ONES: Final = np.uint64(2**64 - 1)


def _divide(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.where(b == _ZERO, _ALL_ONES, a // np.maximum(b, _ONE))


def _shift_left(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # A shift by the whole width or more is undefined in C, hence in NumPy.
    return np.where(b < _WIDTH, a << np.minimum(b, _WIDTH - _ONE), _ZERO)


def _shift_right(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.where(b < _WIDTH, a >> np.minimum(b, _WIDTH - _ONE), _ZERO)


_OPERATIONS: Final[dict[FlowOp, Callable[..., NDArray[np.generic]]]] = {
    FlowOp.MOVE: lambda a, _: a,
    FlowOp.NOT: lambda a, _: ~a,
    FlowOp.AND: np.bitwise_and,
    FlowOp.OR: np.bitwise_or,
    FlowOp.XOR: np.bitwise_xor,
    FlowOp.ADD: np.add,
    FlowOp.SUB: np.subtract,
    FlowOp.MUL: np.multiply,
    FlowOp.DIV: _divide,
    FlowOp.SHIFT_LEFT: _shift_left,
    FlowOp.SHIFT_RIGHT: _shift_right,
    FlowOp.EQUAL: np.equal,
    FlowOp.NOT_EQUAL: np.not_equal,
    FlowOp.LESS: np.less,
    FlowOp.LESS_EQUAL: np.less_equal,
}


class Registers:
    """Unsigned 64-bit registers of the shots of one run through the flow, all zero at first.

    Args:
        n_registers: Registers per shot.
        branches: All shots.
    """

    def __init__(self, n_registers: int, branches: Sequence[Branch]) -> None:
        shots = [branch.shots for branch in branches]
        self._first = min(int(part.min()) for part in shots)
        n_shots = max(int(part.max()) for part in shots) - self._first + 1
        self._words = np.zeros((n_registers, n_shots), dtype=np.uint64)

    def truth(self, register: int, branch: Branch) -> NDArray[np.bool_]:
        """Return which shots of a branch have anything but 0 in a register."""
        return self._words[register, self._rows(branch)] != _ZERO

    def load(self, register: int, value: int, branches: Sequence[Branch]) -> None:
        """Put a constant into a register of the shots of some branches."""
        for branch in branches:
            self._words[register, self._rows(branch)] = np.uint64(value)

    def read_bits(self, register: int, bits: slice, branches: Sequence[Branch]) -> None:
        """Put classical bits into a register, the first lowest."""
        places = np.arange(bits.stop - bits.start, dtype=np.uint64)
        for branch in branches:
            column = branch.bits[:, bits].astype(np.uint64) << places
            self._words[register, self._rows(branch)] = np.bitwise_or.reduce(column, axis=1)

    def write_bits(self, register: int, bits: slice, branches: Sequence[Branch]) -> None:
        """Put the lowest bits of a register into classical bits."""
        places = np.arange(bits.stop - bits.start, dtype=np.uint64)
        for branch in branches:
            words = self._words[register, self._rows(branch)]
            branch.bits[:, bits] = (words[:, None] >> places) & _ONE

    def compute(
        self, op: FlowOp, operands: tuple[int, int], register: int, width: int, branches: Sequence[Branch]
    ) -> None:
        """Put the result of an operation on two registers, modulo ``2**width``, into a register."""
        first, second = operands
        mask = _ALL_ONES >> np.uint64(64 - width)
        for branch in branches:
            rows = self._rows(branch)
            result = _OPERATIONS[op](self._words[first, rows], self._words[second, rows])
            self._words[register, rows] = result.astype(np.uint64) & mask

    def _rows(self, branch: Branch) -> NDArray[np.intp]:
        return branch.shots.astype(np.intp) - self._first
