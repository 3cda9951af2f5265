"""Write a flow over segments: jumps name labels, results go to registers that are handed out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NewType

import numpy as np

from qctrl.errors import ResourceError
from qctrl.protocol import FLOW, FlowOp, limits
from qctrl.protocol.flow import BRANCHES, instruction

if TYPE_CHECKING:
    from numpy.typing import NDArray

Label = NewType("Label", int)


class FlowWriter:
    """Collects instructions whose blocks are segments of a gate program.

    Attributes:
        is_playing: Whether the last instruction plays a segment that may still grow.
    """

    def __init__(self) -> None:
        self.is_playing = False
        self._rows: list[tuple[int, int, int, int, int]] = []
        self._places: list[int] = []
        self._used: set[Label] = set()
        self._free: list[int] = []
        self._n_registers = 0

    def play(self, segment: int) -> None:
        """Play a segment, to which gates may be added until anything else is written."""
        self._rows.append(instruction(FlowOp.PLAY_BLOCK, segment))
        self.is_playing = True

    def label(self) -> Label:
        """Return a label that is placed later, behind the jumps to it."""
        self._places.append(-1)
        return Label(len(self._places) - 1)

    def place(self, label: Label) -> None:
        """Let the jumps to a label go on here; without jumps nothing happens."""
        self._places[label] = len(self._rows)
        if label in self._used:
            self.is_playing = False

    def here(self) -> Label:
        """Return a label that is placed here, for jumps back."""
        label = self.label()
        self._used.add(label)
        self.place(label)
        return label

    def jump(self, label: Label) -> None:
        """Go on at a label."""
        self._jump(FlowOp.JUMP, 0, label, 0)

    def branch_bit(self, bit: int, value: bool, label: Label) -> None:
        """Go on at a label if a classical bit has this value."""
        self._jump(FlowOp.BRANCH_BIT, bit, label, int(value))

    def branch_if(self, register: int, value: bool, label: Label) -> None:
        """Go on at a label if a register has this truth."""
        self._jump(FlowOp.BRANCH_IF, register, label, int(value))

    def load(self, value: int, register: int) -> int:
        """Put a constant of 64 bits into a register; return the register."""
        return self._append(FlowOp.LOAD, value & 0xFFFFFFFF, register, 0, value >> 32)

    def read_bits(self, first: int, count: int, register: int) -> int:
        """Put consecutive classical bits into a register; return the register."""
        return self._append(FlowOp.READ_BITS, first, register, count)

    def write_bits(self, first: int, count: int, register: int) -> None:
        """Put the lowest bits of a register into consecutive classical bits."""
        self._append(FlowOp.WRITE_BITS, first, register, count)

    def compute(self, op: FlowOp, width: int, operands: tuple[int, int], register: int) -> int:
        """Put the result of an operation on two registers into one; return the register.

        Args:
            op: ``MOVE``, ``NOT`` or one with two operands.
            width: The result is taken modulo ``2**width``.
            operands: Registers; the second is 0 if the operation has one operand.
            register: May be one of the operands.
        """
        return self._append(op, operands[0], register, width, operands[1])

    def take_register(self) -> int:
        """Return a register that nobody uses; its content is anything."""
        return self._free.pop() if self._free else self.new_register()

    def new_register(self) -> int:
        """Return a register that nobody ever used, so that what it holds survives every loop around its use.

        Raises:
            ResourceError: There are no more.
        """
        if self._n_registers == limits.MAX_REGISTERS:
            raise ResourceError(
                f"the circuit needs more than {limits.MAX_REGISTERS} registers; use fewer classical variables"
            )
        self._n_registers += 1
        return self._n_registers - 1

    def give_back(self, register: int) -> None:
        """Let a register be handed out again."""
        self._free.append(register)

    def column(self) -> NDArray[np.void]:
        """Return the flow, dtype ``FLOW``, read-only; empty if it only plays the segments in order."""
        if all(row[0] == FlowOp.PLAY_BLOCK for row in self._rows):
            rows = np.zeros(0, dtype=FLOW)
        else:
            rows = np.array([*self._rows, instruction(FlowOp.END)], dtype=FLOW)
            jumps = np.isin(rows["op"], BRANCHES)
            rows["target"][jumps] = np.array(self._places)[rows["target"][jumps]]
        rows.flags.writeable = False
        return rows

    def _jump(self, op: FlowOp, operand: int, label: Label, flags: int) -> None:
        self._used.add(label)
        self._append(op, operand, label, flags)

    def _append(self, op: FlowOp, operand: int, target: int, flags: int, second: int = 0) -> int:
        if len(self._rows) + 1 >= limits.MAX_FLOW:  # the end comes behind
            raise ResourceError(
                f"the circuit needs more than {limits.MAX_FLOW} flow instructions; use fewer branches, loops and "
                "classical expressions"
            )
        self._rows.append(instruction(op, operand, target, flags, second))
        self.is_playing = False
        return target
