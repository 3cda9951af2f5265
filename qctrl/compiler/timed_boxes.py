"""Let boxes with a duration last exactly so long: what their contents leave of it, they wait.

Late, a box waits before its contents, soon, behind them. It begins, in the direction in which the block is placed, on
the grid of its contents, so that its length does not depend on what lies beside it.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from qctrl.compiler.steps import steps_of
from qctrl.errors import TimingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qctrl.calibration import Calibration
    from qctrl.compiler.steps import Step
    from qctrl.ir.gate_program import GateProgram, TimedBox


def fill_boxes(gates: GateProgram, calibration: Calibration, *, is_late: bool) -> GateProgram:
    """Return the program with the waits of its boxes.

    Args:
        gates: A verified gate program.
        calibration: The calibration that it was lowered against.
        is_late: Whether it is placed as late as possible.

    Raises:
        TimingError: The contents of a box need more time than it has.
    """
    rows = gates.instructions.copy()
    steps = steps_of(rows, gates.barrier_qubits.tolist(), gates.sites, calibration)
    begins = {box.back + 1 if is_late else box.front - 1: box for box in gates.boxes}
    waits = {box.front if is_late else box.back: box for box in gates.boxes}
    grids = {box: math.lcm(*(step.alignment_ticks for step in steps[box.front : box.back])) for box in gates.boxes}
    for row, box in begins.items():
        rows["ticks"][row] = grids[box]
    for first, end in pairwise([*gates.segments["first"].tolist(), len(rows)]):
        order = steps[first:end][:: -1 if is_late else 1]
        for row, ticks in _waits(order, (begins, waits), grids, calibration.dt_s).items():
            rows["ticks"][row] = ticks
    rows.setflags(write=False)
    return msgspec.structs.replace(gates, instructions=rows, boxes=())


def _waits(
    order: list[Step],
    boxes: tuple[Mapping[int, TimedBox], Mapping[int, TimedBox]],
    grids: Mapping[TimedBox, int],
    tick_s: Fraction,
) -> dict[int, int]:
    """Return the ticks of the waits of one segment, by row; ``order`` is that in which it is placed."""
    begins, waits = boxes
    clock: dict[int, int] = {}
    begun: dict[TimedBox, int] = {}
    found: dict[int, int] = {}
    for step in order:
        now = max((clock.get(each, 0) for each in step.resources), default=0)
        if step.row in begins:
            box = begins[step.row]
            now = begun[box] = -(-now // grids[box]) * grids[box]
        elif step.row in waits:
            box = waits[step.row]
            end = begun[box] + box.ticks
            if now > end:
                raise too_short(box.source, now - begun[box], box.ticks, tick_s)
            now, found[step.row] = end, end - now
        else:
            now = -(-now // step.alignment_ticks) * step.alignment_ticks + step.ticks
        clock |= dict.fromkeys(step.resources, now)
    return found


def too_short(source: int, need_ticks: float, have_ticks: float, tick_s: Fraction) -> TimingError:
    """Return the error of a box whose contents do not fit.

    Args:
        source: Instruction of the circuit that is the box, or has it in its bodies.
        need_ticks: What the contents need.
        have_ticks: What the box has.
        tick_s: Length of a tick.
    """
    need_s, have_s = (ticks * float(tick_s) for ticks in (need_ticks, have_ticks))
    return TimingError(
        f"instruction {source}: the box lasts {have_s:.9g} s, its contents need {need_s:.9g} s; "
        "give it a longer duration or fewer contents",
        instruction=source,
    )
