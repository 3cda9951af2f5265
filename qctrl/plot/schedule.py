"""What a picture shows: lanes, and per block of the flow the plays, captures and marks on them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LaneKind: TypeAlias = Literal["iq", "readout", "level", "acquire"]


@dataclass(frozen=True, slots=True, eq=False)
class Play:
    """One play, as packed."""

    frame: int
    start_ticks: int
    """From the start of its block, as in the next two classes."""
    length_ticks: int
    envelope: int
    gain: float | None
    """Fraction of full scale; None if it comes from a row whose words are not known."""
    gain_row: int
    """Row that the gain came from, 0 if none."""
    phase_word: int
    """2**-32 turn, with the row's word if that is known."""
    phase_row: int
    """Row whose word is still to be added, 0 if none."""
    edges_ticks: NDArray[np.int64]
    """Shape ``(n + 1,)``: sample k is held from edge k to edge k + 1; equal neighbours are one sample."""
    samples: NDArray[np.complex128]
    """Shape ``(n,)``: gain times envelope, with gain 1 if it is not known."""


@dataclass(frozen=True, slots=True)
class Capture:
    """One capture window."""

    frame: int
    start_ticks: int
    length_ticks: int
    clbit: int
    index: int
    """Its place among the captures of a shot."""
    is_weighted: bool
    """Whether the samples are weighted before they are averaged."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A change of a frame's phase or frequency."""

    frame: int
    start_ticks: int
    kind: Literal["phase", "frequency"]
    word: int
    """2**-32 turn, or the new tuning word in 2**-48 turn per tick."""
    row: int
    """Row whose word is still to be added (phase) or to be taken (frequency), 0 if none."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One port."""

    port: int
    name: str
    kind: LaneKind
    frames: tuple[int, ...]
    """Frames with events in this picture."""
    lo_hz: float | None
    """None if the setup is not known."""


@dataclass(frozen=True, slots=True)
class Block:
    """One passage of the flow: a block, and how the flow comes to it."""

    block: int
    start_ticks: int | None
    """First tick from the start of the shot; None if the flow branches."""
    first_ticks: int
    """The part of the block that is shown."""
    last_ticks: int
    conditions: tuple[str, ...]
    """When the flow comes here, a line each; none if it always does."""
    plays: tuple[Play, ...]
    captures: tuple[Capture, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """All that is drawn, in order."""

    title: str
    subtitle: str
    tick_s: Fraction
    lanes: tuple[Lane, ...]
    blocks: tuple[Block, ...]
    frames_hz: tuple[float, ...]
    """Per frame its frequency at the start of the shot, relative to the local oscillator."""
    retuned: frozenset[int]
    """Frames whose frequency changes during the program."""
    bit_names: tuple[str, ...]

    @property
    def n_events(self) -> int:
        """Plays, captures and marks together."""
        return sum(len(block.plays) + len(block.captures) + len(block.marks) for block in self.blocks)
