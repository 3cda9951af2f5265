"""What a Program plays when: its distinct shapes, so that physics need not tell them from samples alone."""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from qctrl.protocol import EventOp, Program, RowField, Setup
from qctrl.signal import dequantise

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GAIN_ONE = 2.0**30
_TURN_WORD = 2.0**48
_TURN_MASK = (1 << 48) - 1
_PHASE_SHIFT = 16
"""From words of 2**-32 turn to those of 2**-48."""


@dataclass(frozen=True, slots=True, eq=False)
class PortPlays:
    """The plays of one port in one block, by start."""

    events: NDArray[np.int64]
    """Row of each among the events of the program."""
    starts: NDArray[np.int64]
    """First sample of each, from the start of the block."""
    ends: NDArray[np.int64]
    alone: NDArray[np.bool_]
    """Whether no other play of the port overlaps."""
    shape: NDArray[np.int64]
    """Index into ``samples``."""
    samples: list[NDArray[np.complex128]]
    """What each shape would be at phase 0 from its start."""
    digests: list[bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Plays:
    """The plays of one block."""

    by_port: dict[int, PortPlays]
    phases: dict[int, NDArray[np.float64]] = field(default_factory=dict[int, "NDArray[np.float64]"])
    """By port, the phase that words and frames give each play at its start, rad; nan if they leave it open."""
    memory: dict[Hashable, Any] = field(default_factory=dict[Hashable, Any])
    """What physics made of the block's samples, kept as long as they are; keys say who made it."""

    def of_port(self, port: int) -> PortPlays | None:
        """Return the plays of a port, None if it has none."""
        return self.by_port.get(port)


class Shapes:
    """The shapes of a program.

    A shape is an envelope with a gain on a carrier; only its phase is left out. Frames whose frequency changes in the
    program have none.

    Args:
        program: A verified program.
        setup: The Setup it was made for.
    """

    def __init__(self, program: Program, setup: Setup) -> None:
        events = program.events
        changing = np.unique(events["frame"][events["op"] == EventOp.SET_FREQUENCY])
        kinds = np.array([port.kind == "iq_drive" for port in setup.ports])
        ports = program.frames["port"][events["frame"]]
        shifting = np.unique(events["frame"][events["op"] == EventOp.SHIFT_PHASE])
        self._program = program
        self._setup = setup
        self._words = np.zeros(program.n_slots, dtype=np.uint32)
        self._told = ~np.isin(events["frame"], shifting)
        self._port = ports.astype(np.int64)
        self._is_play = (events["op"] == EventOp.PLAY) & kinds[ports] & ~np.isin(events["frame"], changing)
        self._gain = events["gain"].astype(np.int64)
        self._by_row = np.flatnonzero(self._is_play & (events["row_field"] == RowField.GAIN))
        self._samples: dict[tuple[int, int, int], tuple[NDArray[np.complex128], bytes]] = {}
        self._by_port: dict[int, dict[int, PortPlays]] = {}

    def bind(self, words: NDArray[np.uint32]) -> None:
        """Take the words of a binding, shape ``(n_slots,)``."""
        self._words = words
        rows = self._program.events["value_row"][self._by_row]
        gains = words[rows].view(np.int32)
        if not np.array_equal(self._gain[self._by_row], gains):
            self._gain[self._by_row] = gains
            self._by_port.clear()

    def plays(self, block: int, start_ticks: int) -> Plays:
        """Return what a block plays on drive ports from a tick of the shot on; its memory is that of one binding."""
        if block not in self._by_port:
            self._by_port[block] = self._ports(block)
        ports = self._by_port[block]
        return Plays(ports, {p: self.phases(mine.events, start_ticks, self._words) for p, mine in ports.items()})

    def phases(self, events: NDArray[np.int64], start_ticks: int, words: NDArray[np.uint32]) -> NDArray[np.float64]:
        """Return the phases of some plays at their starts, rad; nan where the registers of frames have a say.

        Args:
            events: Their rows, shape ``(n,)``.
            start_ticks: First tick of their block.
            words: Of one binding or more, shape ``(..., n_slots)``.

        Returns:
            Shape ``(..., n)``.
        """
        rows = self._program.events[events]
        ftw = self._program.frames["ftw"][rows["frame"]].astype(np.int64)
        # What overflows is whole turns.
        carrier = ftw * (rows["start_ticks"].astype(np.int64) + start_ticks)
        word = carrier + ((rows["phase"] + words[..., rows["phase_row"]].astype(np.int64)) << _PHASE_SHIFT)
        return np.where(self._told[events], (word & _TURN_MASK) * (2 * np.pi / _TURN_WORD), np.nan)

    def are_phases(self, words: NDArray[np.uint32], events: NDArray[np.int64]) -> bool:
        """Return whether bindings, shape ``(n_bindings, n_slots)``, differ in nothing but the phases of some plays."""
        differ = np.flatnonzero((words != words[0]).any(axis=0))
        table = self._program.events
        by_value = (table["row_field"] != RowField.NONE) & np.isin(table["value_row"], differ)
        by_phase = np.isin(table["phase_row"], differ)
        return not by_value.any() and bool(np.isin(np.flatnonzero(by_phase), events).all())

    def _ports(self, block: int) -> dict[int, PortPlays]:
        row = self._program.blocks[block]
        first = int(row["first_event"])
        span = np.arange(first, first + int(row["n_events"]))
        span = span[self._is_play[span]]
        borders = np.flatnonzero(np.diff(self._port[span], prepend=-1, append=-1))
        parts = [span[a:b] for a, b in itertools.pairwise(borders)]
        return {int(self._port[part[0]]): self._port_plays(part) for part in parts}

    def _port_plays(self, rows: NDArray[np.int64]) -> PortPlays:
        events = self._program.events[rows]
        step = self._setup.ports[int(self._port[rows[0]])].sample_ticks
        starts = events["start_ticks"].astype(np.int64) // step
        columns = (events["frame"].astype(np.int64), events["target"].astype(np.int64), self._gain[rows])
        numbers: dict[tuple[int, int, int], int] = {}
        names = zip(*(column.tolist() for column in columns), strict=True)
        shape = np.array([numbers.setdefault(name, len(numbers)) for name in names])
        made = [self._made(*name) for name in numbers]
        ends = starts + np.array([len(samples) for samples, _ in made])[shape]
        latest = np.concatenate([[0], np.maximum.accumulate(ends)[:-1]])
        following = np.concatenate([starts[1:], [np.iinfo(np.int64).max]])
        alone = (starts >= latest) & (ends <= following)
        return PortPlays(
            rows, starts, ends, alone, shape, [samples for samples, _ in made], [digest for _, digest in made]
        )

    def _made(self, frame: int, envelope: int, gain: int) -> tuple[NDArray[np.complex128], bytes]:
        found = self._samples.get((frame, envelope, gain))
        if found is None:
            turns = int(self._program.frames[frame]["ftw"]) / _TURN_WORD
            step = self._setup.ports[int(self._program.frames[frame]["port"])].sample_ticks
            shape = dequantise(self._program.envelope(envelope)) * (gain / _GAIN_ONE)
            samples = shape * np.exp(2j * np.pi * turns * step * np.arange(len(shape)))
            found = (samples, blake2b(samples.tobytes(), digest_size=16).digest())
            self._samples[frame, envelope, gain] = found
        return found
