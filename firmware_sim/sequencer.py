"""Fetch, decode, execute: walks the flow for all shots of a binding at once.

Shots that took the same path share the samples that the DACs put out, so they are played as one group. A branch splits
a group by a bit or a register, which each shot has for itself; groups that meet again with equal frames go on as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from firmware_sim.classical import Registers
from firmware_sim.physics.branches import Branch, split
from firmware_sim.physics.readout import Capture
from firmware_sim.renderer import Memories, Rendered, Renderer
from firmware_sim.shapes import Plays
from qctrl.errors import InstrumentFault
from qctrl.protocol import FlowOp, Program, Setup

if TYPE_CHECKING:
    from collections.abc import Callable


class Physics(Protocol):
    """What plays samples on the device; ``firmware_sim.physics.engine.Engine`` is one."""

    def play(
        self,
        branches: Sequence[Branch],
        lines: Sequence[NDArray[Any]],
        start_ticks: int,
        captures: Sequence[Capture] = (),
        *,
        plays: Plays | None = None,
        final: bool = False,
    ) -> list[Branch]:
        """Return the branches after a block in which ``plays`` play; ``final`` says that nothing follows it."""
        ...


_Place: TypeAlias = tuple[int, int, bytes, tuple[tuple[int, int], ...]]
"""Tick, next instruction, frames, and bits that are not readable yet."""
_STEPS_BETWEEN_SIGNS: Final = 1024
"""Flow instructions without a block after which a sign of life is due."""


@dataclass(slots=True, eq=False)
class _Group:
    """Shots that took the same path so far, as the sequencers see them."""

    instruction: int
    tick: int
    executed: int
    """Flow instructions so far."""
    memories: Memories
    readable: dict[int, int]
    """Tick from which each written bit may be read."""
    branches: list[Branch]

    def place(self) -> _Place:
        """Return what must be equal for two groups to go on as one."""
        return (
            self.tick,
            self.instruction,
            self.memories.content,
            tuple(sorted(item for item in self.readable.items() if item[1] > self.tick)),
        )


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction of the flow."""

    op: FlowOp
    flags: int
    operand: int
    target: int
    second: int
    bits: range
    """Bits that it waits for."""


def _decode(row: np.void) -> _Step:
    op = FlowOp(int(row["op"]))
    flags, operand, target, second = (int(row[name]) for name in ("flags", "operand", "target", "second"))
    count = {FlowOp.BRANCH_BIT: 1, FlowOp.READ_BITS: flags, FlowOp.WRITE_BITS: flags}.get(op, 0)
    return _Step(op, flags, operand, target, second, range(operand, operand + count))


class Sequencer:
    """Executes the flow of one program.

    Args:
        program: A verified program.
        setup: The Setup it was made for.
        physics: What plays the samples.
        iteration_limit: Most flow instructions in one shot.
        on_step: Called before every block.
        renderer: Of this program, kept from an earlier run or with wires of its own; a new one unless given.

    Attributes:
        keep_states: Play also what no capture sees any more, for those who ask for the states in the end.
        longest_shot_ticks: Length of the longest shot so far.
    """

    def __init__(
        self,
        program: Program,
        setup: Setup,
        physics: Physics,
        iteration_limit: int,
        on_step: Callable[[], None],
        renderer: Renderer | None = None,
    ) -> None:
        self._program = program
        self._physics = physics
        self._renderer = Renderer(program, setup) if renderer is None else renderer
        self._limit = iteration_limit
        self._on_step = on_step
        self._latency_ticks = setup.bit_latency_ticks
        self._grid_ticks = setup.block_granularity_ticks
        self._flow = [_decode(row) for row in program.flow]
        self.longest_shot_ticks = 0
        self.keep_states = False

    def bind(self, words: NDArray[np.uint32] | None) -> None:
        """Take the words of a binding, shape ``(n_slots,)``."""
        self._renderer.bind(words)

    def run(self, branches: list[Branch]) -> list[Branch]:
        """Return the branches after the last instruction of a shot.

        Args:
            branches: Fresh ones, all shots in them.

        Raises:
            InstrumentFault: The iteration limit was exceeded.
            ResourceError: A sample is out of range.
        """
        if self._flow[0].op is FlowOp.END:
            return branches
        self._memory = Registers(self._program.n_registers, branches)
        start = _Group(0, 0, 0, self._renderer.begin(), dict[int, int](), branches)
        waiting: dict[_Place, _Group] = {start.place(): start}
        ended: list[Branch] = []
        while waiting:
            # The earliest first, so that groups of equal length have met before the next block is played.
            group = waiting.pop(min(waiting, key=lambda place: place[:2]))
            for following in self._advance(group):
                if self._flow[following.instruction].op is FlowOp.END:
                    ended += following.branches
                    self.longest_shot_ticks = max(self.longest_shot_ticks, following.tick)
                    continue
                place = following.place()
                met = waiting.get(place)
                if met is None:
                    waiting[place] = following
                else:
                    met.branches += following.branches
                    met.executed = max(met.executed, following.executed)
        return ended

    def _advance(self, group: _Group) -> list[_Group]:
        """Return what becomes of a group by its next instruction."""
        step = self._flow[group.instruction]
        group.executed += 1
        if group.executed > self._limit:
            raise InstrumentFault(
                f"a shot executed more than {self._limit} flow instructions; raise the run's iteration limit "
                "or check the loop's condition",
                fault_code="QC-ITERATION-LIMIT",
            )
        if group.executed % _STEPS_BETWEEN_SIGNS == 0:
            self._on_step()
        if step.bits:
            self._wait(group, step.bits)
        match step.op:
            case FlowOp.JUMP:
                group.instruction = step.target
                return [group]
            case FlowOp.BRANCH_BIT:
                return self._split(group, step, lambda branch: branch.bits[:, step.operand] != 0)
            case FlowOp.BRANCH_IF:
                return self._split(group, step, lambda branch: self._memory.truth(step.operand, branch))
            case FlowOp.PLAY_BLOCK:
                self._play(group, step.operand)
            case _:
                self._compute(group, step)
        group.instruction += 1
        return [group]

    def _compute(self, group: _Group, step: _Step) -> None:
        memory, branches = self._memory, group.branches
        bits = slice(step.operand, step.operand + step.flags)
        match step.op:
            case FlowOp.LOAD:
                memory.load(step.target, step.operand | step.second << 32, branches)
            case FlowOp.READ_BITS:
                memory.read_bits(step.target, bits, branches)
            case FlowOp.WRITE_BITS:
                memory.write_bits(step.target, bits, branches)
            case _:
                memory.compute(step.op, (step.operand, step.second), step.target, step.flags, branches)

    def _wait(self, group: _Group, bits: range) -> None:
        """Let silence pass until bits are readable."""
        readable = max((group.readable.get(bit, 0) for bit in bits), default=0)
        ticks = -(-(readable - group.tick) // self._grid_ticks) * self._grid_ticks
        if ticks > 0:
            self._on_step()
            self._feel(group, self._renderer.silence(ticks, group.tick, group.memories), final=False)
            group.tick += ticks

    def _play(self, group: _Group, block: int) -> None:
        self._on_step()
        rendered = self._renderer.play(block, group.tick, group.memories)
        self._feel(group, rendered, final=not self.keep_states and self._is_end(group.instruction + 1))
        for capture in rendered.captures:
            group.readable[capture.clbit] = capture.first_tick + capture.length_ticks + self._latency_ticks
        group.tick += int(self._program.blocks[block]["length_ticks"])

    def _feel(self, group: _Group, rendered: Rendered, *, final: bool) -> None:
        lines, captures, plays = rendered.lines, rendered.captures, rendered.plays
        group.branches = self._physics.play(group.branches, lines, group.tick, captures, plays=plays, final=final)
        group.memories = rendered.after

    def _split(self, group: _Group, step: _Step, truth: Callable[[Branch], NDArray[np.bool_]]) -> list[_Group]:
        taken: list[Branch] = []
        passed: list[Branch] = []
        for branch in group.branches:
            for value, part in split(branch, truth(branch)).items():
                (taken if value == bool(step.flags) else passed).append(part)
        return [
            _Group(instruction, group.tick, group.executed, group.memories, dict(group.readable), branches)
            for instruction, branches in ((step.target, taken), (group.instruction + 1, passed))
            if branches
        ]

    def _is_end(self, instruction: int) -> bool:
        seen: set[int] = set()
        while self._flow[instruction].op is FlowOp.JUMP and instruction not in seen:
            seen.add(instruction)
            instruction = self._flow[instruction].target
        return self._flow[instruction].op is FlowOp.END
