"""The linear program of a circuit's stretches: no code is longer than it must be, no box is overfull."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qctrl.compiler.linear_program import LinearProgram, Sum
from qctrl.errors import TimingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from qctrl.compiler.durations import Length
    from qctrl.compiler.steps import Step

FINEST: Final = 1000
"""Values of stretches are fractions of a tick with at most this denominator."""
_SLACK: Final = 1e-9


class OpenBox(NamedTuple):
    """A box whose length may depend on stretches; otherwise as ``qctrl.ir.TimedBox``."""

    source: int
    front: int
    back: int
    length: Length
    unit: str


class StretchModel:
    """Times as sums of stretches and of moments at which qubits meet; every moment is behind what comes before it.

    In a box gates wait for their grid here too, as they will when they are placed, so that stretches leave room for it.
    Outside nothing must fit, and a wait for the grid would only hide how short the code can be.

    Args:
        stretches: Distinct stretches.
        waits: Delays with stretches, by row.
        boxes: Boxes with a duration.
        grid_ticks: Grid of gates, and of the delays that stretches become; ``None`` if there is none.
    """

    def __init__(
        self, stretches: list[Any], waits: Mapping[int, Length], boxes: Iterable[OpenBox], grid_ticks: int | None
    ) -> None:
        self._program = LinearProgram(len(stretches))
        self._stretches, self._waits, self._grid_ticks = stretches, waits, grid_ticks
        self._column = {stretch: column for column, stretch in enumerate(stretches)}
        self._begins = {box.front: box for box in boxes}
        self._ends = {box.back - 1: box for box in boxes}
        # Delays with stretches come to lie on the grid as they are, so what is fixed in them must not be rounded up.
        self._one = self._program.column(at_least=Sum(1.0))
        self._program.require(Sum(0.0, {self._one: 1.0}), at_most=Sum(1.0))
        self._open: list[OpenBox] = []
        self._base = 0.0
        self._excess: dict[int, OpenBox] = {}
        self._lengths: list[int] = []

    def add(self, segment: list[Step]) -> None:
        """Add straight-line code."""
        times: dict[int, Sum] = {}
        starts: dict[OpenBox, Sum] = {}
        for step in segment:
            before = [times.get(each, Sum()) for each in step.resources]
            if step.row in self._begins:
                now = starts[self._begins[step.row]] = self._begin(self._begins[step.row], before[0])
            elif step.row in self._ends:
                now = self._end(self._ends[step.row], starts[self._ends[step.row]], before)
            elif step.row in self._waits:
                now = before[0] + self._sum(self._waits[step.row])
            else:
                now = self._play(step, before)
            times |= dict.fromkeys(step.resources, now)
        end = self._meet(times.values())
        if end.shares:
            self._lengths.append(self._program.column(at_least=end))

    def _begin(self, box: OpenBox, time: Sum) -> Sum:
        start = self._on_grid(time)
        if not self._open:
            self._base = start.constant
        self._open.append(box)
        return start

    def _end(self, box: OpenBox, start: Sum, times: list[Sum]) -> Sum:
        times = [self._on_grid(time) for time in times]
        self._open.remove(box)
        end = start + self._sum(box.length)
        for time in Sum.latest(times):
            excess = self._program.column(at_least=Sum())
            self._excess[excess] = box
            self._program.require(time, at_most=end + Sum(0.0, {excess: 1.0}))
        if not self._open:
            self._base = 0.0
        return end

    def _play(self, step: Step, times: list[Sum]) -> Sum:
        if self._grid_ticks is None or not self._open or step.alignment_ticks == 1:
            return self._meet(times) + Sum(step.ticks)
        wait_ticks = step.alignment_ticks - self._grid_ticks  # at most, if it waits for a coarser grid than gates do
        return self._meet(map(self._on_grid, times)) + Sum(step.ticks + wait_ticks)

    def _on_grid(self, time: Sum) -> Sum:
        """Return the time in a box at which a gate can begin, if stretches are on the grid."""
        if self._grid_ticks is None or not self._open:
            return time
        steps = math.ceil((time.constant - self._base) / self._grid_ticks - _SLACK)
        return Sum(self._base + steps * self._grid_ticks, time.shares)

    def _sum(self, length: Length) -> Sum:
        shares = {self._column[stretch]: float(factor) for stretch, factor in length.shares}
        if self._open and length.ticks:
            made = Sum(0.0, shares | {self._one: float(length.ticks)})
        else:
            made = Sum(float(length.ticks), shares)
        self._program.require(Sum(), at_most=made)
        return made

    def _meet(self, times: Iterable[Sum]) -> Sum:
        latest = Sum.latest(times)
        if len(latest) == 1:
            return latest[0]
        column = self._program.column(at_least=latest[0] + Sum(-self._base))
        met = Sum(self._base, {column: 1.0})
        for time in latest[1:]:
            self._program.require(time, at_most=met)
        return met

    def overfull(self) -> tuple[OpenBox, float, float] | None:
        """Return a box that is too short however short stretches are, what it has and what it needs, if there is one.

        Raises:
            TimingError: No values fit.
        """
        missing = self._least_excess()
        for excess, box in self._excess.items():
            if missing[excess] > 1 / FINEST:
                values = {stretch: Fraction(missing[k]) for k, stretch in enumerate(self._stretches)}
                have = float(box.length.at(values))
                return box, have, have + float(missing[excess])
        return None

    def solve(self) -> list[float]:
        """Return the stretches in ticks; in boxes that are too short for them they are as short as can be.

        Raises:
            TimingError: No values fit.
        """
        program = self._program
        program.keep(list(self._excess), self._least_excess())
        shortest = program.minimise(self._lengths)
        if shortest is None:
            raise TimingError(f"no lengths of the stretches {self._names()} fit every box; change a duration")
        program.keep(self._lengths, shortest)
        return program.share(len(self._stretches))

    def _least_excess(self) -> NDArray[np.float64]:
        missing = self._program.minimise(list(self._excess))
        if missing is None:
            raise TimingError(
                f"no lengths of the stretches {self._names()} make every duration 0 or more; change a duration"
            )
        return missing

    def _names(self) -> str:
        return ", ".join(stretch.name for stretch in self._stretches)
