"""Where qubits wait: windows between the instructions of a scheduled program."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qctrl.compiler.occupation import occupation
from qctrl.compiler.qubit_life import KEEPS, Effects, follow
from qctrl.ir.gate_program import Opcode

if TYPE_CHECKING:
    from qctrl.compiler.occupation import Placed, Uses


class Window(NamedTuple):
    """A time in which a qubit waits, though it holds something that is still needed."""

    qubit: int
    row: int
    """Of the instruction that ends it, or of the block's end."""
    previous: int
    """Row of the instruction behind which it begins, or of the one before the block."""
    block: int
    begin_ticks: int
    end_ticks: int


def find_windows(placed: Placed, *, skips_reset: bool) -> list[Window]:
    """Return the idle windows of all qubits in all blocks, in the order of rows.

    A barrier ends a window, because what is before it must stay there. A qubit that nobody has touched yet counts as
    waiting unless resets are skipped; one that was measured, or is not used any more, does not.

    Args:
        placed: The program.
        skips_reset: See ``Decoupling``.
    """
    uses = occupation(placed)
    effects = Effects.of(placed.blocks, skips_reset=skips_reset)
    n_qubits = len(placed.owner) - len(placed.tables.frame_group)
    life = follow(placed.blocks, uses, effects, n_qubits)
    found: list[Window] = []
    for block, ticks in enumerate(placed.block_ticks.tolist()):
        first, last = np.searchsorted(uses.block, [block, block + 1]).tolist()
        inside = uses.of(slice(first, last))
        rows = int(placed.blocks.bounds[block]), int(placed.blocks.bounds[block + 1])
        waiting = set(np.flatnonzero(life.filled[block] & life.needed[block]).tolist())
        for qubit in sorted(waiting | set(inside.qubit.tolist())):
            mine = inside.of(inside.qubit == qubit)
            ends = bool(life.filled[block, qubit]), bool(life.needed[block, qubit])
            changes = effects.of_rows[mine.row].tolist()
            found += [
                Window(qubit, row, previous, block, begin, end)
                for row, previous, begin, end in _windows(mine, rows, ticks, _protected(mine, changes, ends))
            ]
    return sorted(found, key=lambda window: window.row)


def _windows(
    uses: Uses, rows: tuple[int, int], block_ticks: int, protected: list[bool]
) -> list[tuple[int, int, int, int]]:
    """Return row behind, row before, begin and end of one qubit's windows; ``rows`` bound those of the block."""
    behind, before = [*uses.row.tolist(), rows[1]], [rows[0] - 1, *uses.row.tolist()]
    begins, ends = [0, *uses.end_ticks.tolist()], [*uses.start_ticks.tolist(), block_ticks]
    gaps = zip(protected, behind, before, begins, ends, strict=True)
    return [(row, previous, begin, end) for wanted, row, previous, begin, end in gaps if wanted and end > begin]


def _protected(uses: Uses, changes: list[int], ends: tuple[bool, bool]) -> list[bool]:
    """Return, for the times before, between and after one qubit's instructions, whether it holds what is needed."""
    filled = [ends[0]]
    for change in changes:
        filled.append(filled[-1] if change == KEEPS else change > KEEPS)
    needed = [ends[1]]
    for opcode in reversed(uses.opcode.tolist()):
        needed.append(needed[-1] if opcode == Opcode.BARRIER else opcode != Opcode.RESET)
    return [one and other for one, other in zip(filled, reversed(needed), strict=True)]
