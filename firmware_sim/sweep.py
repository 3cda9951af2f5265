"""Bindings of a program that differ in the phases of drives alone, played side by side and not one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from firmware_sim.physics.random import Draws
from firmware_sim.result_blocks import Outcome
from qctrl.protocol import FlowOp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from firmware_sim.board import Loaded
    from firmware_sim.physics.tape import Tape
    from firmware_sim.shapes import Shapes

_LOUDEST: Final = 0.7
"""Of full scale, up to which a shape stays within the range of both quadratures at every phase."""


_SIDE_BY_SIDE: Final = 32
"""Bindings that are played side by side, between two signs of life."""
_MOST_SHOTS: Final = 1 << 20
"""Shots of them together."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """What decides the draws of a binding."""

    binding: int
    """Number in the patch."""
    number: int
    """Number within its pub."""
    key: NDArray[np.uint64]
    """Random key, as of ``random.stream_key``."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """The bindings of a program of one block.

    Args:
        tape: What the block does, as one binding played it.
        shapes: What the program plays on drives.
        words: Of that binding and all others, shape ``(n_bindings, n_slots)``.
        n_clbits: Classical bits of the program.
    """

    tape: Tape
    shapes: Shapes
    words: NDArray[np.uint32]
    n_clbits: int

    def play(
        self, origins: Sequence[Origin], shots: NDArray[np.uint64], on_step: Callable[[], None]
    ) -> Iterator[tuple[int, Outcome]]:
        """Yield what some bindings bring, each with its number in the patch.

        Args:
            origins: The bindings.
            shots: Absolute shot indices of each, shape ``(n_shots,)``.
            on_step: Called before bindings are played side by side.
        """
        reading = self.tape.reading
        n = max(1, min(_SIDE_BY_SIDE, _MOST_SHOTS // len(shots)))
        for first in range(0, len(origins), n):
            on_step()
            some = origins[first : first + n]
            words = self.words[[origin.binding for origin in some]]
            phases = self.shapes.phases(reading.events, reading.start_ticks, words)
            draws = [Draws(origin.key, origin.number, shots) for origin in some]
            for origin, bits in zip(some, self.tape.play(phases, draws, self.n_clbits), strict=True):
                yield origin.binding, Outcome(bits)


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
    return (
        Sweep(tape, shapes, words, loaded.program.n_clbits) if shapes.are_phases(words, tape.reading.events) else None
    )
