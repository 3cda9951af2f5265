"""Bindings of a program that differ in the phases of drives alone, played side by side and not one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from firmware_sim.physics.random import Draws
from firmware_sim.result_blocks import Outcome
from qctrl.protocol import FlowOp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from firmware_sim.board import Loaded
    from firmware_sim.physics.tape import Tape
    from firmware_sim.shapes import Shapes

_LOUDEST: Final = 0.7
"""Of full scale, up to which a shape stays within the range of both quadratures at every phase."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """The bindings of a program of one block.

    Args:
        tape: What the block does, as one binding played it.
        shapes: What the program plays on drives.
        words: Of that binding and all others, shape ``(n_bindings, n_slots)``.
    """

    tape: Tape
    shapes: Shapes
    words: NDArray[np.uint32]

    def play(self, draws: Sequence[Draws], bindings: Sequence[int], n_clbits: int) -> Iterator[Outcome]:
        """Yield what some bindings bring.

        Args:
            draws: The shots of each; all the same shots.
            bindings: Rows of their words.
            n_clbits: Classical bits.
        """
        phases = self.shapes.phases(self.tape.reading.events, self.tape.reading.start_ticks, self.words[[*bindings]])
        for bits in self.tape.play(phases, draws, n_clbits):
            yield Outcome(bits)


def sweep_of(tape: Tape | None, shapes: Shapes, loaded: Loaded) -> Sweep | None:
    """Return the bindings of a program as one sweep; None if they must be played one by one."""
    if tape is None or loaded.patch is None or tape.reading.loudest > _LOUDEST:
        return None
    if any(port.kind == "iq_drive" and port.max_step is not UNSET for port in loaded.setup.ports):
        return None
    flow = loaded.program.flow["op"].tolist()
    if flow != [FlowOp.PLAY_BLOCK, FlowOp.END]:
        return None
    words = loaded.patch.words
    return Sweep(tape, shapes, words) if shapes.are_phases(words, tape.reading.events) else None
