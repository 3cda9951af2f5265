"""What a program does on each frame, block by block, with the words of one binding put in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qctrl.errors import TimingError
from qctrl.instruments.qblox.structure import If, Loop, Node, Play, Wait, walk
from qctrl.protocol import EventOp, Program
from qctrl.protocol.program import RowField
from qctrl.units import TURN

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Action:
    """An event with its numbers."""

    op: EventOp
    start_ns: int
    """From the start of the block."""
    length_ns: int
    target: int
    """Envelope or capture."""
    gain: int
    phase: int
    ftw: int


class Actions:
    """Events of a program by block and frame.

    Args:
        program: A verified program.
        words: Words of a binding, shape ``(n_slots,)``; ``None`` if it has no open slots.
        ticks: Ticks of a nanosecond.
    """

    def __init__(self, program: Program, words: NDArray[np.uint32] | None, ticks: int) -> None:
        self._program = program
        self._words = [0] * program.n_slots if words is None else words.tolist()
        self._ticks = ticks
        self._blocks = [self._of(block) for block in range(len(program.blocks))]
        self.lengths_ns = [self.to_ns(int(ticks)) for ticks in program.blocks["length_ticks"]]
        """Length of every block."""

    def of(self, block: int) -> dict[int, list[Action]]:
        """Return what happens in a block on each frame, in order."""
        return self._blocks[block]

    def to_ns(self, ticks: int) -> int:
        """Return a time in nanoseconds.

        Raises:
            TimingError: It is no whole number of them.
        """
        if ticks % self._ticks:
            raise TimingError(
                f"Qblox cluster, capability clock: {ticks} ticks are no whole number of nanoseconds; "
                "use times on its grid of 1 ns"
            )
        return ticks // self._ticks

    def frames(self, nodes: Iterable[Node]) -> frozenset[int]:
        """Return the frames that do more in some nodes than have their phases shifted."""
        return frozenset(
            frame
            for block in _blocks(nodes)
            for frame, actions in self._blocks[block].items()
            if any(action.op != EventOp.SHIFT_PHASE for action in actions)
        )

    def begins_inside(self, body: tuple[Node, ...], frame: int) -> type[If] | type[Loop] | None:
        """Return whether the first event of a frame in a loop's body lies in another loop or under a condition."""
        for node in body:
            if frame in self.frames((node,)):
                return type(node) if isinstance(node, If | Loop) else None
        return None

    def shift(self, nodes: Iterable[Node], frame: int) -> int:
        """Return the sum of a frame's phase shifts in some nodes, where no condition holds."""
        total = 0
        for node in nodes:
            match node:
                case Play():
                    shifts = (a.phase for a in self._blocks[node.block].get(frame, ()) if a.op == EventOp.SHIFT_PHASE)
                    total += sum(shifts)
                case Loop():
                    total += node.count * self.shift(node.body, frame)
                case If():
                    total += self.shift(node.passed, frame)
                case Wait():
                    pass
        return total % TURN

    def differs(self, node: If, frame: int) -> bool:
        """Return whether the two ways of a condition leave a frame with different phases."""
        inner = (*node.taken, *node.passed)
        return self.shift(node.taken, frame) != self.shift(node.passed, frame) or any(
            self._differs_within(each, frame) for each in inner
        )

    def _differs_within(self, node: Node, frame: int) -> bool:
        if isinstance(node, If):
            return self.differs(node, frame)
        return isinstance(node, Loop) and any(self._differs_within(each, frame) for each in node.body)

    def _of(self, block: int) -> dict[int, list[Action]]:
        found: dict[int, list[Action]] = {}
        events = self._program.block_events(block)
        # Shifts and new frequencies come before what starts with them.
        order = np.lexsort((events["op"] <= EventOp.CAPTURE, events["start_ticks"]))
        for row in events[order].tolist():
            frame, action = self._action(row)
            found.setdefault(frame, []).append(action)
        return found

    def _action(self, row: tuple[int, ...]) -> tuple[int, Action]:
        start, length, op, row_field, frame, target, gain, phase, phase_row, value_row = row
        ftw = _signed(gain % 2**32 | phase << 32, 64) if op == EventOp.SET_FREQUENCY else 0
        value = _signed(self._words[value_row], 32)
        if row_field == RowField.GAIN:
            gain = value
        elif row_field == RowField.FREQUENCY:
            ftw = value << 16
        turned = phase + self._words[phase_row]
        return frame, Action(EventOp(op), self.to_ns(start), self.to_ns(length), target, gain, turned, ftw)


def _blocks(nodes: Iterable[Node]) -> set[int]:
    blocks: set[int] = set()

    def visit(node: Play) -> None:
        blocks.add(node.block)

    walk(tuple(nodes), visit)
    return blocks


def _signed(word: int, bits: int) -> int:
    return word - 2**bits if word >= 2 ** (bits - 1) else word
