"""Which windows of a block are measured when: as they begin, or all together at the end if nothing depends on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics.measurement import Found, Measurement, collapse

if TYPE_CHECKING:
    from firmware_sim.physics.blocks import Block
    from firmware_sim.physics.branches import Branch
    from firmware_sim.physics.readout import Capture, Readout
    from firmware_sim.physics.tally import Tally


@dataclass(frozen=True, slots=True)
class Windows:
    """The captures of a device."""

    readout: Readout
    measurement: Measurement
    tally: Tally
    sample_ticks: int
    levels: int

    def deferrable(self, block: Block) -> frozenset[int]:
        """Return qubits measured once that no line touches from their capture on."""
        measured = [self.readout.qubit_of(capture) for capture in block.captures]
        return frozenset(
            q for q, first in block.starts.items() if block.last_touch.get(q, -1) < first and measured.count(q) == 1
        )

    def marks(self, block: Block, deferred: frozenset[int]) -> list[int]:
        """Return the samples at which a window begins whose outcome must be known at once."""
        return [self._sample(block, c) for c in block.captures if self.readout.qubit_of(c) not in deferred]

    def measure(
        self, branches: list[Branch], block: Block, sample: int, deferred: frozenset[int], *, resting: bool
    ) -> list[Branch]:
        """Measure the captures that begin at a sample, and branch by what was found."""
        now = [
            c for c in block.captures if self._sample(block, c) == sample and self.readout.qubit_of(c) not in deferred
        ]
        if not now:
            return branches
        return [new for branch in branches for new in collapse(self._found(branch, now, block), resting=resting)]

    def measure_deferred(self, branches: list[Branch], block: Block, deferred: frozenset[int]) -> list[Branch]:
        """Measure what was put off; the states do not matter any more."""
        last = [c for c in block.captures if self.readout.qubit_of(c) in deferred]
        return [self._found(branch, last, block).branch for branch in branches] if last else branches

    def _found(self, branch: Branch, captures: list[Capture], block: Block) -> Found:
        found = self.measurement.measure(branch, captures, block.lines, block.start_ticks)
        if self.levels > 2:
            self.tally.measured += found.levels.size
            self.tally.leaked += int(np.count_nonzero(found.levels > 1))
        return found

    def _sample(self, block: Block, capture: Capture) -> int:
        return (capture.first_tick - block.start_ticks) // self.sample_ticks
