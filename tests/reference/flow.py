"""What one shot does with a flow, instruction by instruction in plain integers, from FORMAT.md section 5 alone.

Qubits do not exist here: whoever plays the blocks says what their captures read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CAPTURE_EVENT = 1
END, PLAY_BLOCK, JUMP, BRANCH_BIT, BRANCH_IF, LOAD, READ_BITS, WRITE_BITS = range(8)
COMPUTE: dict[int, Callable[[int, int], int]] = {
    8: lambda a, _: a,
    9: lambda a, _: ~a,
    16: lambda a, b: a & b,
    17: lambda a, b: a | b,
    18: lambda a, b: a ^ b,
    19: lambda a, b: a + b,
    20: lambda a, b: a - b,
    21: lambda a, b: a * b,
    22: lambda a, b: a // b if b else 2**64 - 1,
    23: lambda a, b: a << b if b < 64 else 0,
    24: lambda a, b: a >> b if b < 64 else 0,
    25: lambda a, b: int(a == b),
    26: lambda a, b: int(a != b),
    27: lambda a, b: int(a < b),
    28: lambda a, b: int(a <= b),
}


@dataclass
class Shot:
    """Classical memory and history of one shot."""

    bits: list[int]
    registers: list[int]
    readable: dict[int, int] = field(default_factory=dict)
    blocks: list[tuple[int, int]] = field(default_factory=list)
    """Block and tick of its start, in the order of play."""
    tick: int = 0
    executed: int = 0
    ended: bool = False


def run(program: Any, setup: Any, play: Callable[[int], list[int]], limit: int = 10_000) -> Shot:
    """Return a shot after its end, or after ``limit`` instructions.

    Args:
        program: The packed program.
        setup: The rack.
        play: Plays a block and returns what its captures read, in the order of ``captures_of``.
        limit: Most instructions.
    """
    shot = Shot([0] * program.n_clbits, [0] * program.n_registers)
    at = 0
    while shot.executed < limit:
        row = tuple(int(value) for value in program.flow[at].tolist())
        if row[0] == END:
            shot.ended = True
            break
        shot.executed += 1
        if row[0] == PLAY_BLOCK:
            note(program, setup, row[2], shot, play(row[2]))
            at += 1
        elif row[0] in (JUMP, BRANCH_BIT, BRANCH_IF):
            at = following(setup, row, shot, at)
        else:
            compute(setup, row, shot)
            at += 1
    return shot


def following(setup: Any, row: tuple[int, ...], shot: Shot, at: int) -> int:
    op, flags, operand, target, _ = row
    if op == BRANCH_BIT:
        wait(setup, shot, [operand])
    goes = {
        JUMP: lambda: True,
        BRANCH_BIT: lambda: shot.bits[operand] == flags & 1,
        BRANCH_IF: lambda: (shot.registers[operand] != 0) == bool(flags & 1),
    }[op]()
    return target if goes else at + 1


def compute(setup: Any, row: tuple[int, ...], shot: Shot) -> None:
    op, flags, operand, target, second = row
    if op in (READ_BITS, WRITE_BITS):
        wait(setup, shot, range(operand, operand + flags))
    if op == LOAD:
        shot.registers[target] = operand + 2**32 * second
    elif op == READ_BITS:
        shot.registers[target] = sum(shot.bits[operand + k] << k for k in range(flags))
    elif op == WRITE_BITS:
        for k in range(flags):
            shot.bits[operand + k] = shot.registers[target] >> k & 1
    else:
        result = COMPUTE[op](shot.registers[operand], shot.registers[second])
        shot.registers[target] = result % 2**flags


def captures_of(program: Any, block: int) -> list[Any]:
    """Return the capture events of a block."""
    captures = [event for event in program.block_events(block) if event["op"] == CAPTURE_EVENT]
    return sorted(captures, key=lambda event: (int(event["start_ticks"]), int(event["target"])))


def note(program: Any, setup: Any, block: int, shot: Shot, reads: list[int]) -> None:
    """Write what was read, and let the time of the block pass."""
    shot.blocks.append((block, shot.tick))
    for event, value in zip(captures_of(program, block), reads, strict=True):
        clbit = int(program.captures[int(event["target"])]["clbit"])
        end = shot.tick + int(event["start_ticks"]) + int(event["length_ticks"])
        shot.bits[clbit] = value
        shot.readable[clbit] = end + setup.bit_latency_ticks
    shot.tick += int(program.blocks[block]["length_ticks"])


def wait(setup: Any, shot: Shot, bits: Any) -> None:
    grid = math.lcm(*(n for port in setup.ports for n in (port.granularity_ticks, port.sample_ticks)))
    for bit in bits:
        while shot.tick < shot.readable.get(bit, 0):
            shot.tick += grid
