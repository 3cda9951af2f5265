"""Which bits the flow reads before the next block is played."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qctrl.protocol import FlowOp

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PLAY, _END, _JUMP = int(FlowOp.PLAY_BLOCK), int(FlowOp.END), int(FlowOp.JUMP)
_BRANCH_BIT, _BRANCH_IF, _READ_BITS = int(FlowOp.BRANCH_BIT), int(FlowOp.BRANCH_IF), int(FlowOp.READ_BITS)


def awaited_bits(flow: NDArray[np.void]) -> set[tuple[int, int]]:
    """Return pairs of a block and a bit that may be read between this block and the next one.

    Such a block may as well last until the bit is readable; whoever reads a bit elsewhere may have to wait or not,
    as the shot takes its way.
    """
    rows: list[tuple[int, int, int, int, int]] = flow.tolist()
    found: set[tuple[int, int]] = set()
    for at, (op, _, block, _, _) in enumerate(rows):
        if op == _PLAY:
            found |= {(block, bit) for bit in _reads_from(rows, at + 1)}
    return found


def _reads_from(rows: list[tuple[int, int, int, int, int]], start: int) -> set[int]:
    """Return the bits that are read from an instruction on, on any way, until a block is played."""
    bits: set[int] = set()
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        at = waiting.pop()
        op, flags, operand, target, _ = rows[at]
        if at in seen or op in (_PLAY, _END):
            continue
        seen.add(at)
        if op in (_BRANCH_BIT, _READ_BITS):
            bits |= set(range(operand, operand + (flags if op == _READ_BITS else 1)))
        if op in (_JUMP, _BRANCH_BIT, _BRANCH_IF):
            waiting.append(target)
        if op != _JUMP:
            waiting.append(at + 1)
    return bits
