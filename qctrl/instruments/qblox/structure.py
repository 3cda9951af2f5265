"""From the flow's jumps to a tree of blocks, waits, conditions and counted loops.

A sequencer of a cluster cannot read a measured bit, it can only skip real-time instructions by one. So everything that
does not depend on measured bits is decided here, and what does becomes a condition around both ways of a branch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from qctrl.errors import ResourceError, UnsupportedInstructionError
from qctrl.instruments.qblox.postdominators import joins
from qctrl.instruments.qblox.symbols import Value, compute, constant, measured, select
from qctrl.protocol import EventOp, FlowOp, Program

MAX_STEPS: Final = 1_000_000
"""Flow instructions that one shot may execute."""
_TESTS: Final = (FlowOp.BRANCH_BIT, FlowOp.BRANCH_IF)


@dataclass(frozen=True, slots=True)
class Play:
    """Play a block."""

    block: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until some captures are readable."""

    ago: tuple[int, ...]
    """1 for the last capture before this place, 2 for the one before it, ..."""


@dataclass(frozen=True, slots=True)
class If:
    """Play one of two ways."""

    condition: Value
    """Its bits are captures, counted as ``Wait.ago`` is."""
    taken: tuple[Node, ...]
    passed: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """Play nodes again and again."""

    count: int
    body: tuple[Node, ...]


Node: TypeAlias = Play | Wait | If | Loop


@dataclass(frozen=True, slots=True)
class Structure:
    """A flow without jumps."""

    nodes: tuple[Node, ...]
    captures: tuple[int, ...]
    """Capture (its row in the program) of every acquisition of a shot, in the order of the tree."""
    final: tuple[Value, ...]
    """Classical bits at the end of a shot, as functions of these acquisitions."""
    decisive: frozenset[int]
    """Acquisitions that a condition depends on."""


@dataclass(slots=True)
class _Memory:
    bits: list[Value]
    registers: dict[int, Value] = field(default_factory=dict[int, Value])

    def copy(self) -> _Memory:
        return _Memory(list(self.bits), dict(self.registers))

    def register(self, number: int) -> Value:
        return self.registers.get(number, constant(0))


def structure(program: Program) -> Structure:
    """Return a program's flow as a tree.

    Raises:
        UnsupportedInstructionError: A loop goes on for as long as a measured bit says so.
        ResourceError: A shot takes too many steps.
    """
    return _Tracer(program).trace()


def captures_of(program: Program, block: int) -> list[int]:
    """Return the events of a block that are captures, in the order in which they end."""
    events = program.block_events(block)
    found = np.flatnonzero(events["op"] == EventOp.CAPTURE).tolist()
    return sorted(found, key=lambda k: (int(events["start_ticks"][k]), int(events["target"][k])))


class _Tracer:
    """Walks the flow once, with numbers that may depend on bits."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._rows: list[tuple[int, ...]] = [tuple(row.tolist()) for row in program.flow]
        self._joins = joins(self._rows)
        self._heads = {row[3] for at, row in enumerate(self._rows) if row[0] in (FlowOp.JUMP, *_TESTS) and row[3] <= at}
        self._memory = _Memory([constant(0)] * program.n_clbits)
        self._captures: list[int] = []
        self._decisive: set[int] = set()
        self._open: list[int] = []
        self._steps = 0
        self._block_captures = {
            block: [int(program.block_events(block)["target"][k]) for k in captures_of(program, block)]
            for block in range(len(program.blocks))
        }

    def trace(self) -> Structure:
        nodes = self._run(0, len(self._rows))
        return Structure(tuple(nodes), tuple(self._captures), tuple(self._memory.bits), frozenset(self._decisive))

    def _run(self, at: int, until: int) -> list[Node]:
        """Trace from an instruction to another, or to the end."""
        nodes: list[Node] = []
        marks: dict[int, int] = {}
        came_from = -1
        while at != until and self._rows[at][0] != FlowOp.END:
            if at in self._heads:
                if came_from >= at and at in marks:
                    self._fold(nodes, marks[at])
                marks[at] = len(nodes)
            self._count()
            came_from, at = at, self._step(at, nodes)
        return nodes

    def _step(self, at: int, nodes: list[Node]) -> int:
        op, flags, operand, target, second = self._rows[at]
        match FlowOp(op):
            case FlowOp.JUMP:
                return target
            case FlowOp.PLAY_BLOCK:
                nodes.append(Play(operand))
                self._capture(operand)
            case FlowOp.BRANCH_BIT:
                return self._branch(at, nodes, self._read(range(operand, operand + 1), nodes))
            case FlowOp.BRANCH_IF:
                return self._branch(at, nodes, self._memory.register(operand))
            case FlowOp.LOAD:
                self._memory.registers[target] = constant(operand | second << 32)
            case FlowOp.READ_BITS:
                self._memory.registers[target] = self._read(range(operand, operand + flags), nodes)
            case FlowOp.WRITE_BITS:
                self._read(range(operand, operand + flags), nodes)
                word = self._memory.register(target)
                for k in range(flags):
                    self._memory.bits[operand + k] = _bit(word, k)
            case operation:
                first, other = self._memory.register(operand), self._memory.register(second)
                self._memory.registers[target] = compute(operation, first, other, flags)
        return at + 1

    def _branch(self, at: int, nodes: list[Node], value: Value) -> int:
        """Go one way if the value is known, else both, and return where they meet."""
        _, flags, _, target, _ = self._rows[at]
        truth = compute(FlowOp.EQUAL, _truth(value), constant(flags & 1), 64)
        if truth.is_constant:
            return target if truth.table[0] else at + 1
        if at in self._open or at not in self._joins:
            raise UnsupportedInstructionError(
                "Qblox cluster, capability loops: a loop goes on for as long as a measured bit says so, and no "
                "sequencer can read one; use a loop with a fixed number of rounds, or a rack whose sequencers branch"
            )
        self._open.append(at)
        self._decisive.update(truth.bits)
        join, before, n_captures = self._joins[at], self._memory.copy(), len(self._captures)
        condition = truth.renamed(lambda bit: n_captures - bit)
        taken = self._run(target, join)
        after, self._memory = self._memory, before
        passed = self._run(at + 1, join)
        self._memory = _merged(truth, after, self._memory)
        self._open.pop()
        nodes.append(If(condition, tuple(taken), tuple(passed)))
        return join

    def _read(self, bits: range, nodes: list[Node]) -> Value:
        values = [self._memory.bits[bit] for bit in bits]
        ago = tuple(sorted({len(self._captures) - name for value in values for name in value.bits}))
        if ago:
            nodes.append(Wait(ago))
        word = constant(0)
        for k, value in enumerate(values):
            word = compute(FlowOp.OR, word, compute(FlowOp.SHIFT_LEFT, value, constant(k), 64), 64)
        return word

    def _capture(self, block: int) -> None:
        for capture in self._block_captures[block]:
            self._memory.bits[int(self._program.captures["clbit"][capture])] = measured(len(self._captures))
            self._captures.append(capture)

    def _fold(self, nodes: list[Node], first: int) -> None:
        """Make the nodes since ``first`` one more round of the loop before them, if they are one."""
        body = tuple(nodes[first:])
        if not body or self._reach(body)[1] > 0:
            return
        before = nodes[first - 1] if first else None
        del nodes[first:]
        if isinstance(before, Loop) and before.body == body:
            nodes[-1] = Loop(before.count + 1, body)
        else:
            nodes.append(Loop(1, body))

    def _reach(self, nodes: tuple[Node, ...]) -> tuple[int, int]:
        """Return how many captures nodes have, and how many before them they look at."""
        count, deepest = 0, 0
        for node in nodes:
            match node:
                case Play():
                    count += len(self._block_captures[node.block])
                case Wait():
                    deepest = max(deepest, max(node.ago) - count)
                case Loop():
                    inner, below = self._reach(node.body)
                    deepest = max(deepest, below - count)
                    count += node.count * inner
                case If():
                    deepest = max(deepest, max(node.condition.bits) - count)
                    for way in (node.taken, node.passed):
                        inner, below = self._reach(way)
                        deepest = max(deepest, below - count)
                        count += inner
        return count, deepest

    def _count(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise ResourceError(
                f"Qblox cluster, memory instructions: a shot takes more than {MAX_STEPS} steps of the flow; "
                "use fewer rounds"
            )


def _truth(value: Value) -> Value:
    return compute(FlowOp.NOT_EQUAL, value, constant(0), 64)


def _bit(word: Value, k: int) -> Value:
    return compute(FlowOp.AND, compute(FlowOp.SHIFT_RIGHT, word, constant(k), 64), constant(1), 64)


def _merged(truth: Value, taken: _Memory, passed: _Memory) -> _Memory:
    bits = [select(truth, a, b) for a, b in zip(taken.bits, passed.bits, strict=True)]
    names = {*taken.registers, *passed.registers}
    return _Memory(bits, {name: select(truth, taken.register(name), passed.register(name)) for name in names})


def walk(nodes: tuple[Node, ...], visit: Callable[[Play], None]) -> None:
    """Visit every block of a tree once, in order."""
    for node in nodes:
        match node:
            case Play():
                visit(node)
            case If():
                walk(node.taken, visit)
                walk(node.passed, visit)
            case Loop():
                walk(node.body, visit)
            case Wait():
                pass
