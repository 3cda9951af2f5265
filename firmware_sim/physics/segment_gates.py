"""The gates and jumps of one segment, for pure states of two or three levels.

As in ``evolution``: exact blocks, then an edge ratio ``R = U_AB (U_A x U_B)^-1`` for each weak edge, then the noise of
each block. Each edge is one gate: its ratio with the blocks that it is the first to touch and the "no jump" of those
that it is the last to touch. Operators are built with three levels and cut last, in the basis that the cluster's
couplings at rest dress, so that a CZ that passes through level 2 comes back whole.

A pulse that other lines cut into segments is played at its end, as one block. Until then the state stays as it was when
the pulse began, and each edge ratio beside it is seen from there, ``R' = U_A^-1 R U_A`` with U_A the pulse so far. This
is exact for pulses that overlap in any way, and nothing is cut off while level 2 holds much of the state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics._gate_kernels import MOST_HARMONICS
from firmware_sim.physics.evolution import MAX_CLUSTER, Part, Planner, Qubits, Step, clash
from firmware_sim.physics.gates import Gate, Turning, make_gate, two_lowest
from firmware_sim.physics.kraus import JumpSet, channel_after, jump_set, kraus_operators, without_phase
from firmware_sim.physics.noise import block_superoperator, local_superoperator
from firmware_sim.physics.propagators import hamiltonians, occupations
from firmware_sim.physics.states import left_multiply

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from firmware_sim.physics.cache import OperatorCache
    from firmware_sim.physics.device import Chip
    from firmware_sim.physics.reading import Passage
    from firmware_sim.signal_chain import SignalChain

_LEVELS = 3
"""Levels in every propagator, whatever the state holds."""
_PHASES = 8
"""Phase differences at which an operator with two drives is built at first."""
_CONVERGED = 1e-9
_WIDEST_NOISE = 2
"""Qubits of a block whose noise is exact; a wider block has it qubit by qubit, at its end."""


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """Noise of one block at the end of a segment."""

    qubits: Qubits
    source: int
    """Qubit whose drive phase turns it, -1 for none."""
    jumps: JumpSet


@dataclass(frozen=True, slots=True, eq=False)
class SegmentGates:
    """What a segment does to pure states."""

    gates: tuple[Gate, ...]
    channels: tuple[Channel, ...]
    largest: int
    """Qubits of the largest cluster."""
    neglected: float
    """Infidelity that the order of neighbouring edge ratios leaves open: a sum of squares of ``clash``."""
    truncated: bool
    """Whether a cluster was cut."""
    lost: float
    """Most norm that a gate takes from a basis state by cutting levels off."""
    nbytes: int = 2048


@dataclass(frozen=True, slots=True, eq=False)
class _Grouping:
    """The blocks of a segment."""

    blocks: list[Qubits]
    nbytes: int = 256


@dataclass(frozen=True, slots=True)
class _Edge:
    """One gate: two sides whose ratio it plays, or one block alone (``sides[1]`` empty)."""

    sides: tuple[Qubits, Qubits]
    first: tuple[Qubits, ...]
    """Blocks that no earlier gate has touched."""
    last: tuple[Qubits, ...]
    """Blocks that no later gate touches."""

    def without(self, blocks: set[Qubits]) -> _Edge:
        """Return the edge with some blocks left for later."""
        kept = (tuple(block for block in side if block not in blocks) for side in (self.first, self.last))
        return _Edge(self.sides, *kept)

    @property
    def cluster(self) -> Qubits:
        return tuple(sorted({*self.sides[0], *self.sides[1], *(q for block in self.first + self.last for q in block)}))


class SegmentPlanner:
    """Builds the gates of segments, with a memory.

    Args:
        chip: The device.
        chain: Its lines.
        cache: Memory of operators.
        levels: Levels of the state, 2 or 3.
    """

    def __init__(self, chip: Chip, chain: SignalChain, cache: OperatorCache, levels: int) -> None:
        self._chip = chip
        self._chain = chain
        self._cache = cache
        self._levels = levels
        self._planner = Planner(chip, chain, cache, _LEVELS)

    def segment(self, passage: Passage, qubits: Qubits, quiet: frozenset[int] | None) -> SegmentGates:
        """Return the gates and channels of a segment.

        Args:
            passage: What the lines do in it.
            qubits: Qubits of the state, ascending.
            quiet: Qubits without noise of their own, as during their readout; None switches all noise off.
        """
        content, blocks = passage.key, self._blocks_of(passage, qubits)
        key = ("segment", self._levels, qubits, quiet, content, passage.rigid_phases(blocks))
        return self._cache.get(key, lambda: self._build(passage, qubits, blocks, quiet))

    def is_rigid(self, passage: Passage, qubits: Qubits) -> bool:
        """Return whether the gates of a segment depend on phases between its drives."""
        return bool(passage.rigid_phases(self._blocks_of(passage, qubits))) or any(
            held.is_rigid for held in passage.held
        )

    def _blocks_of(self, passage: Passage, qubits: Qubits) -> list[Qubits]:
        return self._cache.get(("blocks", qubits, passage.key), lambda: self._blocks(passage, qubits)).blocks

    def _blocks(self, passage: Passage, qubits: Qubits) -> _Grouping:
        return _Grouping(self._planner.blocks(passage.part({}), qubits, [held.qubits for held in passage.held]))

    def _build(
        self, passage: Passage, qubits: Qubits, blocks: list[Qubits], quiet: frozenset[int] | None
    ) -> SegmentGates:
        waiting = {held.qubits for held in passage.held if not held.done}
        edges, cut = self._edges(blocks, qubits, waiting)
        gates: list[Gate] = []
        ratios: list[Step] = []
        neglected = 0.0
        for edge in edges:
            made = self._gate(passage, edge, quiet)
            gates.append(made.gate)
            if made.ratio is not None:
                neglected += sum(clash(self._cache, known, made.ratio, _LEVELS) ** 2 for known in ratios)
                ratios.append(made.ratio)
        ended = [block for block in blocks if block not in waiting]
        channels = tuple(channel for block in ended for channel in self._channels(passage, block, quiet))
        largest = max((len(gate.qubits) for gate in gates), default=0)
        lost = max((gate.lost for gate in gates), default=0.0)
        return SegmentGates(tuple(gates), channels, largest, neglected, cut, lost)

    def _edges(self, blocks: list[Qubits], qubits: Qubits, waiting: set[Qubits]) -> tuple[list[_Edge], bool]:
        """Return the gates of blocks, of which some wait, and of weak edges, and whether a cluster had to be cut."""
        found: list[tuple[tuple[Qubits, Qubits], tuple[Qubits, Qubits]]] = []
        cut = False
        for (block_a, a), (block_b, b) in self._planner.weak_edges(blocks, qubits):
            sides = (block_a, block_b)
            if len(block_a) + len(block_b) > MAX_CLUSTER:
                sides, cut = ((a,), (b,)), True
            found.append((sides, (block_a, block_b)))
        touching = {block: [k for k, (_, pair) in enumerate(found) if block in pair] for block in blocks}
        # A block that lost an edge's whole side to the limit acts by itself, before.
        alone = [
            block for block in blocks if not touching[block] or any(block not in found[k][0] for k in touching[block])
        ]
        edges = [_Edge((block, ()), (block,), (block,) if not touching[block] else ()) for block in alone]
        for k, (sides, _) in enumerate(found):
            whole = [side for side in sides if side in touching]
            first = tuple(side for side in whole if side not in alone and touching[side][0] == k)
            last = tuple(side for side in whole if touching[side][-1] == k)
            edges.append(_Edge(sides, first, last))
        late = [block for block in alone if touching[block] and not any(block in edge.last for edge in edges)]
        edges += [_Edge((block, ()), (), (block,)) for block in late]
        return [edge.without(waiting) for edge in edges if edge.sides[1] or edge.sides[0] not in waiting], cut

    def _gate(self, passage: Passage, edge: _Edge, quiet: frozenset[int] | None) -> _Made:
        cluster = edge.cluster
        driven = tuple(q for q in cluster if passage.drives(q))
        pair = _free_pair(passage, edge, driven)
        silent = None if quiet is None else tuple(q for q in cluster if q in quiet)
        key = ("gate", self._levels, edge, silent, passage.cluster_key(cluster, exact=pair is None))
        build = self._build_single if pair is None else self._build_series
        return self._cache.get(key, lambda: build(passage, edge, quiet, driven))

    def _build_single(
        self, passage: Passage, edge: _Edge, quiet: frozenset[int] | None, driven: tuple[int, ...]
    ) -> _Made:
        """Build a gate that turns as a whole with the phase of its first drive."""
        cluster, kept = edge.cluster, self._kept(edge.cluster)
        lead = driven[0] if driven else -1
        turns = {q: passage.angle(q) - passage.angle(lead) for q in driven}
        whole, ratio = self._operator(passage, turns, edge)
        noisy = self._keep(passage, edge, quiet, turns) @ whole
        turning = Turning(cluster, (lead,) * len(cluster), (0, 0))
        matrices = noisy[None, kept][:, :, kept]
        return _Made(make_gate(turning, matrices, self._levels, _lost(whole, kept)), ratio)

    def _build_series(
        self, passage: Passage, edge: _Edge, quiet: frozenset[int] | None, driven: tuple[int, ...]
    ) -> _Made:
        """Build a gate with two drives as a Fourier series in the difference of their phases."""
        cluster, kept = edge.cluster, self._kept(edge.cluster)
        first, second = driven
        level = occupations(_LEVELS, len(cluster))[cluster.index(second)]
        turning = Turning(
            cluster, tuple(q if q in driven else first for q in cluster), (cluster.index(first), cluster.index(second))
        )
        n_phases = _PHASES
        while True:
            lost, ratio = 0.0, None
            made: list[NDArray[np.complex128]] = []
            for k in range(n_phases):
                delta = 2 * np.pi * k / n_phases
                whole, ratio = self._operator(passage, {second: delta}, edge)
                lost = max(lost, _lost(whole, kept))
                noisy = self._keep(passage, edge, quiet, {first: 0.0, second: delta}) @ whole
                phase = np.exp(1j * delta * level)
                made.append((phase[:, None] * noisy * phase.conj())[np.ix_(kept, kept)])
            matrices = np.array(made)
            highest = np.abs(np.fft.fft(matrices, axis=0)[n_phases // 2]).max() / n_phases
            if highest < _CONVERGED or n_phases >= MOST_HARMONICS:
                return _Made(make_gate(turning, matrices, self._levels, lost), ratio)
            n_phases *= 2

    def _kept(self, cluster: Qubits) -> NDArray[np.intp]:
        return np.arange(_LEVELS ** len(cluster)) if self._levels == _LEVELS else two_lowest(len(cluster))

    def _operator(
        self, passage: Passage, turns: dict[int, float], edge: _Edge
    ) -> tuple[NDArray[np.complex128], Step | None]:
        """Return the ratio of an edge times its first blocks, with three levels, and the ratio alone."""
        cluster, sides, part = edge.cluster, edge.sides, passage.part(turns)
        held = {one.qubits: one for one in passage.held}
        so_far = {
            block: self._dressed_unitary(one.so_far.part(turns), block)
            for block, one in held.items()
            if set(block) <= set(cluster)
        }
        result = np.eye(_LEVELS ** len(cluster), dtype=np.complex128)
        for block in edge.first:
            own = so_far[block] if block in so_far else self._dressed_unitary(part, block)
            result = self._embed(own, result, block, cluster)
        if not sides[1]:
            return result, None
        pair = tuple(sorted(sides[0] + sides[1]))
        both = np.eye(_LEVELS ** len(pair), dtype=np.complex128)
        for side in sides:
            both = self._embed(self._dressed_unitary(part, side), both, side, pair)
        ratio = self._dressed_unitary(part, pair) @ both.conj().T
        for side in sides:
            if side in held and not held[side].done:
                back = so_far[side].conj().T
                ratio = self._embed(back, self._embed(back, ratio.conj().T, side, pair).conj().T, side, pair)
        return self._embed(ratio, result, pair, cluster), Step(pair, ratio, superoperator=False)

    def _keep(
        self, passage: Passage, edge: _Edge, quiet: frozenset[int] | None, turns: dict[int, float]
    ) -> NDArray[np.complex128]:
        """Return "no jump" of the last blocks of an edge, each turned by the angle of its drive."""
        cluster = edge.cluster
        result = np.eye(_LEVELS ** len(cluster), dtype=np.complex128)
        for block in edge.last:
            for qubits, source, operators in self._noise(passage, block, quiet):
                phase = np.exp(-1j * turns.get(source, 0.0) * occupations(_LEVELS, len(qubits)).sum(axis=0))
                keep = without_phase(operators[0])
                result = self._embed(phase[:, None] * keep * phase.conj(), result, qubits, cluster)
        return result

    def _channels(self, passage: Passage, block: Qubits, quiet: frozenset[int] | None) -> list[Channel]:
        found: list[Channel] = []
        for qubits, source, operators in self._noise(passage, block, quiet):
            found.append(Channel(qubits, source, jump_set(operators, self._kept(qubits))))
        return found

    def _noise(
        self, passage: Passage, block: Qubits, quiet: frozenset[int] | None
    ) -> list[tuple[Qubits, int, NDArray[np.complex128]]]:
        """Return qubits, source and Kraus operators of each channel of a block."""
        if quiet is None:
            return []
        passage = next((held.so_far for held in passage.held if held.qubits == block), passage)
        noisy = [None if qubit in quiet else self._chip.qubits[qubit] for qubit in block]
        if not any(noisy):
            return []
        if len(block) > _WIDEST_NOISE:
            duration_s = passage.n_samples * self._chain.sample_s
            return [
                (
                    (qubit,),
                    -1,
                    kraus_operators(local_superoperator(transmon, _LEVELS, duration_s).astype(np.complex128)),
                )
                for qubit, transmon in zip(block, noisy, strict=True)
                if transmon is not None
            ]
        driven = [q for q in block if passage.drives(q)]
        lead = driven[0] if driven else -1

        def build() -> tuple[NDArray[np.complex128]]:
            part = passage.part({q: passage.angle(q) - passage.angle(lead) for q in driven})
            controls = part.controls(self._chain, block)
            own = self._planner.unitary(controls, block)
            channel = channel_after(block_superoperator(controls, noisy, _LEVELS), own)
            dressing = self._dressing(block)
            return (dressing.T @ kraus_operators(channel) @ dressing,)

        silent = tuple(q for q in block if q in quiet)
        key = ("kraus", self._levels, block, silent, passage.cluster_key(block, exact=True))
        return [(block, lead, self._cache.get(key, build)[0])]

    def _dressed_unitary(self, part: Part, qubits: Qubits) -> NDArray[np.complex128]:
        dressing = self._dressing(qubits)
        return dressing.T @ self._planner.unitary(part.controls(self._chain, qubits), qubits) @ dressing

    def _dressing(self, qubits: Qubits) -> NDArray[np.float64]:
        """Return the dressed basis of a cluster at rest as columns; the bare one for states of three levels."""
        if self._levels == _LEVELS or len(qubits) == 1:
            return np.eye(_LEVELS ** len(qubits))

        def build() -> tuple[NDArray[np.float64]]:
            h = hamiltonians(self._chain.at_rest(qubits), _LEVELS)[0].real
            return (dressed_basis(h),)

        key = ("dressing", qubits, self._chain.identity)
        return self._cache.get(key, build)[0]

    def _embed(
        self, operator: NDArray[np.complex128], target: NDArray[np.complex128], qubits: Qubits, cluster: Qubits
    ) -> NDArray[np.complex128]:
        places = [cluster.index(qubit) for qubit in qubits]
        return left_multiply(operator, target, places, _LEVELS, len(cluster))


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """A gate, and its edge ratio at one difference of phases, for what its order with others leaves open."""

    gate: Gate
    ratio: Step | None

    @property
    def nbytes(self) -> int:
        return self.gate.nbytes + (0 if self.ratio is None else self.ratio.matrix.nbytes)


def _free_pair(passage: Passage, edge: _Edge, driven: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the two driven qubits of a gate whose phases may be chosen, if these are all its drives."""
    together = any(set(driven) <= set(block) for block in (*edge.sides, *edge.first, *edge.last))
    return driven if len(driven) == 2 and not together and all(passage.is_free(q) for q in driven) else None


def dressed_basis(h: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return eigenvectors as columns, each at the basis state that it overlaps most, with a positive overlap."""
    _, vectors = np.linalg.eigh(h)
    overlap = vectors**2
    place = np.empty(len(h), dtype=np.intp)
    for _ in range(len(h)):
        row, column = np.unravel_index(np.argmax(overlap), overlap.shape)
        place[row] = column
        overlap[row] = -1
        overlap[:, column] = -1
    ordered = vectors[:, place]
    return ordered * np.sign(np.diag(ordered))


def _lost(operator: NDArray[np.complex128], kept: NDArray[np.intp]) -> float:
    if len(kept) == len(operator):
        return 0.0
    stays = (np.abs(operator[np.ix_(kept, kept)]) ** 2).sum(axis=0)
    return float(max(1 - stays.min(), 0.0))
