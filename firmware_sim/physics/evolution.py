"""The operators of one segment, and their action on a state.

Qubits whose coupler acts form a block, every other qubit is one by itself; blocks are exact. What a weak coupling
between two blocks A and B adds is the edge ratio ``R = U_(A u B) (U_A x U_B)^-1``, from the exact propagator of the
merged cluster. The product of ratios leaves out only the commutators of ratios that share a block; their sum is
reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_sim.physics.cache import OperatorCache, content_key
from firmware_sim.physics.noise import block_superoperator, local_superoperator
from firmware_sim.physics.propagators import Controls, edge_ratio, occupations, unitary
from firmware_sim.physics.slow_noise import turn
from firmware_sim.physics.states import State, apply_superoperator, left_multiply

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.device import Chip
    from firmware_sim.physics.segments import Segment
    from firmware_sim.signal_chain import SignalChain

Qubits = tuple[int, ...]

MAX_CLUSTER = 4
"""Qubits of a merged cluster; a larger one is cut to the edge's own two qubits and reported."""


_MOST_JOINED = 2
"""Qubits that a drive joins; more would leave no room for neighbours in a cluster."""
_MOST_SHARED_RAD = 0.15
"""Angle that a drive may give its qubit's neighbour before the two are taken together; pi pulses stay below."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operator of a segment."""

    qubits: Qubits
    matrix: NDArray[Any]
    superoperator: bool


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All operators of a segment in order, for states of given qubits."""

    qubits: Qubits
    steps: tuple[Step, ...]
    neglected: float
    """Infidelity that the order of neighbouring edge ratios leaves open: a sum of squares of ``clash``."""
    largest: int
    """Qubits of the largest cluster that was built."""
    truncated: bool
    """Whether a cluster was cut."""


class Planner:
    """Builds the operators of segments, with a memory."""

    def __init__(self, chip: Chip, chain: SignalChain, cache: OperatorCache, levels: int) -> None:
        self._chip = chip
        self._chain = chain
        self._cache = cache
        self._levels = levels

    def plan(
        self,
        lines: Sequence[NDArray[Any]],
        start_ticks: int,
        segment: Segment,
        qubits: Qubits,
        quiet: frozenset[int] | None,
    ) -> Plan:
        """Return the operators of a segment.

        Args:
            lines: DAC outputs of all ports over the block.
            start_ticks: First tick of the block, from the start of the shot.
            segment: The part of the block.
            qubits: Qubits of the state, ascending.
            quiet: Qubits without noise of their own, as during their readout; None switches all noise off.
        """
        part = Part(lines, start_ticks, (segment.first, segment.last))
        blocks = self.blocks(part, qubits)
        steps: list[Step] = []
        for block in blocks:
            steps += self._block_steps(part, block, quiet)
        neglected, largest, truncated = 0.0, max(map(len, blocks), default=0), False
        ratios: list[Step] = []
        for first, second in self.weak_edges(blocks, qubits):
            sides = (first[0], second[0])
            if len(sides[0]) + len(sides[1]) > MAX_CLUSTER:
                sides, truncated = ((first[1],), (second[1],)), True
            ratio = Step(tuple(sorted(sides[0] + sides[1])), self._ratio(part, sides), superoperator=False)
            neglected += sum(clash(self._cache, known, ratio, self._levels) ** 2 for known in ratios)
            ratios.append(ratio)
            largest = max(largest, len(ratio.qubits))
        return Plan(qubits, (*steps, *ratios), neglected, largest, truncated)

    def blocks(self, part: Part, qubits: Qubits, together: Iterable[Qubits] = ()) -> list[Qubits]:
        """Return the qubits grouped by acting couplers and by drives that turn two, in ascending order.

        Args:
            part: What the lines do.
            qubits: Qubits of the state.
            together: Some of them that are in one group in any case, none in two.
        """
        group = {qubit: {qubit} for qubit in qubits}
        for block in together:
            members = set(block)
            group.update((qubit, members) for qubit in block)
        for index, coupling in enumerate(self._chip.couplings):
            first, second = coupling.qubits
            if first not in group or second not in group or group[first] is group[second]:
                continue
            if self._chain.coupler_acts(part.lines, index, *part.span) or self._turns_both(part, index, group):
                joined = group[first] | group[second]
                for qubit in joined:
                    group[qubit] = joined
        return sorted({tuple(sorted(members)) for members in group.values()})

    def _turns_both(self, part: Part, index: int, group: dict[int, set[int]]) -> bool:
        """Return whether a drive turns its qubit's neighbour too, as a cross-resonance tone does.

        By first order in g over the gap, the neighbour turns by that part of the angle of the drive.
        """
        coupling = self._chip.couplings[index]
        first, second = coupling.qubits
        if coupling.truth.coupler is not None or len(group[first]) + len(group[second]) > _MOST_JOINED:
            return False
        controls = part.controls(self._chain, (first, second))
        angle = float((controls.counts @ np.abs(controls.drive_rad_s)).max()) * controls.dt_s
        gap = np.abs(controls.detuning_rad_s[:, 0] - controls.detuning_rad_s[:, 1]).min()
        return bool(angle * np.abs(controls.coupling_rad_s).max() > _MOST_SHARED_RAD * gap)

    def weak_edges(self, blocks: list[Qubits], qubits: Qubits) -> list[tuple[tuple[Qubits, int], tuple[Qubits, int]]]:
        """Return, for each pair of blocks that couplings join, the blocks and the qubits of one such coupling."""
        block_of = {qubit: block for block in blocks for qubit in block}
        found: dict[frozenset[Qubits], tuple[tuple[Qubits, int], tuple[Qubits, int]]] = {}
        for coupling in self._chip.couplings:
            first, second = coupling.qubits
            if first in qubits and second in qubits and block_of[first] != block_of[second]:
                ends = ((block_of[first], first), (block_of[second], second))
                found.setdefault(frozenset((block_of[first], block_of[second])), ends)
        return list(found.values())

    def _block_steps(self, part: Part, block: Qubits, quiet: frozenset[int] | None) -> list[Step]:
        controls = part.controls(self._chain, block)
        if quiet is None or quiet.issuperset(block):
            return [Step(block, self.unitary(controls, block), superoperator=False)]
        noisy = [None if qubit in quiet else self._chip.qubits[qubit] for qubit in block]
        if len(block) > 2:
            # A dense superoperator of three transmons does not fit; half of the noise before, half after.
            half = [
                Step((qubit,), local_superoperator(transmon, self._levels, controls.duration_s / 2), superoperator=True)
                for qubit, transmon in zip(block, noisy, strict=True)
                if transmon is not None
            ]
            return [*half, Step(block, self.unitary(controls, block), superoperator=False), *half]
        key = self._key("superoperator", controls, block, tuple(qubit for qubit in block if qubit in quiet))
        (matrix,) = self._cache.get(key, lambda: (block_superoperator(controls, noisy, self._levels),))
        return [Step(block, matrix, superoperator=True)]

    def _ratio(self, part: Part, sides: tuple[Qubits, Qubits]) -> NDArray[np.complex128]:
        cluster = tuple(sorted(sides[0] + sides[1]))
        controls = part.controls(self._chain, cluster)

        def build() -> tuple[NDArray[Any], ...]:
            def parts(matrix: NDArray[np.complex128]) -> NDArray[np.complex128]:
                for side in sides:
                    own = self.unitary(part.controls(self._chain, side), side)
                    places = [cluster.index(qubit) for qubit in side]
                    matrix = left_multiply(own, matrix, places, self._levels, len(cluster))
                return matrix

            return (edge_ratio(unitary(controls, self._levels), parts),)

        return self._cache.get(self._key("ratio", controls, cluster, sides[0]), build)[0]

    def unitary(self, controls: Controls, block: Qubits) -> NDArray[np.complex128]:
        """Return the propagator of a cluster, from the memory if it is there."""
        (matrix,) = self._cache.get(
            self._key("unitary", controls, block, ()), lambda: (unitary(controls, self._levels),)
        )
        return matrix

    def _key(self, kind: str, controls: Controls, cluster: Qubits, extra: Qubits) -> bytes:
        columns = (controls.counts, controls.detuning_rad_s, controls.drive_rad_s, controls.coupling_rad_s)
        return content_key(kind, self._chip.hash, self._levels, cluster, extra, controls.dt_s, *columns)


class Part:
    """A segment of a block's lines, with the controls of each cluster made once."""

    def __init__(self, lines: Sequence[NDArray[Any]], start_ticks: int, span: tuple[int, int]) -> None:
        self.lines = lines
        self.span = span
        self._start_ticks = start_ticks
        self._made: dict[Qubits, Controls] = {}

    def controls(self, chain: SignalChain, qubits: Qubits) -> Controls:
        """Return the controls of a cluster of qubits, ascending."""
        if qubits not in self._made:
            self._made[qubits] = chain.controls(self.lines, self._start_ticks, self.span, qubits)
        return self._made[qubits]


def clash(cache: OperatorCache, first: Step, second: Step, levels: int) -> float:
    """Return the amplitude that the order of two edge ratios decides: half of their commutator, on two levels."""
    cluster = tuple(sorted({*first.qubits, *second.qubits}))
    if len(cluster) == len(first.qubits) + len(second.qubits):
        return 0.0

    def build() -> tuple[NDArray[Any]]:
        low = np.all(occupations(levels, len(cluster)) < 2, axis=0)
        made: list[NDArray[np.complex128]] = []
        for order in ((first, second), (second, first)):
            kets = np.eye(len(low), dtype=np.complex128)[:, low]
            for step in order:
                places = [cluster.index(qubit) for qubit in step.qubits]
                kets = left_multiply(step.matrix, kets, places, levels, len(cluster))
            made.append(kets)
        return (np.array(np.linalg.norm(made[0] - made[1], axis=0).max() / 2),)

    key = content_key("clash", levels, first.qubits, second.qubits, first.matrix, second.matrix)
    return float(cache.get(key, build)[0])


def evolve(plan: Plan, state: State, half_turns_rad: NDArray[np.float64] | None = None) -> State:
    """Return the state, of the plan's qubits, after the plan's operators.

    Args:
        plan: The operators.
        state: The state before.
        half_turns_rad: Angles by which slow noise turns each qubit before, and once more after the operators.
    """
    if half_turns_rad is not None:
        turned = evolve(plan, replace(state, data=turn(state.data, half_turns_rad, state.levels)))
        return replace(turned, data=turn(turned.data, half_turns_rad, state.levels))
    data, n_qubits, levels = state.data, len(state.qubits), state.levels
    position = {qubit: index for index, qubit in enumerate(state.qubits)}
    waiting: list[Step] = []
    for step in plan.steps:
        if not state.mixed:
            places = [position[qubit] for qubit in step.qubits]
            data = left_multiply(step.matrix, data, places, levels, n_qubits)
        elif step.superoperator:
            data = _conjugate(data, waiting, position, levels)
            waiting = []
            places = [position[qubit] for qubit in step.qubits]
            data = apply_superoperator(step.matrix, data, places, levels, n_qubits)
        else:
            waiting.append(step)
    if state.mixed:
        data = _conjugate(data, waiting, position, levels)
    return State(state.qubits, levels, data)


def _conjugate(
    data: NDArray[np.complex128], steps: list[Step], position: dict[int, int], levels: int
) -> NDArray[np.complex128]:
    """Return ``U data U^dag`` for the product of all steps: ``(U (U data)^dag)^dag``."""
    if not steps:
        return data
    for _ in range(2):
        for step in steps:
            places = [position[qubit] for qubit in step.qubits]
            data = left_multiply(step.matrix, data, places, levels, len(position))
        data = np.ascontiguousarray(data.conj().T)
    return data
