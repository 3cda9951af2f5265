"""``Lowering``: the tree of a flow onto all sequencers at once, in order of time.

All sequencers go through the same blocks at the same times. Both ways of a condition take the same time: an instruction
that is skipped takes 4 ns, so each way is followed, for its own case, by as long a wait as makes them equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from qctrl.errors import UnsupportedInstructionError
from qctrl.instruments.qblox import limits
from qctrl.instruments.qblox.actions import Actions
from qctrl.instruments.qblox.branching import Branching
from qctrl.instruments.qblox.structure import If, Loop, Node, Play, Structure, Wait, captures_of
from qctrl.instruments.qblox.symbols import Value, combine, constant
from qctrl.instruments.qblox.track import Track
from qctrl.instruments.qblox.triggers import Triggers
from qctrl.protocol import EventOp, Program

_ROUND_NS = 512
"""Shortest body of a loop."""


@dataclass(frozen=True, slots=True)
class Played:
    """A block, and when it begins."""

    block: int
    at_ns: int
    condition: Value
    """On acquisitions of the first round."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """Part of a shot that is played several times, one right after the other."""

    count: int
    length_ns: int
    n_acquisitions: int
    """Of one round; they are numbered on from round to round."""
    first: int
    """Number of the first acquisition in it; conditions on earlier ones are the same in every round."""
    entries: tuple[Entry, ...]


Entry: TypeAlias = Played | Repeated


@dataclass(slots=True)
class _Round:
    """A loop that is being written."""

    n_acquisitions: int
    count: int


@dataclass(slots=True)
class Lowering:
    """Writes one shot.

    Attributes:
        now_ns: Where the shot is.
        timeline: What was played when.
    """

    program: Program
    tree: Structure
    actions: Actions
    tracks: dict[int, Track]
    """By frame."""
    triggers: Triggers
    listeners: frozenset[int]
    """Frames that a condition concerns."""
    latency_ns: int
    """From the end of a capture to the time from which the flow may read its bit."""
    grid_ns: int
    now_ns: int = 0
    n_acquisitions: int = 0
    timeline: list[Entry] = field(default_factory=list[Entry])
    condition: Value = field(default_factory=lambda: constant(1))
    """Under which everything is written now."""
    _ends_ns: dict[int, int] = field(default_factory=dict[int, int])
    _rounds: list[_Round] = field(default_factory=list[_Round])

    def write(self, nodes: Sequence[Node]) -> None:
        """Write some nodes, from ``now_ns`` on.

        Raises:
            CompileError: They do not fit the sequencers.
        """
        for node in nodes:
            match node:
                case Play():
                    self._play(node.block)
                case Wait():
                    self._wait([self.n_acquisitions - ago for ago in node.ago])
                case Loop():
                    self._loop(node)
                case If():
                    self._if(node)

    def settle(self) -> None:
        """Wait until no trigger is on its way."""
        if self.triggers.sent:
            self.go_to(max(end_ns for end_ns, _, _ in self.triggers.sent) + limits.TRIGGER_LATENCY_NS)

    def _play(self, block: int) -> None:
        length_ns = self.actions.lengths_ns[block]
        captures = self._captures(block)
        if any(self._decides(k) and self.triggers.is_dirty(frame) for k, frame, _ in captures):
            self._reset_latches()
        self.timeline.append(Played(block, self.now_ns, self.condition))
        for frame, actions in self.actions.of(block).items():
            track = self.tracks.get(frame)
            if track is None:
                continue
            for action in actions:
                at_ns = self.now_ns + action.start_ns
                match action.op:
                    case EventOp.PLAY:
                        track.play(at_ns, action.target, action.gain, action.phase)
                    case EventOp.CAPTURE:
                        track.capture(at_ns, action.target, action.length_ns, action.phase)
                    case EventOp.SHIFT_PHASE:
                        track.shift(action.phase)
                    case EventOp.SET_FREQUENCY:
                        track.set_frequency(action.ftw)
        for k, frame, end_ns in captures:
            self._ends_ns[k] = self.now_ns + end_ns
            arrival_ns = self.now_ns + end_ns + self.tracks[frame].voice.delay_ns
            self.triggers.note(k, frame, arrival_ns, decides=self._decides(k))
        self.n_acquisitions += len(captures)
        self.now_ns += length_ns

    def _captures(self, block: int) -> list[tuple[int, int, int]]:
        """Return number, frame and end within the block of the acquisitions of a block."""
        events = self.program.block_events(block)
        found: list[tuple[int, int, int]] = []
        for k in captures_of(self.program, block):
            end = self.actions.to_ns(int(events["start_ticks"][k]) + int(events["length_ticks"][k]))
            found.append((self.n_acquisitions + len(found), int(events["frame"][k]), end))
        return found

    def _wait(self, acquisitions: list[int]) -> None:
        # Those on a way that no outcome takes were never written.
        ends_ns = [self._ends_ns[k] for k in acquisitions if k in self._ends_ns]
        if ends_ns:
            self.go_to(max(ends_ns) + self.latency_ns)

    def go_to(self, at_ns: int) -> None:
        """Go on at the first block start from a time on."""
        if at_ns > self.now_ns:
            self.now_ns = -(-at_ns // self.grid_ns) * self.grid_ns

    def length_ns(self, nodes: Sequence[Node]) -> int:
        """Return about how long some nodes last, both ways of conditions together."""
        total_ns = 0
        for node in nodes:
            match node:
                case Play():
                    total_ns += self.actions.lengths_ns[node.block]
                case Loop():
                    total_ns += node.count * self.length_ns(node.body)
                case If():
                    total_ns += self.length_ns(node.taken) + self.length_ns(node.passed)
                case Wait():
                    total_ns += self.latency_ns
        return total_ns

    def _loop(self, node: Loop) -> None:
        """Write a loop, with so many rounds in its body that the core has time to jump."""
        rounds = -(-_ROUND_NS // max(1, self.length_ns(node.body)))
        count, rest = divmod(node.count, rounds)
        if count:
            self._repeat(Loop(count, node.body * rounds))
        self.write(node.body * rest)

    def _repeat(self, node: Loop) -> None:
        tracks = [self.tracks[frame] for frame in sorted(self.actions.frames(node.body)) if frame in self.tracks]
        ways = {self.actions.begins_inside(node.body, track.voice.frame) for track in tracks if track.voice.modulated}
        if node.count == 1 or Loop in ways:
            # Two loops that begin with one event would have to add their phases with it; written out, neither has to.
            for _ in range(node.count):
                self.write(node.body)
            return
        for frame in self.triggers.addresses:
            if frame in self.actions.frames(node.body) and not self.triggers.is_dirty(frame):
                self.triggers.latched[self.triggers.addresses[frame]] = None
        first, start_ns, entries, self.timeline = self.n_acquisitions, self.now_ns, self.timeline, []
        shifts = {frame: self.actions.shift(node.body, frame) for frame in self.tracks}
        heads = [(track, self._begin_loop(track, node.count)) for track in tracks]
        if If in ways:
            for track in tracks:
                track.latch_round(self.now_ns)
            self.go_to(self.now_ns + limits.MIN_NS)
        self._rounds.append(_Round(self._count(node.body), node.count))
        self.write(node.body)
        self._rounds.pop()
        length_ns = self.now_ns - start_ns
        if length_ns % limits.NCO_GRID_NS:
            raise UnsupportedInstructionError(
                f"Qblox cluster, capability NCO grid: a round of a loop takes {length_ns} ns, no multiple of "
                f"{limits.NCO_GRID_NS} ns; change the length of a delay in it"
            )
        self._end_loop(node.count, heads, (start_ns, length_ns, first))
        for frame, track in self.tracks.items():
            if track not in tracks:
                track.shift((node.count - 1) * shifts[frame])
        inside = tuple(self.timeline)
        self.timeline = [*entries, Repeated(node.count, length_ns, self._count(node.body), first, inside)]

    def _begin_loop(self, track: Track, count: int) -> tuple[str, str, int]:
        code = track.code
        code.complete(self.now_ns)
        register = code.take_register()
        code.classical("move", count, register)
        label = code.label("loop")
        track.begin_round(self.now_ns)
        return register, label, code.executed

    def _end_loop(
        self, count: int, heads: list[tuple[Track, tuple[str, str, int]]], span: tuple[int, int, int]
    ) -> None:
        start_ns, length_ns, first = span
        more_ns = (count - 1) * length_ns
        for track, (register, label, executed) in heads:
            track.code.complete(self.now_ns)
            track.end_round(self.now_ns, count)
            track.code.classical("loop", register, f"@{label}")
            track.code.give_register(register)
            track.code.executed += (count - 1) * (track.code.executed - executed)
            track.code.now_ns += more_ns
            track.late(more_ns)
        n_acquisitions = self.n_acquisitions - first
        self.triggers.repeat(first, n_acquisitions, count)
        # Of inner loops only the last round is known, which is the one that may be asked for.
        for k in [k for k in range(first, first + n_acquisitions) if k in self._ends_ns]:
            self._ends_ns[k + (count - 1) * n_acquisitions] = self._ends_ns[k] + more_ns
        self.triggers.sent += [(end + more_ns, a, m) for end, a, m in self.triggers.sent if end > start_ns]
        self.n_acquisitions += (count - 1) * n_acquisitions
        self.now_ns += more_ns

    def _if(self, node: If) -> None:
        first = self.n_acquisitions
        condition = node.condition.renamed(lambda ago: first - ago)
        taken = combine(lambda a, b: int(a and b), self.condition, condition)
        passed = combine(lambda a, b: int(a and not b), self.condition, condition)
        n_taken, n_passed = self._count(node.taken), self._count(node.passed)
        if taken == constant(0):
            self.n_acquisitions = first + n_taken
            self.write(node.passed)
        elif passed == constant(0):
            self.write(node.taken)
        else:
            latched_ns = max(self._ends_ns[k] + self._late_ns(k) for k in taken.bits)
            self.go_to(latched_ns + limits.TRIGGER_LATENCY_NS)
            frames = {*self.actions.frames((node,)), *(f for f in self.tracks if self.actions.differs(node, f))}
            branching = Branching(self, [self.tracks[frame] for frame in sorted(frames) if frame in self.tracks])
            branching.write(node, taken, passed)
        self.n_acquisitions = first + n_taken + n_passed

    def _late_ns(self, acquisition: int) -> int:
        """Return how much later than its tick a bit arrives, as the earliest listener sees it."""
        delays = [self.tracks[frame].voice.delay_ns for frame in self.listeners if frame in self.tracks]
        frame = self.triggers.frames[acquisition]
        return max(0, self.tracks[frame].voice.delay_ns - min(delays, default=0))

    def _reset_latches(self) -> None:
        if not self.condition.is_constant:
            raise UnsupportedInstructionError(
                "Qblox cluster, capability trigger latches: a qubit is measured again under a condition, and the "
                "result decides something; measure it outside"
            )
        self.settle()
        for frame in sorted(self.listeners & self.tracks.keys()):
            self.tracks[frame].code.realtime(self.now_ns, "latch_rst")
        self.go_to(self.now_ns + limits.MIN_NS)
        self.triggers.reset()

    def _decides(self, acquisition: int) -> bool:
        """Return whether an acquisition decides something in any round of the loops around it."""
        for decisive in self.tree.decisive:
            rest = decisive - acquisition
            for opened in self._rounds:
                if rest >= 0 and opened.n_acquisitions:
                    rest -= min(rest // opened.n_acquisitions, opened.count - 1) * opened.n_acquisitions
            if rest == 0:
                return True
        return False

    def _count(self, nodes: Sequence[Node]) -> int:
        """Return how many acquisitions some nodes have."""
        total = 0
        for node in nodes:
            match node:
                case Play():
                    total += len(captures_of(self.program, node.block))
                case Loop():
                    total += node.count * self._count(node.body)
                case If():
                    total += self._count(node.taken) + self._count(node.passed)
                case Wait():
                    pass
        return total
