"""How long a shot of a program takes, before it is played."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from qctrl.protocol import EventOp, FlowOp, Program, Setup
from qctrl.protocol.arithmetic import computed
from qctrl.protocol.flow import BRANCHES

_MOST_STEPS = 100_000
"""Instructions that are followed, over all ways through a program; about 0.3 s."""
_Known: TypeAlias = tuple[int | None, ...]
"""Words or bits; ``None`` is one that depends on what is measured."""


@dataclass(frozen=True, slots=True)
class ShotTime:
    """Length of a shot, waiting for bits included."""

    ticks: int
    """Of the longest way through all decisions; every loop that ends by a measured bit alone is counted once."""
    is_bounded: bool
    """Whether no shot takes longer."""


class _State(NamedTuple):
    """A shot before an instruction; what comes depends on nothing else."""

    at: int
    registers: _Known
    bits: _Known
    unreadable: tuple[tuple[int, int], ...] = ()
    """Bits with the ticks until they can be read."""


def shot_time(program: Program, setup: Setup) -> ShotTime:
    """Return how long a shot takes; where it takes too long to say, each block is counted once.

    Loops are followed round by round for as long as what they count is known, and at decisions by measured bits both
    ways are.

    Args:
        program: A verified program.
        setup: The Setup it was made for.
    """
    walk = _Walk(program, setup)
    longest: dict[_State, int] = {}
    entered: dict[_State, tuple[int, Sequence[_State]]] = {}
    is_bounded = True
    start = _State(0, (0,) * program.n_registers, (0,) * program.n_clbits)
    stack = [start]
    while stack:
        state = stack[-1]
        if state in entered:
            ticks, ways = entered.pop(state)
            longest[state] = ticks + max((longest.get(way, 0) for way in ways), default=0)
        if state in longest:
            stack.pop()
            continue
        entered[state] = walk.onward(state)
        if walk.steps >= _MOST_STEPS:
            return ShotTime(int(program.blocks["length_ticks"].sum()), is_bounded=False)
        # Whoever comes back to where nothing has changed may do so for ever.
        is_bounded &= not any(way in entered for way in entered[state][1])
        stack += [way for way in entered[state][1] if way not in entered]
    return ShotTime(longest[start], is_bounded)


class _Walk:
    """Follows a program from decision to decision."""

    def __init__(self, program: Program, setup: Setup) -> None:
        self.steps = 0
        self._flow = [_Row(*(int(field) for field in row)) for row in program.flow.tolist()]
        self._lengths: list[int] = program.blocks["length_ticks"].tolist()
        self._captures = [_captures(program, block) for block in range(len(self._lengths))]
        self._grid, self._latency = setup.block_granularity_ticks, setup.bit_latency_ticks

    def onward(self, state: _State) -> tuple[int, Sequence[_State]]:
        """Return the ticks to the next decision that is not known, and where its ways begin; none at the end."""
        shot, at = _Shot(state), state.at
        while self.steps < _MOST_STEPS:
            self.steps += 1
            row = self._flow[at]
            shot.wait(row.waited_for, self._grid)
            if row.op == FlowOp.END:
                break
            if row.op == FlowOp.PLAY_BLOCK:
                shot.play(self._lengths[row.operand], self._captures[row.operand], self._latency)
            elif row.op in BRANCHES:
                goes = shot.decision(row)
                if goes is None:
                    return shot.tick, (shot.after(row, row.target, goes=True), shot.after(row, at + 1, goes=False))
                at = row.target - 1 if goes else at
            else:
                shot.compute(row)
            at += 1
        return shot.tick, ()


class _Row(NamedTuple):
    """An instruction of the flow."""

    op: int
    flags: int
    operand: int
    target: int
    second: int

    @property
    def waited_for(self) -> range:
        """Bits that must be readable."""
        count = {FlowOp.BRANCH_BIT: 1, FlowOp.READ_BITS: self.flags, FlowOp.WRITE_BITS: self.flags}
        return range(self.operand, self.operand + count.get(FlowOp(self.op), 0))


class _Shot:
    """What is known of a shot on its way from a state."""

    def __init__(self, state: _State) -> None:
        self.tick = 0
        self._registers, self._bits = list(state.registers), list(state.bits)
        self._readable = dict(state.unreadable)

    def wait(self, bits: range, grid_ticks: int) -> None:
        for bit in bits:
            late = self._readable.get(bit, 0) - self.tick
            self.tick += max(0, -(-late // grid_ticks)) * grid_ticks

    def play(self, length_ticks: int, captures: Sequence[tuple[int, int]], latency_ticks: int) -> None:
        for bit, end_ticks in captures:
            self._bits[bit], self._readable[bit] = None, self.tick + end_ticks + latency_ticks
        self.tick += length_ticks

    def decision(self, row: _Row) -> bool | None:
        """Return whether a branch is taken; ``None`` if what is measured decides."""
        if row.op == FlowOp.JUMP:
            return True
        value = self._bits[row.operand] if row.op == FlowOp.BRANCH_BIT else self._registers[row.operand]
        return None if value is None else (value != 0) == bool(row.flags & 1)

    def after(self, row: _Row, place: int, *, goes: bool) -> _State:
        """Return the state behind a branch that went one way, which tells what it was decided by."""
        registers, bits = list(self._registers), list(self._bits)
        is_set = goes == bool(row.flags & 1)
        if row.op == FlowOp.BRANCH_BIT:
            bits[row.operand] = int(is_set)
        elif not is_set:
            registers[row.operand] = 0
        late = sorted((bit, end - self.tick) for bit, end in self._readable.items() if end > self.tick)
        return _State(place, tuple(registers), tuple(bits), tuple(late))

    def compute(self, row: _Row) -> None:
        registers, bits = self._registers, self._bits
        where = slice(row.operand, row.operand + row.flags)
        if row.op == FlowOp.LOAD:
            registers[row.target] = row.operand + 2**32 * row.second
        elif row.op == FlowOp.READ_BITS:
            read = [bit for bit in bits[where] if bit is not None]
            registers[row.target] = sum(bit << k for k, bit in enumerate(read)) if len(read) == row.flags else None
        elif row.op == FlowOp.WRITE_BITS:
            word = registers[row.target]
            bits[where] = [None if word is None else word >> k & 1 for k in range(row.flags)]
        else:
            # Operations of one operand do not look at their second.
            first, second = registers[row.operand], registers[row.second if row.op >= FlowOp.AND else row.operand]
            if first is None or second is None:
                registers[row.target] = None
            else:
                registers[row.target] = computed(FlowOp(row.op), first, second, row.flags)


def _captures(program: Program, block: int) -> list[tuple[int, int]]:
    """Return the bits that a block's captures write, each with the tick in the block at which its window ends."""
    events = program.block_events(block)
    events = events[events["op"] == EventOp.CAPTURE]
    return [
        (int(program.captures[each["target"]]["clbit"]), int(each["start_ticks"]) + int(each["length_ticks"]))
        for each in np.sort(events, order=["start_ticks", "target"])
    ]
