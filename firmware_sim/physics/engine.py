"""``Engine``: blocks of DAC outputs in, classical bits and integrated readout out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_sim.physics.branches import Branch
from firmware_sim.physics.cache import OperatorCache
from firmware_sim.physics.device import build_chip
from firmware_sim.physics.evolution import Plan, Planner, evolve
from firmware_sim.physics.measurement import Measurement, collapse
from firmware_sim.physics.random import Draws
from firmware_sim.physics.readout import Capture, Readout
from firmware_sim.physics.segments import Segment, cut
from firmware_sim.physics.slow_noise import Clock, SlowNoise, turn
from firmware_sim.physics.states import State, extend, ground
from firmware_sim.signal_chain import SignalChain
from qctrl.errors import ConfigError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from firmware_sim.config import Truth
    from qctrl.protocol import Setup, SimOptions

MAX_QUBITS = {True: 5, False: 8}
"""Most touched qubits with noise (density matrix) and without (ket)."""
_UNSAFE = 1e-3

Lines = Sequence["NDArray[Any]"]


@dataclass(slots=True)
class _Tally:
    """What the run has seen so far, for ``statistics``."""

    largest_cluster: int = 0
    neglected: float = 0.0
    truncated: bool = False
    measured: int = 0
    leaked: int = 0
    most_branches: int = 0
    most_qubits: int = 0

    def add_plan(self, plan: Plan) -> None:
        self.largest_cluster = max(self.largest_cluster, plan.largest)
        self.neglected += plan.neglected
        self.truncated |= plan.truncated
        self.most_qubits = max(self.most_qubits, len(plan.qubits))


class Engine:
    """The physics of one device behind one Setup."""

    def __init__(
        self,
        truth: Truth,
        setup: Setup,
        options: SimOptions,
        cache: OperatorCache | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Build the device.

        Args:
            truth: The hidden device.
            setup: Ports and clocks, as the host configured them.
            options: Noise and levels.
            cache: Memory of operators to share between engines; a new one unless given.
            clock: Simulated times of the shots, for slow noise.

        Raises:
            ConfigError: Truth and Setup do not fit, or the levels are not 2 to 4.
        """
        if options.levels not in (2, 3, 4):
            raise ConfigError(f"levels is {options.levels}; a transmon has 2, 3 or 4 here")
        self._chip = build_chip(truth)
        self._options = options
        self._setup = setup
        self._cache = OperatorCache() if cache is None else cache
        self._chain = SignalChain(self._chip, setup)
        self._planner = Planner(self._chip, self._chain, self._cache, options.levels)
        self._readout = Readout(self._chip, setup, self._cache, options.levels)
        self._measurement = Measurement(self._chip, self._readout, noisy=options.noise)
        self._slow = SlowNoise(self._chip, Clock() if clock is None else clock, noisy=options.noise)
        self._tally = _Tally()

    @property
    def qubit_names(self) -> tuple[str, ...]:
        """Names of the qubits in index order."""
        return self._chip.names

    def begin(
        self,
        shots: NDArray[np.uint64],
        binding: int,
        key: NDArray[np.uint64],
        n_clbits: int,
        captures: tuple[int, int] = (0, 0),
    ) -> list[Branch]:
        """Return all shots at their start, those of equal slow noise in a branch.

        Qubits enter the state, in equilibrium, when they are first touched.

        Args:
            shots: Absolute shot indices, shape ``(n_shots,)``.
            binding: Absolute binding index.
            key: Random key, as of :func:`random.stream_key`.
            n_clbits: Classical bits.
            captures: Number of captures of the program, and samples to keep of each raw trace (0 for no traces).
        """
        n_captures, trace_samples = captures
        shape = (len(shots), n_captures, trace_samples)
        whole = Branch(
            state=ground(self._options.levels, mixed=self._options.noise),
            draws=Draws(key, binding, np.ascontiguousarray(shots, dtype=np.uint64)),
            used_blocks=0,
            bits=np.zeros((len(shots), n_clbits), dtype=np.uint8),
            iq=np.zeros((len(shots), n_captures), dtype=np.complex64),
            traces=np.zeros(shape, dtype=np.complex64) if trace_samples else None,
        )
        if self._slow.silent:
            return [whole]
        labels = self._slow.groups(whole.draws)
        return [whole.take(np.flatnonzero(labels == label)) for label in np.unique(labels)]

    def play(
        self,
        branches: Sequence[Branch],
        lines: Lines,
        start_ticks: int,
        captures: Sequence[Capture] = (),
        *,
        final: bool = False,
    ) -> list[Branch]:
        """Return the branches after one block.

        Args:
            branches: Branches that all play this block at this time.
            lines: DAC output of every port over the block, by port index.
            start_ticks: First tick of the block, from the start of the shot.
            captures: The block's captures.
            final: Nothing follows: qubits that nothing touches after their capture need no branch per outcome.

        Raises:
            ResourceError: The program touches more qubits than a dense state holds.
        """
        readout_ends = {end for branch in branches for _, end in branch.in_readout}
        block = self._block(lines, start_ticks, captures, readout_ends)
        deferred = self._deferrable(block) if final else frozenset[int]()
        # Once the last qubit is measured and nothing follows, what the block still does is seen by nobody.
        done = bool(deferred) and len(deferred) == len(block.starts)
        ends = max(block.starts[q] for q in deferred) if done else block.n_samples
        current = [self._touch(branch, block.touched, start_ticks) for branch in branches]
        for segment in block.segments:
            if segment.first < ends:
                current = self._measure(current, block, segment.first, deferred)
                current = self._evolve(current, block, segment, deferred)
        if final:
            current = self._measure_deferred(current, block, deferred)
        self._tally.most_branches = max(self._tally.most_branches, len(current))
        return current

    def populations(self, branches: Iterable[Branch]) -> NDArray[np.float64]:
        """Return the mean probability of each level of each qubit of the chip, shape ``(n_qubits, levels)``."""
        result = np.zeros((len(self._chip.qubits), self._options.levels))
        total = 0
        for branch in branches:
            n_shots = len(branch.shots)
            total += n_shots
            for qubit in range(len(result)):
                if qubit in branch.state.qubits:
                    result[qubit] += n_shots * branch.state.marginal([qubit])
                else:
                    result[qubit, 0] += n_shots
        return result / max(total, 1)

    def channel(
        self,
        lines: Lines,
        start_ticks: int,
        qubits: Sequence[int],
        inputs: NDArray[np.complex128],
        frames_hz: NDArray[np.float64],
    ) -> NDArray[np.complex128]:
        """Return what one block does to operators on some qubits, in frames that turn at given frequencies.

        Args:
            lines: DAC output of every port over the block, by port index.
            start_ticks: First tick of the block, from the start of the shot.
            qubits: Chip indices, ascending; the block may touch no others.
            inputs: Kets ``(n, dim)`` with noise off, operators ``(n, dim, dim)`` with noise on, dim = levels ** qubits;
                they live in the turning frames at the block's first tick, the outputs at its end.
            frames_hz: Frequency of each qubit's frame, shape ``(n_qubits,)``.

        Raises:
            ResourceError: The block touches another qubit.
        """
        block = self._block(lines, start_ticks, (), set())
        strangers = block.touched - set(qubits)
        if strangers or list(qubits) != sorted(set(qubits)):
            names = ", ".join(self._chip.names[q] for q in sorted(strangers)) or "an unsorted list"
            raise ResourceError(f"the block touches {names}; give every touched qubit, in ascending order")
        tick_s = float(self._setup.tick_s)
        end_s = start_ticks * tick_s + block.n_samples * self._chain.sample_s
        enter = self._frame_phases(frames_hz, -start_ticks * tick_s)
        leave = self._frame_phases(frames_hz, end_s)
        quiet = frozenset[int]() if self._options.noise else None
        plans = [self._planner.plan(lines, start_ticks, part, tuple(qubits), quiet) for part in block.segments]
        outputs: list[NDArray[np.complex128]] = []
        for given in inputs:
            state = State(tuple(qubits), self._options.levels, _turn(given, enter))
            for plan in plans:
                state = evolve(plan, state)
            outputs.append(_turn(state.data, leave))
        return np.array(outputs)

    def statistics(self) -> dict[str, Any]:
        """Return what the physics did and how far to trust it.

        ``neglected_infidelity`` estimates, at worst, what the product of edge ratios leaves out.
        """
        tally = self._tally
        unsafe = tally.truncated or tally.neglected**2 > _UNSAFE
        return {
            "mode": "density matrix" if self._options.noise else "ket",
            "levels": self._options.levels,
            "qubits": tally.most_qubits,
            "largest_cluster": tally.largest_cluster,
            "branches": tally.most_branches,
            "approximation": "unsafe" if unsafe else "edge ratios",
            "neglected_infidelity": tally.neglected**2,
            "leaked_fraction": tally.leaked / tally.measured if tally.measured else 0.0,
            "clipped_samples": self._measurement.clipped,
            "cache_hits": self._cache.hits,
            "cache_misses": self._cache.misses,
        }

    def _block(self, lines: Lines, start_ticks: int, captures: Sequence[Capture], readout_ends: set[int]) -> _Block:
        activity, acts_on = self._chain.activity(lines)
        n_samples = activity.shape[1]
        first = {
            self._readout.qubit_of(capture): (capture.first_tick - start_ticks) // self._chain.sample_ticks
            for capture in captures
        }
        touched = {q for row, qubits in zip(activity, acts_on, strict=True) if row.any() for q in qubits}
        last: dict[int, int] = {}
        for row, qubits in zip(activity, acts_on, strict=True):
            acting = np.flatnonzero(row)
            for qubit in qubits:
                last[qubit] = max(last.get(qubit, -1), int(acting[-1]) if len(acting) else -1)
        ends = readout_ends | {c.first_tick + c.length_ticks for c in captures}
        marks = [(end - start_ticks) // self._chain.sample_ticks for end in ends]
        segments = cut(activity, n_samples, [*first.values(), *marks])
        return _Block(
            lines, start_ticks, tuple(captures), n_samples, segments, frozenset(touched | set(first)), first, last
        )

    def _deferrable(self, block: _Block) -> frozenset[int]:
        """Return qubits measured once that no line touches from their capture on."""
        measured = [self._readout.qubit_of(capture) for capture in block.captures]
        return frozenset(
            q for q, first in block.starts.items() if block.last_touch.get(q, -1) < first and measured.count(q) == 1
        )

    def _touch(self, branch: Branch, touched: frozenset[int], start_ticks: int) -> Branch:
        thermal = {q: self._chip.qubits[q].thermal for q in touched} if self._options.noise else None
        state = extend(branch.state, sorted(touched), thermal)
        limit = MAX_QUBITS[state.mixed]
        if len(state.qubits) > limit:
            raise ResourceError(
                f"the program touches {len(state.qubits)} qubits; the dense engine holds {limit} "
                f"{'with' if state.mixed else 'without'} noise; use fewer qubits"
                + (" or noise=False" if state.mixed else "")
            )
        still = tuple((q, end) for q, end in branch.in_readout if end > start_ticks)
        return replace(branch, state=state, in_readout=still)

    def _evolve(
        self, branches: list[Branch], block: _Block, segment: Segment, deferred: frozenset[int]
    ) -> list[Branch]:
        now = block.start_ticks + segment.first * self._chain.sample_ticks
        waiting = {q for q in deferred if block.starts[q] <= segment.first}
        plans: dict[tuple[tuple[int, ...], frozenset[int] | None], Plan] = {}
        result: list[Branch] = []
        for branch in branches:
            reading = {q for q, end in branch.in_readout if end > now}
            quiet = frozenset(waiting | reading) if self._options.noise else None
            key = (branch.state.qubits, quiet)
            if key not in plans:
                plans[key] = self._planner.plan(block.lines, block.start_ticks, segment, *key)
                self._tally.add_plan(plans[key])
            result.append(replace(branch, state=self._through(plans[key], branch, block, segment)))
        return result

    def _through(self, plan: Plan, branch: Branch, block: _Block, segment: Segment) -> State:
        """Return the state after a segment; its slow noise acts half before and half after."""
        if self._slow.silent:
            return evolve(plan, branch.state)
        sample_s, begin_s = self._chain.sample_s, block.start_ticks * float(self._setup.tick_s)
        span_s = (begin_s + segment.first * sample_s, begin_s + segment.last * sample_s)
        slopes = self._chain.slopes_hz(block.lines, (segment.first, segment.last))
        one = Draws(branch.draws.key, branch.binding, branch.shots[:1])
        half = self._slow.angles(one, span_s, slopes)[0, list(branch.state.qubits)] / 2
        before = replace(branch.state, data=turn(branch.state.data, half, branch.state.levels))
        after = evolve(plan, before)
        return replace(after, data=turn(after.data, half, after.levels))

    def _measure(self, branches: list[Branch], block: _Block, sample: int, deferred: frozenset[int]) -> list[Branch]:
        """Measure the captures that begin at a sample, and branch by what was found."""
        now = [
            c for c in block.captures if self._begins(block, c, sample) and self._readout.qubit_of(c) not in deferred
        ]
        if not now:
            return branches
        result: list[Branch] = []
        for branch in branches:
            found = self._measurement.measure(branch, now, block.lines, block.start_ticks)
            self._count(found.levels)
            result += collapse(found)
        return result

    def _measure_deferred(self, branches: list[Branch], block: _Block, deferred: frozenset[int]) -> list[Branch]:
        last = [c for c in block.captures if self._readout.qubit_of(c) in deferred]
        if not last:
            return branches
        result: list[Branch] = []
        for branch in branches:
            found = self._measurement.measure(branch, last, block.lines, block.start_ticks)
            self._count(found.levels)
            result.append(found.branch)
        return result

    def _begins(self, block: _Block, capture: Capture, sample: int) -> bool:
        return (capture.first_tick - block.start_ticks) // self._chain.sample_ticks == sample

    def _count(self, levels: NDArray[np.uint8]) -> None:
        self._tally.measured += levels.size
        self._tally.leaked += int(np.count_nonzero(levels > 1))

    def _frame_phases(self, frames_hz: NDArray[np.float64], time_s: float) -> NDArray[np.complex128]:
        levels = self._options.levels
        turns = (frames_hz - self._chain.reference_hz) @ np.indices((levels,) * len(frames_hz)).reshape(
            len(frames_hz), -1
        )
        return np.exp(2j * np.pi * turns * time_s)


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    lines: Lines
    start_ticks: int
    captures: tuple[Capture, ...]
    n_samples: int
    segments: list[Segment]
    touched: frozenset[int]
    starts: dict[int, int]
    """Sample where each measured qubit's (last) capture begins."""
    last_touch: dict[int, int]
    """Last sample where a line acts on each qubit, -1 for never."""


def _turn(data: NDArray[np.complex128], phases: NDArray[np.complex128]) -> NDArray[np.complex128]:
    if data.ndim == 1:
        return data * phases
    return phases[:, None] * data * phases.conj()
