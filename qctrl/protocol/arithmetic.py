"""What the flow's operations on registers compute, on plain integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from qctrl.protocol.flow import REGISTER_BITS, FlowOp

_OPERATIONS: Final[Mapping[FlowOp, Callable[[int, int], int]]] = MappingProxyType(
    {
        FlowOp.MOVE: lambda a, _: a,
        FlowOp.NOT: lambda a, _: ~a,
        FlowOp.AND: lambda a, b: a & b,
        FlowOp.OR: lambda a, b: a | b,
        FlowOp.XOR: lambda a, b: a ^ b,
        FlowOp.ADD: lambda a, b: a + b,
        FlowOp.SUB: lambda a, b: a - b,
        FlowOp.MUL: lambda a, b: a * b,
        FlowOp.DIV: lambda a, b: a // b if b else 2**REGISTER_BITS - 1,
        FlowOp.SHIFT_LEFT: lambda a, b: a << b if b < REGISTER_BITS else 0,
        FlowOp.SHIFT_RIGHT: lambda a, b: a >> b if b < REGISTER_BITS else 0,
        FlowOp.EQUAL: lambda a, b: int(a == b),
        FlowOp.NOT_EQUAL: lambda a, b: int(a != b),
        FlowOp.LESS: lambda a, b: int(a < b),
        FlowOp.LESS_EQUAL: lambda a, b: int(a <= b),
    }
)


def computed(op: FlowOp, first: int, second: int, width: int) -> int:
    """Return what an operation puts into its register, modulo ``2**width``."""
    return _OPERATIONS[op](first, second) % 2**width
