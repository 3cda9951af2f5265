"""The flow program's few instructions."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import ProtocolError

FLOW: Final = np.dtype([("op", "<u2"), ("flags", "<u2"), ("operand", "<u4"), ("target", "<u4"), ("zero", "<u4")])
"""16 bytes an instruction; what ``operand`` and ``target`` mean depends on ``op``."""


class FlowOp(IntEnum):
    """Opcodes; later versions add instructions, an unknown one is refused."""

    END = 0
    """The shot is over."""
    PLAY_BLOCK = 1
    """Play block ``operand``, then go on with the next instruction."""
    JUMP = 2
    """Go on at instruction ``target``."""
    BRANCH_BIT = 3
    """Wait until bit ``operand`` is readable; go on at ``target`` if it equals ``flags & 1``."""


def instruction(op: FlowOp, operand: int = 0, target: int = 0, flags: int = 0) -> tuple[int, int, int, int, int]:
    """Return one row of dtype ``FLOW``."""
    return (int(op), flags, operand, target, 0)


def straight_line() -> NDArray[np.void]:
    """Return the flow of a program with one block: play it, end."""
    return np.array([instruction(FlowOp.PLAY_BLOCK), instruction(FlowOp.END)], dtype=FLOW)


def verify(flow: NDArray[np.void], n_blocks: int, n_clbits: int) -> None:
    """Check that every instruction is known and every operand and target exists.

    Raises:
        ProtocolError: An instruction is unknown or points outside.
    """
    if len(flow) == 0 or int(flow[-1]["op"]) not in (FlowOp.END, FlowOp.JUMP):
        raise ProtocolError("flow: must end with END or JUMP")
    for k, row in enumerate(flow):
        op, operand, target = int(row["op"]), int(row["operand"]), int(row["target"])
        if op not in FlowOp.__members__.values():
            raise ProtocolError(f"flow {k}: unknown instruction {op}; a newer compiler made it, upgrade this side")
        if op == FlowOp.PLAY_BLOCK and operand >= n_blocks:
            raise ProtocolError(f"flow {k}: block {operand} of {n_blocks}")
        if op == FlowOp.BRANCH_BIT and operand >= n_clbits:
            raise ProtocolError(f"flow {k}: bit {operand} of {n_clbits}")
        if op in (FlowOp.JUMP, FlowOp.BRANCH_BIT) and target >= len(flow):
            raise ProtocolError(f"flow {k}: target {target} of {len(flow)}")
        if int(row["zero"]) != 0 or int(row["flags"]) > (1 if op == FlowOp.BRANCH_BIT else 0):
            raise ProtocolError(f"flow {k}: reserved bits are set")


def text(flow: NDArray[np.void]) -> str:
    """Return one line per instruction."""
    lines: list[str] = []
    for k, row in enumerate(flow):
        op = FlowOp(int(row["op"]))
        tail = {
            FlowOp.END: "",
            FlowOp.PLAY_BLOCK: f" b{int(row['operand'])}",
            FlowOp.JUMP: f" -> {int(row['target'])}",
            FlowOp.BRANCH_BIT: f" c{int(row['operand'])} == {int(row['flags']) & 1} -> {int(row['target'])}",
        }[op]
        lines.append(f"{k:4d} {op.name.lower()}{tail}")
    return "\n".join(lines)
