"""``Engine``: blocks of DAC outputs in, classical bits and integrated readout out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_sim.physics.blocks import Block
from firmware_sim.physics.branches import Branch, join
from firmware_sim.physics.cache import OperatorCache
from firmware_sim.physics.choice import MOST_DENSE, PLAYED_AS_TREES, Choice, Job, choose, dense_choice
from firmware_sim.physics.columns import Columns, ground_columns
from firmware_sim.physics.cutting import Cutter
from firmware_sim.physics.dephasing import dephased
from firmware_sim.physics.device import build_chip
from firmware_sim.physics.evolution import Plan, Planner, evolve
from firmware_sim.physics.measurement import Measurement
from firmware_sim.physics.photons import Felt, Photons, Ringing, emptied
from firmware_sim.physics.process import frame_phases, processed
from firmware_sim.physics.random import Draws
from firmware_sim.physics.readout import Capture, Readout
from firmware_sim.physics.segments import Segment
from firmware_sim.physics.slow_noise import Clock, SlowNoise
from firmware_sim.physics.states import State, extend, ground
from firmware_sim.physics.tally import Tally
from firmware_sim.physics.tape import Tape, tape_of
from firmware_sim.physics.windows import Windows
from firmware_sim.physics.workload import job_of, reach
from firmware_sim.signal_chain import SignalChain
from qctrl.errors import ConfigError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from firmware_sim.config import Truth
    from firmware_sim.physics.tree_player import TreePlayer
    from firmware_sim.shapes import Plays
    from qctrl.protocol import Program, Setup, SimOptions

Lines = Sequence["NDArray[Any]"]


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
        if options.levels not in (2, 3, 4, "auto"):
            raise ConfigError(f"levels is {options.levels}; a transmon has 2, 3 or 4 here")
        self._cache = OperatorCache() if cache is None else cache
        self._chip = self._cache.get(("chip", truth.hash), lambda: build_chip(truth))
        self._options = options
        self._setup = setup
        key = ("chain", self._chip.hash, setup.hash)
        self._chain = self._cache.get(key, lambda: SignalChain(self._chip, setup))
        self._slow = SlowNoise(self._chip, Clock() if clock is None else clock, noisy=options.noise)
        self._tally = Tally()
        self._reach: frozenset[int] | None = None
        self._take(dense_choice(options))

    def prepare(self, program: Program, shots: int) -> tuple[Choice, Job]:
        """Choose how to hold the state of a program; return the choice and what it was made of.

        Args:
            program: What will be played.
            shots: Shots per binding, of which the engine may be given a part at a time.

        Raises:
            ResourceError: No state that is allowed holds it within the memory.
        """
        frames = program.frames[np.unique(program.captures["frame"])]
        measured = frozenset(self._readout.nearest_qubit(int(f["port"]), int(f["ftw"])) for f in frames)
        job = job_of(self._chip, self._setup, program, measured, shots, noise=self._options.noise)
        self._reach = reach(self._chip, self._setup, program, measured)
        self._take(choose(job, self._options))
        return self.choice, replace(job, branches=self._slow.most_groups(shots, self._reach))

    def _take(self, choice: Choice) -> None:
        self.choice = choice
        self._planner = Planner(self._chip, self._chain, self._cache, choice.levels)
        self._readout = Readout(self._chip, self._setup, self._cache, choice.levels)
        self._measurement = Measurement(self._chip, self._readout, noisy=self._options.noise)
        self._windows = Windows(self._readout, self._measurement, self._tally, self._chain.sample_ticks, choice.levels)
        self._photons = Photons(self._chip, self._setup, self._cache, choice.levels, self._chain.sample_ticks)
        self._tree: TreePlayer | None = None
        self.tape: Tape | None = None
        """The block that was played last, if all shots went through it as one and nothing was before or follows."""
        if choice.mode == "tree" or (choice.mode == "density matrix" and choice.levels == PLAYED_AS_TREES):
            # Its kernels are loaded only where they are needed.
            from firmware_sim.physics.tree_player import TreePlayer

            self._tree = TreePlayer(
                self._chip, self._chain, self._cache, choice, self._tally, noisy=self._options.noise
            )
        longest = 0 if self._tree is None or not self._options.noise else self._tree.longest_samples
        holds = self._tree is not None and choice.levels == 2
        self._cutter = Cutter(self._chip, self._chain, self._cache, self._tree, longest, holds)

    @property
    def qubit_names(self) -> tuple[str, ...]:
        """Names of the qubits in index order."""
        return self._chip.names

    @property
    def slow_kinds(self) -> tuple[str, ...]:
        """Kinds of slow noise of the device."""
        return self._slow.kinds

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
            captures: Integrated values to keep, of all captures or of none, and samples of each raw trace (0 for none).
        """
        n_captures, trace_samples = captures
        shape = (len(shots), n_captures, trace_samples)
        draws = Draws(key, binding, np.ascontiguousarray(shots, dtype=np.uint64))
        if self.choice.mode == "tree":
            state = ground_columns(self.choice.levels, draws)
        else:
            state = ground(self.choice.levels, mixed=self._options.noise)
        if self.choice.levels == 2:
            self._tally.measured += len(shots)
        whole = Branch(
            state=state,
            draws=draws,
            used_blocks=0,
            bits=np.zeros((len(shots), n_clbits), dtype=np.uint8),
            iq=np.zeros((len(shots), n_captures), dtype=np.complex64),
            traces=np.zeros(shape, dtype=np.complex64) if trace_samples else None,
        )
        if self._slow.silent:
            return [whole]
        labels = self._slow.groups(whole.draws, self._reach)
        parts = [(int(label), np.flatnonzero(labels == label)) for label in np.unique(labels)]
        return [replace(whole.take(rows), offsets=label) for label, rows in parts]

    def play(
        self,
        branches: Sequence[Branch],
        lines: Lines,
        start_ticks: int,
        captures: Sequence[Capture] = (),
        *,
        plays: Plays | None = None,
        final: bool = False,
    ) -> list[Branch]:
        """Return the branches after one block.

        Args:
            branches: Branches that all play this block at this time.
            lines: DAC output of every port over the block, by port index.
            start_ticks: First tick of the block, from the start of the shot.
            captures: The block's captures.
            plays: What the program plays in the block, if known: operators of known shapes are remembered.
            final: Nothing follows: qubits that nothing touches after their capture need no branch per outcome.

        Raises:
            ResourceError: The program touches more qubits than a dense state holds.
        """
        readout_ends = {end for branch in branches for _, end in branch.in_readout}
        block = self._block(lines, start_ticks, captures, plays, readout_ends)
        self.tape = None
        if self._tree is not None:
            self._tree.parts.clear()
        deferred = self._windows.deferrable(block) if final else frozenset[int]()
        # Once the last qubit is measured and nothing follows, what the block still does is seen by nobody.
        done = bool(deferred) and len(deferred) == len(block.starts)
        ends = max(block.starts[q] for q in deferred) if done else block.n_samples
        # Dense states hold all qubits of a block from its beginning; each doubles what a tree's gates cost.
        entries = dict.fromkeys(block.touched, 0) if self._tree is None else block.first_touch
        current = join([self._renew(branch, start_ticks) for branch in branches])
        ringing = None if "photons" in self._options.without else self._photons.read(block, current, ends)
        for stretch in block.stretches([*self._windows.marks(block, deferred), *entries.values()], ends):
            current = self._enter(current, frozenset(q for q, first in entries.items() if first < stretch[-1].last))
            current = self._windows.measure(current, block, stretch[0].first, deferred, resting=ringing is not None)
            current = self._evolve(current, block, stretch, deferred, ringing)
        current = self._enter(current, block.touched)
        if done and start_ticks == 0 and self.choice.mode == "density matrix":
            self.tape = self._recorded(block, current)
        if final:
            current = self._windows.measure_deferred(current, block, deferred)
        self._tally.most_branches = max(self._tally.most_branches, len(current))
        return current

    def populations(self, branches: Iterable[Branch]) -> NDArray[np.float64]:
        """Return the mean probability of each level of each qubit of the chip, shape ``(n_qubits, levels)``."""
        result = np.zeros((len(self._chip.qubits), self.choice.levels))
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
            ResourceError: The block touches another qubit, or there are more than a dense state holds.
        """
        block = self._block(lines, start_ticks, (), None, set())
        strangers = block.touched - set(qubits)
        if strangers or list(qubits) != sorted(set(qubits)):
            names = ", ".join(self._chip.names[q] for q in sorted(strangers)) or "an unsorted list"
            raise ResourceError(f"the block touches {names}; give every touched qubit, in ascending order")
        tick_s, n_states = float(self._setup.tick_s), self.choice.levels ** len(qubits)
        times_s = (-start_ticks * tick_s, start_ticks * tick_s + block.n_samples * self._chain.sample_s)
        detunings_hz = frames_hz - self._chain.reference_hz
        phases = tuple(frame_phases(detunings_hz, self.choice.levels, time_s) for time_s in times_s)
        shape = (n_states, n_states) if self._options.noise else (n_states,)
        start = State(tuple(qubits), self.choice.levels, np.zeros(shape, dtype=np.complex128))
        self._refuse_large(start)
        quiet = frozenset[int]() if self._options.noise else None
        plans = [self._planner.plan(lines, start_ticks, part, start.qubits, quiet) for part in block.segments]
        return processed(plans, start, inputs, phases)

    def statistics(self) -> dict[str, Any]:
        """Return what the physics did and how far to trust it.

        See ``Tally.statistics``; ``cache_hits`` and ``cache_misses`` count since the process began.
        """
        return {
            "mode": self.choice.mode,
            "levels": self.choice.levels,
            **self._tally.statistics(),
            "clipped_samples": self._measurement.clipped,
            "cache_hits": self._cache.hits,
            "cache_misses": self._cache.misses,
        }

    def _block(
        self, lines: Lines, start_ticks: int, captures: Sequence[Capture], plays: Plays | None, readout_ends: set[int]
    ) -> Block:
        starts = {self._readout.qubit_of(capture): capture.first_tick for capture in captures}
        ends = readout_ends | {capture.first_tick + capture.length_ticks for capture in captures}
        return self._cutter.block((lines, start_ticks, tuple(captures), plays), starts, frozenset(ends))

    def _renew(self, branch: Branch, start_ticks: int) -> Branch:
        """Return a branch at the start of a block."""
        still = tuple((q, end) for q, end in branch.in_readout if end > start_ticks)
        branch = emptied(branch)
        return replace(branch, in_readout=still, left=branch.fields)

    def _enter(self, branches: list[Branch], qubits: frozenset[int]) -> list[Branch]:
        """Return the branches with some qubits, in equilibrium if they are new."""
        if all(qubits.issubset(branch.state.qubits) for branch in branches):
            return branches
        thermal = {q: self._chip.qubits[q].thermal for q in qubits} if self._options.noise else None
        result: list[Branch] = []
        for branch in branches:
            if isinstance(branch.state, Columns):
                state = branch.state.extend(sorted(qubits), thermal, branch.draws)
            else:
                state = extend(branch.state, sorted(qubits), thermal)
                self._refuse_large(state)
            self._tally.most_qubits = max(self._tally.most_qubits, len(state.qubits))
            result.append(replace(branch, state=state))
        return result

    def _refuse_large(self, state: State) -> None:
        most = MOST_DENSE[self.choice.mode][state.levels]
        if len(state.qubits) > most:
            fewer = "fewer qubits or noise=False" if state.mixed else "fewer qubits"
            raise ResourceError(
                f"the program touches {len(state.qubits)} qubits; a {self.choice.mode} of {state.levels} levels holds "
                f"{most}; use {'levels=3' if state.levels == 2 else fewer}"
            )

    def _evolve(
        self,
        branches: list[Branch],
        block: Block,
        stretch: list[Segment],
        deferred: frozenset[int],
        ringing: Ringing | None,
    ) -> list[Branch]:
        """Return the branches after segments in which no window begins."""
        reading = None if self._tree is None else self._tree.read(block.lines, block.start_ticks, block.plays)
        plans: dict[object, list[Plan]] = {}
        result: list[Branch] = []
        for branch in branches:
            quiet = tuple(self._quiet(branch, block, segment, deferred) for segment in stretch)
            felt: list[Felt] = [{} for _ in stretch]
            if ringing is not None:
                branch, felt = ringing.follow(branch, block, stretch, quiet)  # noqa: PLW2901 (with its fields)
            state, key = branch.state, (branch.state.qubits, quiet)
            if self._tree is not None and reading is not None:
                plan = self._tree.plan(reading, stretch, *key)
                self._refuse_unsafe()
                turns = [self._half_turns(branch, block, segment) for segment in stretch]
                state = self._tree.play(plan, turns, felt, state, branch.draws)
            elif isinstance(state, State):
                if key not in plans:
                    plans[key] = self._plans(block, stretch, *key)
                for segment, plan, blur in zip(stretch, plans[key], felt, strict=True):
                    state = evolve(plan, state, self._half_turns(branch, block, segment))
                    state = replace(state, data=dephased(state, blur))
            result.append(replace(branch, state=state))
        return result

    def _recorded(self, block: Block, branches: list[Branch]) -> Tape | None:
        """Return a block that was played from the start of a shot to the end, if that was all phases decide."""
        state = branches[0].state
        if self._tree is None or len(branches) > 1 or self._reach is None or not self._slow.silent:
            return None
        windows = self._measurement.windows(block.captures, block.lines, block.start_ticks)
        reading = self._tree.read(block.lines, block.start_ticks, block.plays)
        return tape_of(self._tree.parts, reading, state.qubits, windows, (self._cache, self._tally))

    def _half_turns(self, branch: Branch, block: Block, segment: Segment) -> NDArray[np.float64] | None:
        """Return half the angle by which slow noise turns each qubit of the state in a segment; None if there is none.

        It acts half before and half after.
        """
        if self._slow.silent:
            return None
        sample_s, begin_s = self._chain.sample_s, block.start_ticks * float(self._setup.tick_s)
        span_s = (begin_s + segment.first * sample_s, begin_s + segment.last * sample_s)
        slopes = self._chain.slopes_hz(block.lines, (segment.first, segment.last))
        one = Draws(branch.draws.key, branch.binding, branch.shots[:1])
        return self._slow.angles(one, span_s, slopes)[0, list(branch.state.qubits)] / 2

    def _plans(
        self, block: Block, stretch: list[Segment], qubits: tuple[int, ...], quiet: tuple[frozenset[int] | None, ...]
    ) -> list[Plan]:
        found: list[Plan] = []
        for segment, silent in zip(stretch, quiet, strict=True):
            plan = self._planner.plan(block.lines, block.start_ticks, segment, qubits, silent)
            self._tally.add_plan(plan)
            self._refuse_unsafe()
            found.append(plan)
        return found

    def _quiet(self, branch: Branch, block: Block, segment: Segment, deferred: frozenset[int]) -> frozenset[int] | None:
        """Return the qubits whose noise is not the state's: their readout draws it, or nobody sees it any more."""
        if not self._options.noise:
            return None
        now = block.start_ticks + segment.first * self._chain.sample_ticks
        reading = {q for q, end in branch.in_readout if end > now}
        return frozenset(reading | {q for q in deferred if block.starts[q] <= segment.first})

    def _refuse_unsafe(self) -> None:
        if not self._options.allow_unsafe:
            self._tally.refuse_unsafe()
