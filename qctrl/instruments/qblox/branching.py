"""``Branching``: both ways of a condition, on the sequencers that it concerns.

The ways are written one after the other. Where a way is skipped, each of its real-time instructions takes 4 ns; where
it is played, the other one's do. Waits at the end of each way, in its own case, make the sums equal:

    taken:   [ played . . . . . . . wait ][ 4 4 4 ]
    passed:  [ 4 4 4 4 ][ wait  played . . . wait ]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qctrl.errors import ResourceError
from qctrl.instruments.qblox import limits
from qctrl.instruments.qblox.structure import If, Loop, Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qctrl.instruments.qblox.code import Instruction
    from qctrl.instruments.qblox.lowering import Lowering
    from qctrl.instruments.qblox.symbols import Value
    from qctrl.instruments.qblox.track import Track

_SKIP_NS: Final = limits.MIN_NS
"""What a real-time instruction takes whose condition does not hold."""
_TAIL_NS: Final = 60_000
"""Each wait at the end of a way can make up for so much."""


@dataclass(frozen=True, slots=True)
class _Way:
    """What one sequencer got for one way."""

    waits: list[Instruction]
    """To be made as long as needed."""
    until_ns: int
    """Where they begin."""
    n_instructions: int
    """Real-time instructions, waits included."""
    lead: Instruction | None
    """What makes up for a difference of phases, if there may be one."""
    phases: tuple[int, int]


class Branching:
    """Writes a condition.

    Args:
        lowering: The shot, which stands where the condition is decided.
        tracks: The sequencers that one of the ways concerns.
    """

    def __init__(self, lowering: Lowering, tracks: Sequence[Track]) -> None:
        self._lowering = lowering
        self._tracks = tracks
        self._start_ns = lowering.now_ns

    def write(self, node: If, taken: Value, passed: Value) -> None:
        """Write both ways and go to where they meet.

        Raises:
            CompileError: They do not fit the sequencers.
        """
        lowering, outer = self._lowering, self._lowering.condition
        addresses = (lowering.triggers.addresses[lowering.triggers.frames[k]] for k in {*taken.bits, *passed.bits})
        lowering.triggers.guarded.append(frozenset(addresses))
        before = {frame: (track.phases(), track.last_capture_ns) for frame, track in lowering.tracks.items()}
        for track in self._tracks:
            track.code.complete(self._start_ns)
            track.settle()
        n_waits = 1 + max(lowering.length_ns(node.taken), lowering.length_ns(node.passed)) // _TAIL_NS
        firsts = self._way(node, taken, n_waits, taken=True)
        end_ns = lowering.now_ns
        for frame, (phases, last_capture_ns) in before.items():
            track = lowering.tracks[frame]
            track.resume(phases)
            track.busy_until_ns, track.last_capture_ns = self._start_ns, last_capture_ns
        self._skip(firsts, node.passed)
        seconds = self._way(node, passed, n_waits, taken=False)
        lowering.go_to(max([end_ns, *self._ends_ns(firsts, seconds, n_waits)]))
        lowering.condition = outer
        lowering.triggers.guarded.pop()
        self._make_equal(firsts, seconds)
        self._enter(outer)

    def _way(self, node: If, condition: Value, n_waits: int, *, taken: bool) -> list[_Way]:
        lowering = self._lowering
        for track in self._tracks:
            track.conditions += 1
        self._enter(condition)
        executed = [track.code.executed for track in self._tracks]
        lowering.condition = condition
        lowering.write(node.taken if taken else node.passed)
        found: list[_Way] = []
        for track, count in zip(self._tracks, executed, strict=True):
            if lowering.now_ns > track.code.now_ns:
                track.code.complete(lowering.now_ns)
            lead = track.reserve_lead() if taken and self._may_differ(node, track) else None
            until_ns = track.code.now_ns
            waits = track.code.pad([_SKIP_NS] * n_waits)
            found.append(_Way(waits, until_ns, track.code.executed - count, lead, track.phases()))
            track.conditions -= 1
            track.forget()
        return found

    def _skip(self, firsts: Sequence[_Way], nodes: Sequence[Node]) -> None:
        """Go to where the other way begins: after the instructions of the first, which take their time skipped."""
        lowering = self._lowering
        lowering.now_ns = self._start_ns
        skipped = [_SKIP_NS * way.n_instructions for way in firsts]
        for track, skipped_ns in zip(self._tracks, skipped, strict=True):
            track.code.now_ns = self._start_ns + skipped_ns
        frames = lowering.actions.frames(nodes)
        if any(track.voice.frame in frames for track in self._tracks):
            lowering.go_to(self._start_ns + max(skipped) + limits.MIN_NS)

    def _ends_ns(self, firsts: Sequence[_Way], seconds: Sequence[_Way], n_waits: int) -> list[int]:
        ends = [self._lowering.now_ns]
        for first, second in zip(firsts, seconds, strict=True):
            ends.append(first.until_ns + _SKIP_NS * (n_waits + second.n_instructions))
            ends.append(second.until_ns + _SKIP_NS * n_waits)
        return ends

    def _make_equal(self, firsts: Sequence[_Way], seconds: Sequence[_Way]) -> None:
        end_ns = self._lowering.now_ns
        for track, first, second in zip(self._tracks, firsts, seconds, strict=True):
            self._stretch(track, first.waits, end_ns - first.until_ns - _SKIP_NS * second.n_instructions)
            self._stretch(track, second.waits, end_ns - second.until_ns)
            if first.lead is not None:
                first.lead.args = (track.lead(first.phases, second.phases),)
            track.code.now_ns = end_ns

    @staticmethod
    def _stretch(track: Track, waits: Sequence[Instruction], total_ns: int) -> None:
        left_ns = total_ns
        for k, wait in enumerate(waits):
            part_ns = min(left_ns - _SKIP_NS * (len(waits) - k - 1), limits.MAX_NS)
            wait.args = (part_ns,)
            left_ns -= part_ns
        if left_ns:
            raise ResourceError(
                f"Qblox {track.voice.who}, capability conditions: two ways differ by {total_ns} ns, more than "
                f"{len(waits)} waits last; make them more alike"
            )

    def _enter(self, condition: Value) -> None:
        """Let what follows depend on a condition, or on none."""
        for track in self._tracks:
            if condition.is_constant:
                track.code.classical("set_cond", 0, 0, 0, 0)
            else:
                track.code.classical("set_cond", 1, *self._lowering.triggers.gate(condition), _SKIP_NS)

    def _may_differ(self, node: If, track: Track) -> bool:
        loops = any(isinstance(each, Loop) for each in (*node.taken, *node.passed))
        return track.voice.modulated and (loops or self._lowering.actions.differs(node, track.voice.frame))
