"""The linear program of a circuit's stretches: no code is longer than it must be, no box is overfull."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qctrl.compiler.linear_program import LinearProgram, Sum
from qctrl.compiler.timed_boxes import too_short
from qctrl.errors import TimingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qctrl.compiler.durations import Length
    from qctrl.compiler.steps import Step

FINEST: Final = 1000
"""Values of stretches are fractions of a tick with at most this denominator."""


class OpenBox(NamedTuple):
    """A box whose length may depend on stretches; otherwise as ``qctrl.ir.TimedBox``."""

    source: int
    front: int
    back: int
    length: Length
    unit: str


class StretchModel:
    """Times as sums of stretches and of moments at which qubits meet; every moment is behind what comes before it.

    Args:
        stretches: Distinct stretches.
        waits: Delays with stretches, by row.
        boxes: Boxes with a duration.
    """

    def __init__(self, stretches: list[Any], waits: Mapping[int, Length], boxes: Iterable[OpenBox]) -> None:
        self._program = LinearProgram(len(stretches))
        self._stretches, self._waits = stretches, waits
        self._column = {stretch: column for column, stretch in enumerate(stretches)}
        self._begins = {box.front: box for box in boxes}
        self._ends = {box.back - 1: box for box in boxes}
        self._excess: dict[int, OpenBox] = {}
        self._lengths: list[int] = []

    def add(self, segment: list[Step]) -> None:
        """Add straight-line code."""
        times: dict[int, Sum] = {}
        starts: dict[OpenBox, Sum] = {}
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

    def _close(self, box: OpenBox, start: Sum, times: list[Sum]) -> Sum:
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
            if missing[excess] > 1 / FINEST:
                values = {stretch: Fraction(missing[k]) for k, stretch in enumerate(self._stretches)}
                have = box.length.at(values)
                raise too_short(box.source, float(have) + missing[excess], float(have), tick_s)
        program.keep(list(self._excess), missing)
        shortest = program.minimise(self._lengths)
        if shortest is None:
            raise TimingError(f"no lengths of the stretches {names} fit every box; change a duration")
        program.keep(self._lengths, shortest)
        return program.share(len(self._stretches))
