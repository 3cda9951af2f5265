"""The flow program's few instructions: blocks, jumps, and arithmetic on classical memory."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import ProtocolError
from qctrl.protocol import limits

FLOW: Final = np.dtype([("op", "<u2"), ("flags", "<u2"), ("operand", "<u4"), ("target", "<u4"), ("second", "<u4")])
"""16 bytes an instruction; what the fields mean depends on ``op``, and those that mean nothing are 0."""
REGISTER_BITS: Final = 64
"""Width of a register; they are unsigned, and 0 when a shot begins."""


class FlowOp(IntEnum):
    """Opcodes; later versions add instructions, an unknown one is refused."""

    END = 0
    """The shot is over."""
    PLAY_BLOCK = 1
    """Play block ``operand``, then go on with the next instruction, as all that follow but jumps."""
    JUMP = 2
    """Go on at instruction ``target``."""
    BRANCH_BIT = 3
    """Wait until bit ``operand`` is readable; go on at ``target`` if it equals ``flags & 1``."""
    BRANCH_IF = 4
    """Go on at ``target`` if whether register ``operand`` is not 0 equals ``flags & 1``."""
    LOAD = 5
    """Register ``target`` becomes ``operand + 2**32 second``."""
    READ_BITS = 6
    """Wait until ``flags`` bits from bit ``operand`` are readable; ``target`` becomes them, the first lowest."""
    WRITE_BITS = 7
    """Wait in the same way; those bits become the lowest of register ``target``, and are readable at once."""
    MOVE = 8
    """Register ``target`` becomes register ``operand`` modulo ``2**flags``."""
    NOT = 9
    """Register ``target`` becomes ``2**flags - 1`` minus register ``operand``, modulo ``2**flags``."""
    AND = 16
    """From here on register ``target`` becomes ``operand`` op ``second``, both registers, modulo ``2**flags``."""
    OR = 17
    XOR = 18
    ADD = 19
    SUB = 20
    MUL = 21
    DIV = 22
    """Whole part of the quotient; all ones if ``second`` is 0."""
    SHIFT_LEFT = 23
    """0 if ``second`` is 64 or more, as the next."""
    SHIFT_RIGHT = 24
    EQUAL = 25
    """1 if it holds, else 0, as the next three."""
    NOT_EQUAL = 26
    LESS = 27
    LESS_EQUAL = 28


BRANCHES: Final = (FlowOp.JUMP, FlowOp.BRANCH_BIT, FlowOp.BRANCH_IF)
"""Instructions after which another than the next may follow."""
_OPS: Final = np.array([int(op) for op in FlowOp])
_BITS_OPS: Final = (FlowOp.READ_BITS, FlowOp.WRITE_BITS)
_FIRST_BINARY: Final = FlowOp.AND


def instruction(
    op: FlowOp, operand: int = 0, target: int = 0, flags: int = 0, second: int = 0
) -> tuple[int, int, int, int, int]:
    """Return one row of dtype ``FLOW``."""
    return (int(op), flags, operand, target, second)


def straight_line() -> NDArray[np.void]:
    """Return the flow of a program with one block: play it, end."""
    return np.array([instruction(FlowOp.PLAY_BLOCK), instruction(FlowOp.END)], dtype=FLOW)


_STRAIGHT_LINE: Final = straight_line().tobytes()


def verify(flow: NDArray[np.void], n_blocks: int, n_clbits: int) -> None:
    """Check that every instruction is known and every operand and target exists.

    Raises:
        ProtocolError: An instruction is unknown or points outside.
    """
    if n_blocks and flow.tobytes() == _STRAIGHT_LINE:
        return
    if len(flow) == 0 or int(flow[-1]["op"]) not in (FlowOp.END, FlowOp.JUMP):
        raise ProtocolError("flow: must end with END or JUMP")
    op, flags, operand, target, second = (flow[name].astype(np.int64) for name in FLOW.names or ())
    _refuse(~np.isin(op, _OPS), flow, "unknown instruction {op}; a newer compiler made it, upgrade this side")
    bits, binary, load = np.isin(op, _BITS_OPS), op >= _FIRST_BINARY, op == FlowOp.LOAD
    _refuse((op == FlowOp.PLAY_BLOCK) & (operand >= n_blocks), flow, f"block {{operand}} of {n_blocks}")
    _refuse((op == FlowOp.BRANCH_BIT) & (operand >= n_clbits), flow, f"bit {{operand}} of {n_clbits}")
    _refuse(bits & (operand + flags > n_clbits), flow, f"{{flags}} bits from bit {{operand}} of {n_clbits}")
    _refuse(np.isin(op, BRANCHES) & (target >= len(flow)), flow, f"target {{target}} of {len(flow)}")
    for name, uses in _register_uses(op).items():
        have = limits.MAX_REGISTERS
        _refuse(uses & (flow[name] >= have), flow, f"register {{{name}}} of {have}")
    sized = bits | (op >= FlowOp.MOVE)
    wrong = np.where(sized, (flags < 1) | (flags > REGISTER_BITS), flags > np.isin(op, BRANCHES[1:]))
    unused = (operand != 0) & ((op == FlowOp.END) | (op == FlowOp.JUMP))
    unused |= ((target != 0) & (op <= FlowOp.PLAY_BLOCK)) | ((second != 0) & ~(load | binary))
    _refuse(wrong | unused, flow, "reserved bits are set, or a width is not 1 to 64")


def count_registers(flow: NDArray[np.void]) -> int:
    """Return how many registers a verified flow uses, counted from 0."""
    uses = _register_uses(flow["op"].astype(np.int64))
    return max((int(flow[name][used].max()) + 1 for name, used in uses.items() if used.any()), default=0)


def _register_uses(op: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Return per field the instructions in which it names a register."""
    return {
        "operand": (op >= FlowOp.MOVE) | (op == FlowOp.BRANCH_IF),
        "target": op >= FlowOp.LOAD,
        "second": op >= _FIRST_BINARY,
    }


def _refuse(bad: NDArray[np.bool_], flow: NDArray[np.void], what: str) -> None:
    if bad.any():
        k = int(np.argmax(bad))
        fields = {name: int(flow[k][name]) for name in FLOW.names or ()}
        raise ProtocolError(f"flow {k}: {what.format(**fields)}")


def text(flow: NDArray[np.void]) -> str:
    """Return one line per instruction."""
    return "\n".join(f"{k:4d} {_line(row)}" for k, row in enumerate(flow))


def _line(row: np.void) -> str:
    op = FlowOp(int(row["op"]))
    flags, operand, target, second = (int(row[name]) for name in ("flags", "operand", "target", "second"))
    name = op.name.lower()
    bits = f"c{operand}" if flags == 1 else f"c{operand}..c{operand + flags - 1}"
    match op:
        case FlowOp.END:
            return name
        case FlowOp.PLAY_BLOCK:
            return f"{name} b{operand}"
        case FlowOp.JUMP:
            return f"{name} -> {target}"
        case FlowOp.BRANCH_BIT:
            return f"{name} c{operand} == {flags & 1} -> {target}"
        case FlowOp.BRANCH_IF:
            return f"{name} r{operand} {'!=' if flags & 1 else '=='} 0 -> {target}"
        case FlowOp.LOAD:
            return f"{name} r{target} = {operand | second << 32}"
        case FlowOp.READ_BITS:
            return f"{name} r{target} = {bits}"
        case FlowOp.WRITE_BITS:
            return f"{name} {bits} = r{target}"
        case FlowOp.MOVE | FlowOp.NOT:
            return f"{name} r{target} = r{operand} mod 2**{flags}"
        case _:
            return f"{name} r{target} = r{operand}, r{second} mod 2**{flags}"
