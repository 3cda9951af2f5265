"""Split a gate program into blocks and the flow that plays them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from qctrl.compiler.overflow import refuse
from qctrl.ir.gate_program import INSTRUCTION, GateProgram, GateSite, Opcode, SegmentKind
from qctrl.protocol import FLOW, FlowOp, limits
from qctrl.protocol.flow import BRANCHES, instruction, straight_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.calibration import Calibration

_STRAIGHT: Final = straight_line()
_STRAIGHT.flags.writeable = False


class Blocks(NamedTuple):
    """Instructions by block; resets are spelled out as measurements and conditional x."""

    instructions: NDArray[np.void]
    """dtype ``INSTRUCTION``, read-only; those of block k are ``bounds[k] : bounds[k + 1]``."""
    bounds: NDArray[np.int64]
    """Shape ``(n_blocks + 1,)``."""
    sites: tuple[GateSite, ...]
    """What ``site`` refers to: the program's sites and those of the resets."""
    flow: NDArray[np.void]
    """dtype ``qctrl.protocol.FLOW``."""
    n_clbits: int
    """Classical bits, scratch bits of resets included."""
    ends_open: bool
    """Whether anything is played after the last block; if not, its phases need not be carried on."""


def split_blocks(gates: GateProgram, calibration: Calibration) -> Blocks:
    """Return the blocks of a program: one per body, and for resets one capture and two branches per qubit."""
    if len(gates.segments) == 1 and len(gates.flow) == 0 and gates.segments.item()[2] == SegmentKind.BODY:
        return Blocks(
            instructions=gates.instructions,
            bounds=np.array([0, len(gates.instructions)], dtype=np.int64),
            sites=gates.sites,
            flow=_STRAIGHT,
            n_clbits=gates.interface.n_clbits,
            ends_open=False,
        )
    builder = _Builder(gates, calibration)
    if len(gates.flow) == 0:
        for segment in gates.segments:
            builder.add_segment(segment)
        return builder.blocks(ends_open=int(gates.segments["kind"][-1]) == SegmentKind.RESET)
    builder.add_flow(gates.flow)
    return builder.blocks(ends_open=True)


class _Builder:
    def __init__(self, gates: GateProgram, calibration: Calibration) -> None:
        self._gates = gates
        self._calibration = calibration
        self._sites = {site: index for index, site in enumerate(gates.sites)}
        self._rows: list[NDArray[np.void]] = []
        self._flips: dict[int, int] = {}
        self._idles: dict[int, int] = {}
        self._n_scratch = 0
        self.flow: list[tuple[int, int, int, int, int]] = []

    def add_flow(self, flow: NDArray[np.void]) -> None:
        """Spell out a flow over segments."""
        places: list[int] = []
        jumps: list[int] = []
        for row in flow:
            places.append(len(self.flow))
            if row["op"] == FlowOp.PLAY_BLOCK:
                self.add_segment(self._gates.segments[int(row["operand"])])
            elif row["op"] != FlowOp.END:
                jumps += [len(self.flow)] if row["op"] in BRANCHES else []
                self.flow.append(row.item())
        for at in jumps:
            op, flags, operand, target, second = self.flow[at]
            self.flow[at] = (op, flags, operand, places[target], second)

    def add_segment(self, segment: np.void) -> None:
        first = int(segment["first"])
        rows = self._gates.instructions[first : first + int(segment["count"])]
        if segment["kind"] == SegmentKind.RESET:
            self.add_resets(rows)
        else:
            self.flow.append(instruction(FlowOp.PLAY_BLOCK, self.add_block(rows)))

    def add_block(self, rows: NDArray[np.void]) -> int:
        self._rows.append(rows)
        for memory, need, have in (
            ("blocks", len(self._rows), limits.MAX_BLOCKS),
            ("flow instructions", len(self.flow) + 2, limits.MAX_FLOW),  # the block and the end
        ):
            if need > have:
                refuse(memory, need, have, int(rows["source"][0]) if len(rows) else None)
        return len(self._rows) - 1

    def add_resets(self, resets: NDArray[np.void]) -> None:
        """Measure all qubits of the group at once, then flip, one after the other, those that read 1."""
        n_clbits = self._gates.interface.n_clbits
        captures = resets.copy()
        captures["opcode"] = Opcode.MEASURE
        captures["site"] = [self._site("measure", int(qubit)) for qubit in resets["qubit"]]
        captures["clbit"] = n_clbits + np.arange(len(resets))
        self._n_scratch = max(self._n_scratch, len(resets))
        self.flow.append(instruction(FlowOp.PLAY_BLOCK, self.add_block(captures)))
        for clbit, reset in zip(captures["clbit"].tolist(), resets, strict=True):
            at = len(self.flow)
            flip, idle = self._branches(reset)
            self.flow += [
                instruction(FlowOp.BRANCH_BIT, clbit, target=at + 3, flags=1),
                instruction(FlowOp.PLAY_BLOCK, idle),
                instruction(FlowOp.JUMP, target=at + 4),
                instruction(FlowOp.PLAY_BLOCK, flip),
            ]

    def _branches(self, reset: np.void) -> tuple[int, int]:
        """Return the blocks that flip the qubit, and that wait as long."""
        qubit = int(reset["qubit"])
        ticks = self._calibration.duration_ticks("x", (qubit,))
        if qubit not in self._flips:
            self._flips[qubit] = self._single(reset, Opcode.GATE, self._site("x", qubit), 0)
        if ticks not in self._idles:
            self._idles[ticks] = self._single(reset, Opcode.DELAY, -1, ticks)
        return self._flips[qubit], self._idles[ticks]

    def _single(self, reset: np.void, opcode: Opcode, site: int, ticks: int) -> int:
        row = np.zeros(1, dtype=INSTRUCTION)
        row[0] = reset
        row["opcode"], row["site"], row["ticks"] = opcode, site, ticks
        return self.add_block(row)

    def _site(self, name: str, qubit: int) -> int:
        return self._sites.setdefault(GateSite(name, (qubit,)), len(self._sites))

    def blocks(self, *, ends_open: bool) -> Blocks:
        self.flow.append(instruction(FlowOp.END))
        instructions, flow = np.concatenate(self._rows), np.array(self.flow, dtype=FLOW)
        for column in (instructions, flow):
            column.flags.writeable = False
        return Blocks(
            instructions=instructions,
            bounds=np.cumsum([0, *(len(rows) for rows in self._rows)], dtype=np.int64),
            sites=tuple(self._sites),
            flow=flow,
            n_clbits=self._gates.interface.n_clbits + self._n_scratch,
            ends_open=ends_open,
        )
