"""Which qubits hold something worth protecting when a block begins, and which are still needed when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from qctrl.ir.gate_program import Opcode
from qctrl.protocol import FlowOp
from qctrl.protocol.flow import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qctrl.compiler.blocks import Blocks
    from qctrl.compiler.occupation import Uses

EMPTIES, KEEPS, FILLS = -1, 0, 1
"""What an instruction does to a qubit: puts it in a known state, leaves it as it is, may put it in superposition."""

_PLAY, _END, _JUMP = int(FlowOp.PLAY_BLOCK), int(FlowOp.END), int(FlowOp.JUMP)
_BRANCHES: Final = frozenset(int(op) for op in BRANCHES)


class Effects(NamedTuple):
    """What a program does to the worth of its qubits."""

    of_rows: NDArray[np.int64]
    """``EMPTIES``, ``KEEPS`` or ``FILLS`` for every instruction."""
    begins_filled: bool
    """Whether qubits that nobody has touched yet count as worth protecting."""

    @classmethod
    def of(cls, blocks: Blocks, *, skips_reset: bool) -> Effects:
        """Return the effects of a program.

        A measurement leaves nothing that dephases, and an ``x`` behind it does not either; so measured resets end.

        Args:
            blocks: The program.
            skips_reset: Whether qubits in their ground state are left alone.
        """
        rows = blocks.instructions
        is_x = np.array([site.name == "x" and site.custom is None for site in blocks.sites] + [False])[rows["site"]]
        found = np.where(is_x | (rows["opcode"] == Opcode.BARRIER), KEEPS, FILLS)
        found[rows["opcode"] == Opcode.MEASURE] = EMPTIES
        found[rows["opcode"] == Opcode.RESET] = EMPTIES if skips_reset else FILLS
        return cls(found, not skips_reset)


class Life(NamedTuple):
    """By block and qubit, shape ``(n_blocks, n_qubits)``."""

    filled: NDArray[np.bool_]
    """Whether the qubit may be in superposition when the block begins."""
    needed: NDArray[np.bool_]
    """Whether a later block may use what the qubit holds when the block ends."""


def follow(blocks: Blocks, uses: Uses, effects: Effects, n_qubits: int) -> Life:
    """Return what the flow of a program may bring to its blocks, and what it may need of them.

    Args:
        blocks: The program.
        uses: Which instructions occupy which qubits.
        effects: What they do to them.
        n_qubits: Qubits of the device.
    """
    flow: list[tuple[int, int, int, int, int]] = blocks.flow.tolist()
    block_of = np.array([operand if op == _PLAY else -1 for op, _, operand, _, _ in flow])
    successors = [_successors(at, row) for at, row in enumerate(flow)]
    predecessors: list[list[int]] = [[] for _ in flow]
    for at, nexts in enumerate(successors):
        for each in nexts:
            predecessors[each].append(at)
    shape = (len(blocks.bounds) - 1, n_qubits)
    start, nothing = np.full(n_qubits, effects.begins_filled), np.zeros(n_qubits, dtype=np.bool_)
    backwards = range(len(flow) - 1, -1, -1)
    before = _spread(predecessors, range(len(flow)), block_of, _last_effect(uses, effects, shape), start)
    after = _spread(successors, backwards, block_of, _first_use(uses, shape), nothing)
    filled, needed = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    plays = block_of >= 0
    np.logical_or.at(filled, block_of[plays], before[plays])
    np.logical_or.at(needed, block_of[plays], after[plays])
    return Life(filled, needed)


def _last_effect(uses: Uses, effects: Effects, shape: tuple[int, int]) -> NDArray[np.int64]:
    found = np.full(shape, KEEPS)
    changes = effects.of_rows[uses.row]
    chosen = changes != KEEPS
    found[uses.block[chosen], uses.qubit[chosen]] = changes[chosen]  # of equal places the last one stays
    return found


def _first_use(uses: Uses, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return -1 where a block begins by discarding what a qubit holds, 1 where it uses it, 0 where it does neither."""
    found = np.zeros(shape, dtype=np.int64)
    chosen = np.flatnonzero(uses.opcode != Opcode.BARRIER)[::-1]
    found[uses.block[chosen], uses.qubit[chosen]] = np.where(uses.opcode[chosen] == Opcode.RESET, -1, 1)
    return found


def _successors(at: int, row: tuple[int, int, int, int, int]) -> list[int]:
    op, _, _, target, _ = row
    if op == _END:
        return []
    if op == _JUMP:
        return [target]
    return [at + 1, target] if op in _BRANCHES else [at + 1]


def _spread(
    sources: Sequence[list[int]],
    order: range,
    block_of: NDArray[np.int64],
    effect: NDArray[np.int64],
    start: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return what may hold where instructions of the flow are entered: the least fixed point, ``(n_flow, n_qubits)``.

    Args:
        sources: Instructions from which each is entered.
        order: In which they are looked at, again and again.
        block_of: Block that each plays, or -1.
        effect: By block and qubit, 1 if it begins to hold there, -1 if it ends.
        start: What holds at the first instruction of the order, ``(n_qubits,)``.
    """
    entered = np.zeros((len(sources), len(start)), dtype=np.bool_)
    left = entered.copy()
    entered[order[0]] = start
    changed = True
    while changed:
        changed = False
        for at in order:
            if sources[at]:
                entered[at] |= left[sources[at]].any(axis=0)
            block = block_of[at]
            now = entered[at] if block < 0 else (entered[at] & (effect[block] >= 0)) | (effect[block] > 0)
            if not np.array_equal(now, left[at]):
                left[at], changed = now, True
    return entered
