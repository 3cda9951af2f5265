"""What the lines play in each segment of a block, told apart by content but not by the phase of a carrier.

A play of a known shape is recognised in the samples that reach the chip: if they are the shape times one phase, to
within the converter's rounding, then the shape and the phase stand for them. Anything else stands for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from xxhash import xxh3_128, xxh3_128_digest

from firmware_sim.physics.evolution import Part
from firmware_sim.physics.recognition import drive_angles, recognise
from firmware_sim.physics.segments import Segment

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.device import Chip
    from firmware_sim.shapes import Plays
    from firmware_sim.signal_chain import SignalChain

_TURN = 2 * np.pi
_AT_REST = 1e-9
"""Deviation from the idle level that is rounding of a filter's memory, in full scales."""


class Reading:
    """The content of a block's lines.

    Args:
        chip: The device.
        chain: Its lines.
        lines: What reaches the chip from all ports over the block.
        start_ticks: First tick of the block, from the start of the shot.
        plays: What the program plays in it, if that is known.
    """

    def __init__(
        self, chip: Chip, chain: SignalChain, lines: Sequence[NDArray[Any]], start_ticks: int, plays: Plays | None
    ) -> None:
        self.chip = chip
        self.chain = chain
        self.lines = lines
        self.start_ticks = start_ticks
        self.memory: dict[Hashable, Any] = {}
        """What was made of the block, kept as long as its samples are."""
        drives, flux, couplers = chain.line_ports
        self.n_qubits = len(chip.qubits)
        self.ports = [*drives, *flux, *couplers]
        self.equal_clocks = all(port is None or chain.samples_held(port) == 1 for port in self.ports)
        self._acts_on = [{q} for q in range(self.n_qubits)] * 2 + [set(pair.qubits) for pair in chip.couplings]
        self._leaks = [port is not None and abs(chain.rest(port)) > _AT_REST for port in drives]
        self._identity = chain.identity
        self._moved: dict[int, NDArray[np.int64]] = {}
        self.asked: list[NDArray[np.int64]] = []
        """Spans of drives with known plays that passages were read in, see ``moves``."""
        # A port with a slower clock than others stands for itself.
        shapes = {
            k: recognise(lines[port], plays, port, chain.dac_step(port))
            for k, port in enumerate(drives)
            if port is not None and plays is not None and chain.samples_held(port) == 1
        }
        self._shapes = {line: shape for line, shape in shapes.items() if shape is not None}
        # Play -1, which is none, has phase 0.
        self._phases = np.concatenate([*(shape.phases for shape in self._shapes.values()), [0.0]])
        self.events = np.concatenate([np.empty(0, np.int64), *(shape.events for shape in self._shapes.values())])
        """Of the program, of each known play."""
        ends = accumulate([len(shape.phases) for shape in self._shapes.values()], initial=0)
        self._first_play = dict(zip(self._shapes, ends, strict=False))

    @property
    def is_told(self) -> bool:
        """Return whether drives do nothing but known plays, at the phases that the program's words say."""
        for line, port in enumerate(self.ports[: self.n_qubits]):
            moves, shape = self._moves(port) if port is not None else np.zeros(1, np.int64), self._shapes.get(line)
            if shape is not None:
                if not bool((shape.known & shape.told).all()):
                    return False
                moves = moves[-1:] - (moves[shape.ends] - moves[shape.starts]).sum()
            if moves[-1]:
                return False
        return True

    @property
    def loudest(self) -> float:
        """Return the largest magnitude of a sample of a known play."""
        samples = [samples for shape in self._shapes.values() for samples in shape.samples]
        return max((float(np.abs(each).max(initial=0.0)) for each in samples), default=0.0)

    @cached_property
    def content(self) -> bytes:
        """Digest of all that the lines play but for the phases of known plays.

        Bindings that turn phases alone share it, and so what is made of it.
        """
        digest = xxh3_128()
        digest.update(repr((self._identity, self.start_ticks)).encode())
        drives = {self.ports[line]: shape for line, shape in self._shapes.items() if shape.known.all()}
        for port, samples in enumerate(self.lines):
            shape, rest = drives.get(port), samples
            if shape is not None:
                rest = samples.copy()
                for first, last in zip(shape.starts.tolist(), shape.ends.tolist(), strict=True):
                    rest[first:last] = 0
                digest.update(b"".join((shape.starts.tobytes(), shape.ends.tobytes(), *shape.digests)))
            digest.update(repr((rest.shape, rest.dtype.str)).encode())
            digest.update(np.ascontiguousarray(rest).data)
        return digest.digest()

    def angles(self, sources: NDArray[np.int64], leads: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the phases of all drives, see :func:`drive_angles`."""
        return drive_angles(self._phases, sources, leads)

    def moves(self, spans: NDArray[np.int64]) -> bytes:
        """Return during which spans known plays are off rest, which phases may decide by their rounding.

        Args:
            spans: Numbers of drives with known plays, first samples and one past the last, shape ``(3, n)``.
        """
        drives, first, last = spans
        return (self._play_moves[drives, last] > self._play_moves[drives, first]).tobytes()

    @cached_property
    def _play_moves(self) -> NDArray[np.int64]:
        rows = [self._moves(port) for line in self._shapes if (port := self.ports[line]) is not None]
        return np.array(rows) if rows else np.empty((0, 0), dtype=np.int64)

    def asked_since(self, before: int) -> NDArray[np.int64]:
        """Return the spans of drives with known plays that passages were read in, all but the first so many."""
        spans = [np.empty((3, 0), dtype=np.int64), *self.asked[before:]]
        return np.concatenate(spans, axis=1)

    def passages(self, segments: Sequence[Segment]) -> list[Passage]:
        """Return what the lines do in each of some segments."""
        return self._read(segments, np.ones((len(segments), len(self.ports)), dtype=np.bool_))

    def _read(self, segments: Sequence[Segment], wanted: NDArray[np.bool_]) -> list[Passage]:
        """Return what the lines do in each segment, those that are wanted there, shape ``(n_segments, n_lines)``."""
        first = np.array([segment.first for segment in segments])
        last = np.array([segment.last for segment in segments])
        tokens = [[b""] * len(self.ports) for _ in segments]
        sources = np.full((len(segments), self.n_qubits), -1, dtype=np.int64)
        shapes: list[dict[int, NDArray[np.complex128]]] = [{} for _ in segments]
        for line, port in enumerate(self.ports):
            if port is None:
                continue
            held = self.chain.samples_held(port)
            begin, end = first // held, -(-last // held)
            moving = self._moves(port)
            if line in self._shapes:
                mine = np.array([begin[wanted[:, line]], end[wanted[:, line]]], dtype=np.int64)
                self.asked.append(np.insert(mine, 0, list(self._shapes).index(line), axis=0))
            active = np.flatnonzero((moving[end] > moving[begin]) & wanted[:, line])
            known = self._recognise(line, first, last, active)
            for k in active.tolist():
                index = known.get(k)
                if index is None:
                    lead = (int(first[k] - begin[k] * held), int(end[k] * held - last[k]))
                    tokens[k][line] = self._content(port, int(begin[k]), int(end[k]), lead)
                    continue
                shape = self._shapes[line]
                offset = int(first[k] - shape.starts[index])
                tokens[k][line] = shape.digests[index] + offset.to_bytes(4, "little")
                sources[k, line] = self._first_play[line] + index
                shapes[k][line] = shape.samples[index][offset : offset + int(last[k] - first[k])]
        leads = self._lead_angles(first)
        held = self._held(segments)
        driven = [self._drives(*parts) for parts in zip(tokens, sources, leads, held, strict=True)]
        angles = self.angles(sources, leads)
        return [
            Passage(
                self,
                segment,
                tuple(tokens[k]),
                angles[k],
                shapes[k],
                driven[k],
                self._identity,
                held[k],
                sources[k],
                leads[k],
            )
            for k, segment in enumerate(segments)
        ]

    def _held(self, segments: Sequence[Segment]) -> list[tuple[Held, ...]]:
        """Return, for each segment, the pulses that it cuts."""
        parts = list(dict.fromkeys((hold, segment.last) for segment in segments for hold in segment.holds))
        if not parts:
            return [()] * len(segments)
        wanted = np.array([[not acts_on.isdisjoint(hold.qubits) for acts_on in self._acts_on] for hold, _ in parts])
        read = dict(zip(parts, self._read([Segment(hold.first, last) for hold, last in parts], wanted), strict=True))
        return [
            tuple(Held(hold.qubits, read[hold, segment.last], done=segment.last == hold.last) for hold in segment.holds)
            for segment in segments
        ]

    def _drives(
        self, tokens: list[bytes], sources: NDArray[np.int64], leads: NDArray[np.float64], held: tuple[Held, ...]
    ) -> list[bool]:
        """Return which qubits are driven; a pulse that the segment cuts stands for its part, and gives its phase."""
        driven = [bool(token) or leak for token, leak in zip(tokens, self._leaks, strict=False)]
        for one in held:
            for qubit in one.qubits:
                driven[qubit] |= one.so_far.drives(qubit)
                sources[qubit], leads[qubit] = one.so_far.sources[qubit], one.so_far.leads[qubit]
        return driven

    def _recognise(
        self, line: int, first: NDArray[np.int64], last: NDArray[np.int64], active: NDArray[np.intp]
    ) -> dict[int, int]:
        """Return, by segment that lies within a play of a known shape, the number of the play."""
        shape = self._shapes.get(line)
        if shape is None:
            return {}
        index = np.searchsorted(shape.starts, first[active], side="right") - 1
        within = (index >= 0) & shape.known[index] & (last[active] <= shape.ends[index])
        return dict(zip(active[within].tolist(), index[within].tolist(), strict=True))

    def _lead_angles(self, first: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the phase that each qubit's LO has against the frame at the start of each segment."""
        offsets_hz = np.array([self.chain.offset_hz(qubit) for qubit in range(self.n_qubits)])
        times_s = (self.start_ticks + first * self.chain.sample_ticks) * self._tick_s
        return np.asarray(_TURN * (np.outer(times_s, offsets_hz) % 1.0), dtype=np.float64)

    @property
    def _tick_s(self) -> float:
        return self.chain.sample_s / self.chain.sample_ticks

    def _moves(self, port: int) -> NDArray[np.int64]:
        """Return how many samples before each, at the port's own rate, were off rest."""
        if port not in self._moved:
            off = np.abs(self.lines[port] - self.chain.rest(port)) > _AT_REST
            self._moved[port] = np.concatenate([[0], np.cumsum(off)])
        return self._moved[port]

    def _content(self, port: int, begin: int, end: int, lead: tuple[int, int]) -> bytes:
        content = np.ascontiguousarray(self.lines[port][begin:end]).tobytes()
        return xxh3_128_digest(bytes(lead) + content)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A pulse of which a segment is only a part."""

    qubits: tuple[int, ...]
    so_far: Passage
    """The pulse from its beginning to the end of the segment."""
    done: bool
    """Whether it ends there."""

    @property
    def is_rigid(self) -> bool:
        """Whether operators of the pulse depend on phases between its drives."""
        return sum(self.so_far.drives(qubit) for qubit in self.qubits) > 1

    @property
    def key(self) -> Hashable:
        """What operators of the pulse depend on."""
        return (self.done, self.so_far.cluster_key(self.qubits, exact=True))


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """What the lines do in one segment."""

    reading: Reading
    segment: Segment
    tokens: tuple[bytes, ...]
    """Content of each line (drives by qubit, flux by qubit, couplers by coupling), empty at rest."""
    angles: NDArray[np.float64]
    """Phase of each qubit's drive, at the beginning of the segment or of the pulse that it cuts, and 0 at the end."""
    shapes: Mapping[int, NDArray[np.complex128]]
    """Samples, at phase 0, of the drives that play a known shape."""
    driven: list[bool]
    """Whether each qubit's line drives it, in the segment or in the pulse that it cuts."""
    identity: bytes
    held: tuple[Held, ...]
    """Pulses that the segment cuts."""
    sources: NDArray[np.int64]
    """Play of each qubit's drive that ``angles`` are of, -1 for none."""
    leads: NDArray[np.float64]
    """What LOs add to ``angles``."""

    @property
    def n_samples(self) -> int:
        """Length of the segment."""
        return self.segment.last - self.segment.first

    @property
    def key(self) -> Hashable:
        """Return what the segment is but for the phases of its drives, and its start."""
        return (self.identity, self.n_samples, self.tokens, tuple(one.key for one in self.held))

    def rigid_phases(self, blocks: Sequence[tuple[int, ...]]) -> tuple[float, ...]:
        """Return the phases between drives if operators depend on them: if a block has two, or a shape is not known."""
        driven = np.flatnonzero(self.driven).tolist()
        known = all(q in self.shapes for q in driven)
        if len(driven) < 2 or (known and all(len(set(block).intersection(driven)) < 2 for block in blocks)):
            return ()
        return self._relative(tuple(driven))

    def drives(self, qubit: int) -> bool:
        """Return whether the line of a qubit drives it."""
        return self.driven[qubit]

    def is_free(self, qubit: int) -> bool:
        """Return whether a qubit is driven by a known shape, whose phase is worth leaving open."""
        return qubit in self.shapes

    def angle(self, qubit: int) -> float:
        """Return the phase of a qubit's drive; 0 for qubit -1."""
        return float(self.angles[qubit])

    def cluster_key(self, qubits: tuple[int, ...], *, exact: bool) -> Hashable:
        """Return what the operators of some qubits depend on.

        Args:
            qubits: Chip indices, ascending.
            exact: Whether the relative phases of their drives are part of it.
        """
        n = self.reading.n_qubits
        lines = [*qubits, *(n + qubit for qubit in qubits)]
        inner = [2 * n + k for k, pair in enumerate(self.reading.chip.couplings) if set(pair.qubits) <= set(qubits)]
        tokens = tuple(self.tokens[line] for line in (*lines, *inner))
        relative = self._relative(tuple(q for q in qubits if self.drives(q))) if exact else ()
        held = tuple(one.key for one in self.held if set(one.qubits) <= set(qubits))
        return (self.identity, qubits, self.n_samples, tokens, relative, held)

    def part(self, turns: Mapping[int, float]) -> Part:
        """Return the lines with the drives at chosen phases.

        Args:
            turns: Phase of each drive, 0 where it is not given.
        """
        reading, first, last = self.reading, self.segment.first, self.segment.last
        if reading.equal_clocks:
            lines = [line[first:last] for line in reading.lines]
            first, last = 0, self.n_samples
        else:
            lines = list(reading.lines)
        for qubit in range(reading.n_qubits):
            port = reading.ports[qubit]
            if port is None or not self.drives(qubit):
                continue
            line = np.array(lines[port], dtype=np.complex128)
            if qubit in self.shapes:
                line[first:last] = self.shapes[qubit]
            lines[port] = line * np.exp(1j * (turns.get(qubit, 0.0) + self._drift(qubit)))
        # The segment begins the shot, so that the turning of an LO within it is that of its own phase.
        return Part(lines, -first * reading.chain.sample_ticks, (first, last))

    def _drift(self, qubit: int) -> float:
        """Return by how much the phase of a qubit's LO has grown since the beginning of a pulse that is cut."""
        begin = next((one.so_far.segment.first for one in self.held if qubit in one.qubits), self.segment.first)
        time_s = (self.segment.first - begin) * self.reading.chain.sample_s
        return _TURN * self.reading.chain.offset_hz(qubit) * time_s

    def _relative(self, driven: tuple[int, ...]) -> tuple[float, ...]:
        return tuple(self.angle(q) - self.angle(driven[0]) for q in driven[1:])
