"""Choose the lengths of stretches, and of the idle time in boxes with a duration.

A stretch is a length of 0 or more that the compiler chooses (OpenQASM 3, "Duration and stretch"). The rule here:

1. Every stretch of straight-line code between two decisions becomes as short as it can be, all of them in sum.
2. Within that, stretches grow: all by the same length, until one of them can grow no more; the others go on. A stretch
   that appears in several places has one value.
3. Delays with stretches are rounded down to the grid of gates, by their running sum between two points where their
   qubit meets another, so that nothing becomes longer and no pulse is a whole step away from where it belongs.
4. A box with a duration lasts exactly so long. What its contents leave of it, the box waits first.

Lengths without stretches are never changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qctrl.compiler.durations import whole_ticks
from qctrl.compiler.linear_program import LinearProgram, Sum
from qctrl.compiler.tables import site_tables
from qctrl.errors import TimingError
from qctrl.ir.gate_program import Opcode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from qctrl.calibration import Calibration
    from qctrl.compiler.durations import Length
    from qctrl.ir.gate_program import GateSite

_FINEST: Final = 1000
"""Values of stretches are fractions of a tick with at most this denominator."""


class TimedBox(NamedTuple):
    """A box with a duration; its contents are ``rows[first:end]`` of one segment, row ``end`` is the barrier behind."""

    source: int
    """Index of the box, for messages."""
    pad: int
    """The delay in front of the contents that fills the box."""
    first: int
    end: int
    length: Length
    unit: str


@dataclass(slots=True)
class Unresolved:
    """What is open in the durations of a gate program."""

    waits: dict[int, Length] = field(default_factory=dict)
    """Delays with stretches, by row."""
    boxes: list[TimedBox] = field(default_factory=list)
    """Inner ones before those around them."""

    @property
    def is_open(self) -> bool:
        """Whether there is anything to resolve."""
        return bool(self.waits or self.boxes)


class _Step(NamedTuple):
    """One row, as far as time is concerned."""

    row: int
    resources: tuple[int, ...]
    """Qubits that it occupies, and frames that gates on other qubits occupy too; none for a virtual Z."""
    ticks: int
    alignment_ticks: int
    meets: bool
    """Whether qubits wait for each other here."""


def resolve(
    instructions: NDArray[np.void],
    firsts: Sequence[int],
    barrier_qubits: Sequence[int],
    sites: tuple[GateSite, ...],
    calibration: Calibration,
    unresolved: Unresolved,
) -> None:
    """Fill in the ``ticks`` of all delays that are open.

    Args:
        instructions: dtype ``INSTRUCTION``; changed in place.
        firsts: First row of each segment.
        barrier_qubits: Heap that barriers refer to.
        sites: What ``site`` refers to.
        calibration: What is played.
        unresolved: What is open.

    Raises:
        TimingError: The contents of a box need more time than it has, or no values fit.
    """
    tick_s, timing = calibration.dt_s, calibration.timing
    grid_ticks = math.lcm(timing.granularity, timing.pulse_alignment)
    steps = _steps(instructions, barrier_qubits, sites, calibration)
    bounds = [*firsts, len(steps)]
    segments = [steps[first:end] for first, end in pairwise(bounds)]
    values = _values(segments, unresolved, tick_s)
    ticks: dict[int, int] = {}
    for segment in segments:
        ticks |= _rounded(segment, unresolved.waits, values, grid_ticks)
    for box in unresolved.boxes:
        ticks[box.pad] = _pad(box, steps, ticks, values, (grid_ticks, tick_s))
    for row, chosen in ticks.items():
        instructions["ticks"][row] = chosen


def _steps(
    instructions: NDArray[np.void], barrier_qubits: Sequence[int], sites: tuple[GateSite, ...], calibration: Calibration
) -> list[_Step]:
    tables = site_tables(sites, calibration)
    plays = tables.sites.tolist()
    resources = [tuple(tables.resources[first:end].tolist()) for first, end in tables.sites[:, 2:4].tolist()]
    found: list[_Step] = []
    for row, each in enumerate(instructions):
        match int(each["opcode"]):
            case Opcode.RZ:
                found.append(_Step(row, (), 0, 1, meets=False))
            case Opcode.BARRIER:
                first, count = int(each["first"]), int(each["count"])
                found.append(_Step(row, tuple(barrier_qubits[first : first + count]), 0, 1, count > 1))
            case Opcode.DELAY:
                found.append(_Step(row, (int(each["qubit"]),), int(each["ticks"]), 1, meets=False))
            case _:
                site = int(each["site"])
                ticks, alignment, *_ = plays[site]
                found.append(_Step(row, resources[site], ticks, alignment, len(resources[site]) > 1))
    return found


def _values(segments: Iterable[list[_Step]], unresolved: Unresolved, tick_s: Fraction) -> dict[Any, Fraction]:
    """Return the stretches in ticks, before rounding."""
    lengths = [*unresolved.waits.values(), *(box.length for box in unresolved.boxes)]
    stretches = list(dict.fromkeys(stretch for length in lengths for stretch, _ in length.shares))
    if not stretches:
        return {}
    model = _Model(stretches, unresolved)
    for segment in segments:
        model.add(segment)
    found = model.solve(tick_s)
    return {
        stretch: Fraction(value).limit_denominator(_FINEST) for stretch, value in zip(stretches, found, strict=True)
    }


class _Model:
    """Times as sums of stretches and of moments at which qubits meet; every moment is behind what comes before it."""

    def __init__(self, stretches: list[Any], unresolved: Unresolved) -> None:
        self._program = LinearProgram(len(stretches))
        self._stretches, self._waits = stretches, unresolved.waits
        self._column = {stretch: column for column, stretch in enumerate(stretches)}
        self._begins = {box.pad: box for box in unresolved.boxes}
        self._ends = {box.end: box for box in unresolved.boxes}
        self._excess: dict[int, TimedBox] = {}
        self._lengths: list[int] = []

    def add(self, segment: list[_Step]) -> None:
        """Add straight-line code."""
        times: dict[int, Sum] = {}
        starts: dict[TimedBox, Sum] = {}
        for step in segment:
            if step.row in self._begins:
                starts[self._begins[step.row]] = times.get(step.resources[0], Sum())
                continue
            box = self._ends.get(step.row)
            if step.row in self._waits:
                now = times.get(step.resources[0], Sum()) + self._sum(self._waits[step.row])
            elif box is None:
                now = self._meet(times.get(each, Sum()) for each in step.resources) + Sum(step.ticks)
            else:
                now = self._close(box, starts[box], [times.get(each, Sum()) for each in step.resources])
            times |= dict.fromkeys(step.resources, now)
        end = self._meet(times.values())
        if end.shares:
            self._lengths.append(self._program.column(at_least=end))

    def _sum(self, length: Length) -> Sum:
        made = Sum(float(length.ticks), {self._column[stretch]: float(factor) for stretch, factor in length.shares})
        self._program.require(Sum(), at_most=made)
        return made

    def _meet(self, times: Iterable[Sum]) -> Sum:
        latest = Sum.latest(times)
        if len(latest) == 1:
            return latest[0]
        column = self._program.column(at_least=latest[0])
        met = Sum(0.0, {column: 1.0})
        for time in latest[1:]:
            self._program.require(time, at_most=met)
        return met

    def _close(self, box: TimedBox, start: Sum, times: list[Sum]) -> Sum:
        end = start + self._sum(box.length)
        excess = self._program.column(at_least=Sum())
        self._excess[excess] = box
        for time in times:
            self._program.require(time, at_most=end + Sum(0.0, {excess: 1.0}))
        return end

    def solve(self, tick_s: Fraction) -> list[float]:
        """Return the stretches in ticks.

        Raises:
            TimingError: No values fit.
        """
        program, names = self._program, ", ".join(stretch.name for stretch in self._stretches)
        missing = program.minimise(list(self._excess))
        if missing is None:
            raise TimingError(f"no lengths of the stretches {names} make every duration 0 or more; change a duration")
        for excess, box in self._excess.items():
            if missing[excess] > 1 / _FINEST:
                values = {stretch: Fraction(missing[k]) for k, stretch in enumerate(self._stretches)}
                have = box.length.at(values)
                raise _too_short(box, float(have) + missing[excess], float(have), tick_s)
        program.keep(list(self._excess), missing)
        shortest = program.minimise(self._lengths)
        if shortest is None:
            raise TimingError(f"no lengths of the stretches {names} fit every box; change a duration")
        program.keep(self._lengths, shortest)
        return program.share(len(self._stretches))


def _rounded(
    segment: list[_Step], waits: Mapping[int, Length], values: Mapping[Any, Fraction], grid_ticks: int
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


def _pad(
    box: TimedBox,
    steps: list[_Step],
    ticks: Mapping[int, int],
    values: Mapping[Any, Fraction],
    clock: tuple[int, Fraction],
) -> int:
    """Return how long a box waits before its contents."""
    grid_ticks, tick_s = clock
    have = box.length.at(values)
    if box.length.shares:
        have_ticks = math.floor(have / grid_ticks) * grid_ticks
    else:
        have_ticks = whole_ticks(have, box.unit, tick_s, grid_ticks)
    need_ticks = _contents_ticks(
        [step._replace(ticks=ticks.get(step.row, step.ticks)) for step in steps[box.first : box.end]]
    )
    if need_ticks > have_ticks:
        raise _too_short(box, need_ticks, have_ticks, tick_s)
    return have_ticks - need_ticks


def _contents_ticks(steps: list[_Step]) -> int:
    """Return how long rows take, each as late as what follows it allows."""
    tails: dict[int, int] = {}
    for step in reversed(steps):
        latest = max((tails.get(each, 0) for each in step.resources), default=0)
        begin = -(-latest // step.alignment_ticks) * step.alignment_ticks + step.ticks
        tails |= dict.fromkeys(step.resources, begin)
    return max(tails.values(), default=0)


def _too_short(box: TimedBox, need_ticks: float, have_ticks: float, tick_s: Fraction) -> TimingError:
    need_s, have_s = (float(ticks * float(tick_s)) for ticks in (need_ticks, have_ticks))
    return TimingError(
        f"instruction {box.source}: the box lasts {have_s:.9g} s, its contents need {need_s:.9g} s; "
        "give it a longer duration or fewer contents",
        instruction=box.source,
        gate="box",
    )
