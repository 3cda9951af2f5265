"""What the lines play in each segment of a block, told apart by content but not by the phase of a carrier.

A play of a known shape is recognised in the samples that reach the chip: if they are the shape times one phase, to
within the converter's rounding, then the shape and the phase stand for them. Anything else stands for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_sim.physics.evolution import Part

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.device import Chip
    from firmware_sim.physics.segments import Segment
    from firmware_sim.shapes import Plays
    from firmware_sim.signal_chain import SignalChain

_TURN = 2 * np.pi
_AT_REST = 1e-9
"""Deviation from the idle level that is rounding of a filter's memory, in full scales."""
_ROUNDING_STEPS = 2.0
"""Steps of the converter by which samples may differ from their shape: one of its own, one of a mixer correction."""


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """Where on a drive line known shapes play."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    digests: list[bytes]
    samples: list[NDArray[np.complex128]]
    phases: NDArray[np.float64]
    known: NDArray[np.bool_]


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
        drives, flux, couplers = chain.line_ports
        self.n_qubits = len(chip.qubits)
        self._ports = [*drives, *flux, *couplers]
        self.ports = self._ports
        self.equal_clocks = all(port is None or chain.samples_held(port) == 1 for port in self._ports)
        self._moving = [None if port is None else self._moves(port) for port in self._ports]
        self._leaks = [port is not None and abs(chain.rest(port)) > _AT_REST for port in drives]
        self._identity = chain.identity
        self._shapes = [None if port is None or plays is None else self._shape(port, plays) for port in drives]

    def passage(self, segment: Segment) -> Passage:
        """Return what the lines do in a segment."""
        first, last = segment.first, segment.last
        n = self.n_qubits
        tokens: list[bytes] = [b""] * len(self._ports)
        angles = np.zeros(n + 1)
        shapes: dict[int, NDArray[np.complex128]] = {}
        for line, port in enumerate(self._ports):
            moving = self._moving[line]
            if port is None or moving is None or not self._moves_within(port, moving, first, last):
                continue
            shape = self._shapes[line] if line < n else None
            index = -1 if shape is None else int(np.searchsorted(shape.starts, first, side="right")) - 1
            if shape is not None and index >= 0 and shape.known[index] and last <= shape.ends[index]:
                offset = first - int(shape.starts[index])
                tokens[line] = shape.digests[index] + offset.to_bytes(4, "little")
                angles[line] = shape.phases[index]
                shapes[line] = shape.samples[index][offset : offset + last - first]
            else:
                tokens[line] = blake2b(self._content(port, first, last), digest_size=16).digest()
        time_s = (self.start_ticks + first * self.chain.sample_ticks) * self._tick_s
        for qubit in range(n):
            angles[qubit] += _TURN * ((self.chain.offset_hz(qubit) * time_s) % 1.0)
        return Passage(self, segment, tuple(tokens), angles, shapes, self._leaks, self._identity)

    @property
    def _tick_s(self) -> float:
        return self.chain.sample_s / self.chain.sample_ticks

    def _moves(self, port: int) -> NDArray[np.int64]:
        """Return how many samples before each, at the port's own rate, were off rest."""
        off = np.abs(self.lines[port] - self.chain.rest(port)) > _AT_REST
        return np.concatenate([[0], np.cumsum(off)])

    def _span(self, port: int, first: int, last: int) -> tuple[int, int]:
        repeat = self.chain.samples_held(port)
        return first // repeat, -(-last // repeat)

    def _moves_within(self, port: int, moving: NDArray[np.int64], first: int, last: int) -> bool:
        begin, end = self._span(port, first, last)
        return bool(moving[end] > moving[begin])

    def _content(self, port: int, first: int, last: int) -> bytes:
        begin, end = self._span(port, first, last)
        repeat = self.chain.samples_held(port)
        lead = b"" if repeat == 1 else bytes([first - begin * repeat, end * repeat - last])
        return lead + np.ascontiguousarray(self.lines[port][begin:end]).tobytes()

    def _shape(self, port: int, plays: Plays) -> _Shape | None:
        """Recognise the plays of a drive line; None if it has none, or a slower clock than others."""
        mine = plays.of_port(port)
        if mine is None or self.chain.samples_held(port) != 1:
            return None
        line = self.lines[port]
        tolerance = _ROUNDING_STEPS * self.chain.dac_step(port)
        phases, known = np.zeros(len(mine.starts)), np.zeros(len(mine.starts), dtype=np.bool_)
        for number, samples in enumerate(mine.samples):
            rows = np.flatnonzero(mine.shape == number)
            places = mine.starts[rows, None] + np.arange(len(samples))
            found = line[places]
            overlap = found @ samples.conj()
            phases[rows] = np.angle(overlap)
            rest = np.abs(found - np.exp(1j * phases[rows])[:, None] * samples)
            known[rows] = rest.max(axis=1, initial=0.0) < tolerance
        digests = [mine.digests[k] for k in mine.shape.tolist()]
        chosen = [mine.samples[k] for k in mine.shape.tolist()]
        return _Shape(mine.starts, mine.ends, digests, chosen, phases, known & mine.alone)


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """What the lines do in one segment."""

    reading: Reading
    segment: Segment
    tokens: tuple[bytes, ...]
    """Content of each line (drives by qubit, flux by qubit, couplers by coupling), empty at rest."""
    angles: NDArray[np.float64]
    """Phase of each qubit's drive, and 0 at the end."""
    shapes: Mapping[int, NDArray[np.complex128]]
    """Samples, at phase 0, of the drives that play a known shape."""
    leaks: list[bool]
    """Whether a drive that plays nothing drives all the same."""
    identity: bytes

    @property
    def n_samples(self) -> int:
        """Length of the segment."""
        return self.segment.last - self.segment.first

    @property
    def key(self) -> Hashable:
        """What operators of this segment depend on: not its start, and phases only where none may be chosen."""
        driven = [q for q in range(self.reading.n_qubits) if self.drives(q)]
        coupled = any(self.tokens[2 * self.reading.n_qubits :])
        rigid = len(driven) > 1 and (coupled or not all(self.is_free(q) for q in driven))
        return (self.identity, self.n_samples, self.tokens, self._relative(tuple(driven)) if rigid else ())

    def drives(self, qubit: int) -> bool:
        """Return whether the line of a qubit drives it."""
        return bool(self.tokens[qubit]) or self.leaks[qubit]

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
        return (self.identity, qubits, self.n_samples, tokens, relative)

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
            lines[port] = line * np.exp(1j * turns.get(qubit, 0.0))
        # The segment begins the shot, so that the turning of an LO within it is that of its own phase.
        return Part(lines, -first * reading.chain.sample_ticks, (first, last))

    def _relative(self, driven: tuple[int, ...]) -> tuple[float, ...]:
        return tuple(self.angle(q) - self.angle(driven[0]) for q in driven[1:])
