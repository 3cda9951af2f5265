"""Plays segments on columns or density matrices: operators from the memory, tables of them, and the kernels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_sim.physics.dephasing import diagonal_gate, split_channel
from firmware_sim.physics.gates import turn_gates
from firmware_sim.physics.layouts import Places
from firmware_sim.physics.mixed import evolve_mixed
from firmware_sim.physics.reading import Reading
from firmware_sim.physics.segment_gates import Channel, SegmentPlanner
from firmware_sim.physics.staff import write_staff
from firmware_sim.physics.states import State
from firmware_sim.physics.tape import Part
from firmware_sim.physics.tree import evolve_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.cache import OperatorCache
    from firmware_sim.physics.choice import Choice
    from firmware_sim.physics.columns import Columns
    from firmware_sim.physics.device import Chip
    from firmware_sim.physics.gates import Gate
    from firmware_sim.physics.photons import Felt
    from firmware_sim.physics.random import Draws
    from firmware_sim.physics.segment_gates import SegmentGates
    from firmware_sim.physics.segments import Segment
    from firmware_sim.physics.staff import Score, Staff
    from firmware_sim.physics.tally import Tally
    from firmware_sim.shapes import Plays
    from firmware_sim.signal_chain import SignalChain

_SHARE = 0.25
"""Longest segment, in lifetimes of the fastest decay: "no jump" stays far from singular."""


class TreePlayer:
    """The tree of one device.

    Args:
        chip: The device.
        chain: Its lines.
        cache: Memory of operators.
        choice: How the state is held, levels and memory.
        tally: Where to count what is played.
        noisy: Whether shots jump.
    """

    def __init__(
        self, chip: Chip, chain: SignalChain, cache: OperatorCache, choice: Choice, tally: Tally, *, noisy: bool
    ) -> None:
        self._chip = chip
        self._chain = chain
        self._cache = cache
        self._limit_bytes = choice.limit_bytes
        self._tally = tally
        self._noisy = noisy
        self._levels = choice.levels
        self._mixed = choice.mode == "density matrix"
        self._planner = SegmentPlanner(chip, chain, cache, choice.levels)
        self._places: dict[tuple[int, ...], Places] = {}
        self.parts: list[Part] = []
        """What density matrices went through since this was emptied."""
        fastest = max(max(qubit.decay_per_s[1], 1e-9) + qubit.dephasing_per_s for qubit in chip.qubits)
        self.longest_samples = max(int(_SHARE / fastest / chain.sample_s), 1)
        """Samples beyond which a segment with noise is cut."""

    def read(self, lines: Sequence[NDArray[Any]], start_ticks: int, plays: Plays | None) -> Reading:
        """Return the content of a block; see ``Reading``."""
        key = ("reading", self._chain.identity)
        known = {} if plays is None else plays.memory
        found = known.get(key)
        if found is None:
            found = known[key] = Reading(self._chip, self._chain, lines, start_ticks, plays)
        return found

    def plan(
        self,
        reading: Reading,
        stretch: Sequence[Segment],
        qubits: tuple[int, ...],
        quiet: Sequence[frozenset[int] | None],
    ) -> Plan:
        """Return the gates of some segments, and the phases of their drives.

        Args:
            reading: The block.
            stretch: Its segments.
            qubits: Qubits of the state, ascending.
            quiet: By segment, qubits without noise of their own; None switches all noise off.
        """
        key = ("plan", self._chain.identity, self._levels, qubits, tuple(stretch), tuple(quiet))
        found = reading.memory.get(key)
        if found is None:
            found = reading.memory[key] = self._plan(reading, stretch, qubits, quiet)
        self._tally.add_segments(found.segments)
        return found

    def _plan(
        self,
        reading: Reading,
        stretch: Sequence[Segment],
        qubits: tuple[int, ...],
        quiet: Sequence[frozenset[int] | None],
    ) -> Plan:
        key = ("pattern", self._levels, qubits, tuple(stretch), tuple(quiet), reading.content)
        pattern = self._cache.get(key, lambda: self._pattern(reading, stretch, qubits, quiet))
        if pattern.is_rigid or reading.moves(pattern.spans) != pattern.moves:
            pattern = self._pattern(reading, stretch, qubits, quiet)
        return Plan(qubits, pattern, reading.angles(pattern.sources, pattern.leads))

    def _pattern(
        self,
        reading: Reading,
        stretch: Sequence[Segment],
        qubits: tuple[int, ...],
        quiet: Sequence[frozenset[int] | None],
    ) -> _Pattern:
        before = len(reading.asked)
        passages = reading.passages(stretch)
        spans = reading.asked_since(before)
        return _Pattern(
            segments=[
                self._planner.segment(passage, qubits, None if silent is None else silent & frozenset(qubits))
                for passage, silent in zip(passages, quiet, strict=True)
            ],
            sources=np.array([passage.sources for passage in passages]),
            leads=np.array([passage.leads for passage in passages]),
            spans=spans,
            moves=reading.moves(spans),
            is_rigid=any(self._planner.is_rigid(passage, qubits) for passage in passages),
        )

    def play(
        self,
        plan: Plan,
        turns: Sequence[NDArray[np.float64] | None],
        felt: Sequence[Felt],
        state: Columns | State,
        draws: Draws,
    ) -> Columns | State:
        """Return the columns, or the density matrix, after a plan for their qubits.

        Args:
            plan: What is played.
            turns: By segment, angles by which slow noise turns each qubit before it, and again after; None for none.
            felt: By segment, what photons do to the coherences of qubits.
            state: The state of the shots.
            draws: The shots.
        """
        if not plan.qubits:
            return state
        bare = not any(felt) and all(angles is None for angles in turns)
        if isinstance(state, State):
            staff, pattern = self.staff(plan, turns, felt), plan.pattern
            self.parts.append(Part(plan.qubits, staff, pattern.sources, pattern.leads, pattern.is_rigid))
            return self._mix(staff, plan.angles, state, len(draws.shots))
        score = plan.score
        if score is None or not bare:
            score = self.staff(plan, turns, felt).with_phases(plan.angles)
        if bare:
            plan.score = score
        return self._evolve(score, state, draws)

    def staff(self, plan: Plan, turns: Sequence[NDArray[np.float64] | None], felt: Sequence[Felt]) -> Staff:
        """Return a plan as tables; arguments as of :meth:`play`."""
        segments = [
            segment if angles is None else _turned(segment, turn_gates(plan.qubits, angles, self._levels))
            for segment, angles in zip(plan.segments, turns, strict=True)
        ]
        segments = [
            self._blurred(segment, blur) if blur else segment for segment, blur in zip(segments, felt, strict=True)
        ]
        places = self._places.setdefault(plan.qubits, Places(self._levels, len(plan.qubits)))
        # Equal programs are made of the same segments, which the entry keeps alive.
        key = ("staff", self._mixed, plan.qubits, tuple(map(id, segments)))
        return self._cache.get(key, lambda: write_staff(segments, places, plan.qubits, mixed=self._mixed))

    def _mix(self, staff: Staff, angles: NDArray[np.float64], state: State, n_shots: int) -> State:
        real, imag = state.data.real[None].copy(), state.data.imag[None].copy()
        evolve_mixed(staff, (0, staff.n_segments), angles[None], (real, imag))
        data = real[0] + 1j * imag[0]
        self._tally.leaked += n_shots * max(1 - float(np.trace(real[0]) / np.trace(state.data.real)), 0.0)
        return replace(state, data=data)

    def _evolve(self, score: Score, columns: Columns, draws: Draws) -> Columns:
        evolved = evolve_columns(score, columns, draws, self._limit_bytes)
        self._tally.most_columns = max(self._tally.most_columns, evolved.n_columns)
        self._tally.single |= evolved.real.dtype == np.float32
        self._tally.leaked += int(np.count_nonzero(evolved.leaked & ~columns.leaked))
        return evolved

    def _blurred(self, segment: SegmentGates, felt: Felt) -> SegmentGates:
        """Return a segment that ends with the channels of photons."""

        def build() -> _Blurred:
            gates, channels = [*segment.gates], [*segment.channels]
            for qubit, exponents in felt.items():
                diagonal, jumps = split_channel(exponents, noisy=self._noisy)
                gates.append(diagonal_gate(qubit, diagonal))
                if jumps is not None:
                    channels.append(Channel((qubit,), -1, jumps))
            return _Blurred(segment, replace(segment, gates=tuple(gates), channels=tuple(channels)))

        key = ("blurred", id(segment), tuple((q, x.tobytes()) for q, x in felt.items()))
        return self._cache.get(key, build).whole


@dataclass(frozen=True, slots=True, eq=False)
class _Pattern:
    """Some segments of a block, for all bindings that turn the phases of its drives alone."""

    segments: list[SegmentGates]
    sources: NDArray[np.int64]
    """Play that gives each drive its phase, -1 for none, shape ``(n_segments, n)``."""
    leads: NDArray[np.float64]
    """Phase that its LO adds, same shape."""
    spans: NDArray[np.int64]
    """Where drives were looked at, see ``Reading.moves``."""
    moves: bytes
    """What was found there."""
    is_rigid: bool
    """Whether gates depend on phases, so that they are of one binding."""

    @property
    def nbytes(self) -> int:
        """Size in memory, about."""
        return 2 * self.sources.nbytes + 64 * len(self.segments) + self.spans.nbytes + len(self.moves)


@dataclass(frozen=True, slots=True, eq=False)
class _Blurred:
    """A segment with what photons add; keeps the bare one alive, whose identity is its key."""

    bare: SegmentGates
    whole: SegmentGates
    nbytes: int = 4096


def _turned(segment: SegmentGates, turns: tuple[Gate, ...]) -> SegmentGates:
    return replace(segment, gates=(*turns, *segment.gates, *turns))


@dataclass(slots=True, eq=False)
class Plan:
    """Gates of some segments."""

    qubits: tuple[int, ...]
    pattern: _Pattern
    angles: NDArray[np.float64]
    """Phases of the drives of all qubits of the chip, and 0, shape ``(n_segments, n + 1)``."""
    score: Score | None = None
    """Tables of these gates, with nothing else played beside them, once they were made."""

    @property
    def segments(self) -> list[SegmentGates]:
        """Gates of each segment."""
        return self.pattern.segments
