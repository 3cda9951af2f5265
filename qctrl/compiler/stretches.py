"""Choose the lengths of stretches, and of the idle time in boxes with a duration.

A stretch is a length of 0 or more that the compiler chooses (OpenQASM 3, "Duration and stretch"). The rule here:

1. Every stretch of straight-line code between two decisions becomes as short as it can be, all of them in sum.
2. Within that, stretches grow: all by the same length, until one of them can grow no more; the others go on. A stretch
   that appears in several places has one value.
3. Delays with stretches are rounded down to the grid of gates, by their running sum between two points where their
   qubit meets another, so that nothing becomes longer and no pulse is a whole step away from where it belongs.
4. A box with a duration lasts exactly so long; see ``qctrl.compiler.timed_boxes``.

Lengths without stretches are never changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from qctrl.compiler.durations import whole_ticks
from qctrl.compiler.steps import steps_of
from qctrl.compiler.stretch_model import FINEST, StretchModel
from qctrl.compiler.timed_boxes import too_short
from qctrl.errors import TimingError
from qctrl.ir.gate_program import TimedBox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from qctrl.calibration import Calibration
    from qctrl.compiler.durations import Length
    from qctrl.compiler.steps import Step
    from qctrl.compiler.stretch_model import OpenBox
    from qctrl.ir.gate_program import GateSite


@dataclass(slots=True)
class Unresolved:
    """What is open in the durations of a gate program."""

    waits: dict[int, Length] = field(default_factory=dict)
    """Delays with stretches, by row."""
    boxes: list[OpenBox] = field(default_factory=list)
    """Inner ones before those around them."""

    @property
    def is_open(self) -> bool:
        """Whether there is anything to resolve."""
        return bool(self.waits or self.boxes)


def resolve(
    instructions: NDArray[np.void],
    firsts: Sequence[int],
    barrier_qubits: Sequence[int],
    sites: tuple[GateSite, ...],
    calibration: Calibration,
    unresolved: Unresolved,
) -> tuple[TimedBox, ...]:
    """Fill in the ``ticks`` of all delays that are open, and return the boxes.

    Args:
        instructions: dtype ``INSTRUCTION``; changed in place.
        firsts: First row of each segment.
        barrier_qubits: Heap that barriers refer to.
        sites: What ``site`` refers to.
        calibration: What is played.
        unresolved: What is open.

    Raises:
        TimingError: No values fit, or a box is too short or off the grid.
    """
    tick_s, timing = calibration.dt_s, calibration.timing
    grid_ticks = math.lcm(timing.granularity, timing.pulse_alignment)
    steps = steps_of(instructions, barrier_qubits, sites, calibration)
    bounds = [*firsts, len(steps)]
    segments = [steps[first:end] for first, end in pairwise(bounds)]
    values = _values(segments, unresolved, grid_ticks, tick_s)
    for segment in segments:
        for row, ticks in _rounded(segment, unresolved.waits, values, grid_ticks).items():
            instructions["ticks"][row] = ticks
    return tuple(_closed(box, values, grid_ticks, tick_s) for box in unresolved.boxes)


def _values(
    segments: Sequence[list[Step]], unresolved: Unresolved, grid_ticks: int, tick_s: Fraction
) -> dict[Any, Fraction]:
    """Return the stretches in ticks, before rounding."""
    lengths = [*unresolved.waits.values(), *(box.length for box in unresolved.boxes)]
    stretches = list(dict.fromkeys(stretch for length in lengths for stretch, _ in length.shares))
    if not stretches:
        return {}
    models = [StretchModel(stretches, unresolved.waits, unresolved.boxes, grid) for grid in (grid_ticks, None)]
    for model in models if unresolved.boxes else models[:1]:
        for segment in segments:
            model.add(segment)
    # The grid may fill a box that stretches must leave; whether it is too long then, the scheduler knows.
    if unresolved.boxes and models[0].overfull() and (found := models[1].overfull()):
        box, have_ticks, need_ticks = found
        raise too_short(box.source, need_ticks, have_ticks, tick_s)
    lengths_ticks = models[0].solve()
    return {
        stretch: Fraction(value).limit_denominator(FINEST)
        for stretch, value in zip(stretches, lengths_ticks, strict=True)
    }


def _rounded(
    segment: list[Step], waits: Mapping[int, Length], values: Mapping[Any, Fraction], grid_ticks: int
) -> dict[int, int]:
    """Return the ticks of the delays with stretches."""
    found: dict[int, int] = {}
    owed: dict[int, Fraction] = {}
    for step in segment:
        if step.row in waits:
            qubit = step.resources[0]
            exact = max(waits[step.row].at(values), Fraction()) + owed.get(qubit, 0)
            found[step.row] = math.floor(exact / grid_ticks) * grid_ticks
            owed[qubit] = exact - found[step.row]
        elif step.meets:
            for each in step.resources:
                owed.pop(each, None)
    return found


def _closed(box: OpenBox, values: Mapping[Any, Fraction], grid_ticks: int, tick_s: Fraction) -> TimedBox:
    have = box.length.at(values)
    if box.length.shares:
        have = Fraction(math.floor(have / grid_ticks) * grid_ticks)
    try:
        ticks = whole_ticks(have, box.unit, tick_s, grid_ticks)
    except TimingError as error:
        raise TimingError(f"instruction {box.source}: {error}", instruction=box.source) from error
    return TimedBox(box.source, box.front, box.back, ticks)
