"""``to_q1asm``: a packed program, a Setup and the words of a binding in, a sequence for every sequencer out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np

from qctrl.errors import ProtocolError, ResourceError
from qctrl.instruments.qblox import limits
from qctrl.instruments.qblox.acquisition import Threshold
from qctrl.instruments.qblox.actions import Actions
from qctrl.instruments.qblox.code import Instruction
from qctrl.instruments.qblox.fifo import check_queue
from qctrl.instruments.qblox.layout import ClusterWiring, Voice, voices
from qctrl.instruments.qblox.lowering import Entry, Lowering
from qctrl.instruments.qblox.structure import If, Loop, Node, Play, Structure, Wait, captures_of, structure
from qctrl.instruments.qblox.track import LEAD_NS, Track
from qctrl.instruments.qblox.triggers import Triggers, give_addresses
from qctrl.instruments.qblox.words import ticks_per_ns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from qctrl.instruments.qblox.waveforms import Stored
    from qctrl.protocol import Program, Setup

HEAD_START_NS: Final = 1000
"""Between the start and the first shot: the cores fill their queues."""
_SYNC_NS: Final = 4


class Bins(TypedDict):
    """An acquisition as the vendor's driver takes it."""

    num_bins: int
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class SequencerProgram:
    """What one sequencer gets."""

    voice: Voice
    program: str
    waveforms: dict[str, Stored]
    weights: dict[str, Stored]
    acquisitions: dict[str, Bins]
    nco_hz: float
    integration_ns: int
    """Window of acquisitions without weights; 0 if there are none."""
    threshold: Threshold | None
    trigger_address: int
    """0 if nobody needs its bits."""
    n_instructions: int


@dataclass(frozen=True, slots=True)
class BinOf:
    """Where an acquisition of a shot is found: bin ``shot * per_shot + place`` of a sequencer."""

    frame: int
    place: int
    length_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class ClusterProgram:
    """A program as a cluster plays it, for one binding."""

    sequences: tuple[SequencerProgram, ...]
    structure: Structure
    bins: tuple[BinOf, ...]
    """By acquisition of a shot, as ``structure`` numbers them."""
    certain: tuple[bool, ...]
    """By acquisition of a shot: whether it is made in every shot, under no condition."""
    per_shot: dict[int, int]
    """Acquisitions of a shot by frame."""
    timeline: tuple[Entry, ...]
    """Which block begins when, in ns from the start of a shot."""
    period_ns: int
    """From shot to shot."""
    n_shots: int

    def text(self) -> str:
        """Return all programs, each under the name of its sequencer."""
        parts = [f"# {each.voice.who} ({each.voice.kind.name})\n{each.program}" for each in self.sequences]
        return "\n".join(parts)


def to_q1asm(
    program: Program,
    setup: Setup,
    wiring: ClusterWiring,
    words: NDArray[np.uint32] | None = None,
    *,
    n_shots: int = 1,
    rep_delay_ticks: int = 0,
) -> ClusterProgram:
    """Return what every sequencer gets.

    Args:
        program: A verified program for this setup.
        setup: Its setup.
        wiring: Modules, and which port is on which.
        words: Words of a binding, shape ``(n_slots,)``.
        n_shots: Shots of the loop around it.
        rep_delay_ticks: Idle time after a shot, at least.

    Raises:
        CompileError: A capability is lacking or a memory too small; the message begins with its name.
        ConfigError: The wiring does not serve the setup.
        ProtocolError: The program is for another setup, or has open slots and no words.
    """
    if program.setup_hash != setup.hash:
        raise ProtocolError("program was assembled for another Setup than this one; compile it again")
    if words is None and program.n_slots > 1:
        raise ProtocolError(f"program has {program.n_slots - 1} open slots and no words; bind its parameters")
    ticks, tree = ticks_per_ns(setup), structure(program)
    lowering = _prepared(program, setup, tree, Actions(program, words, ticks), voices(program, setup, wiring))
    bins, per_shot = _bins(program, tree, lowering.actions)
    _check_bins(lowering, per_shot, n_shots)
    shots = {frame: track.code.take_register() for frame, track in lowering.tracks.items()}
    for track in lowering.tracks.values():
        if track.voice.acquires:
            track.acquisitions.bin_register = track.code.take_register()
        track.begin_shot(clear_latches=track.voice.frame in lowering.listeners)
    lowering.write(tree.nodes)
    period_ns = _period_ns(lowering, setup, lowering.actions.to_ns(rep_delay_ticks))
    rounds = _Rounds(n_shots, period_ns, per_shot)
    sequences = [_sequence(lowering, track, shots[frame], rounds) for frame, track in lowering.tracks.items()]
    return ClusterProgram(
        sequences=tuple(sequences),
        structure=tree,
        bins=bins,
        certain=tuple(_certain(program, tree.nodes, under=False)),
        per_shot=per_shot,
        timeline=tuple(lowering.timeline),
        period_ns=period_ns,
        n_shots=n_shots,
    )


def _prepared(program: Program, setup: Setup, tree: Structure, actions: Actions, found: Iterable[Voice]) -> Lowering:
    ticks = ticks_per_ns(setup)
    tracks = {
        voice.frame: Track(voice, program, ticks, setup.ports[voice.port].sample_ticks // ticks) for voice in found
    }
    deciding = {int(program.captures["frame"][tree.captures[k]]) for k in tree.decisive}
    return Lowering(
        program=program,
        tree=tree,
        actions=actions,
        tracks=tracks,
        triggers=Triggers(give_addresses(sorted(deciding))),
        listeners=frozenset(frame for node in _conditions(tree.nodes) for frame in _concerned(node, actions, tracks)),
        latency_ns=-(-setup.bit_latency_ticks // ticks),
        grid_ns=math.lcm(actions.to_ns(setup.block_granularity_ticks), limits.NCO_GRID_NS),
    )


def _conditions(nodes: Iterable[Node]) -> Iterable[If]:
    for node in nodes:
        if isinstance(node, If):
            yield node
        elif isinstance(node, Loop):
            yield from _conditions(node.body)


def _concerned(node: If, actions: Actions, tracks: Iterable[int]) -> set[int]:
    return {*actions.frames((node,)), *(frame for frame in tracks if actions.differs(node, frame))}


def _bins(program: Program, tree: Structure, actions: Actions) -> tuple[tuple[BinOf, ...], dict[int, int]]:
    lengths = _windows(program, actions)
    per_shot: dict[int, int] = {}
    bins: list[BinOf] = []
    for capture in tree.captures:
        frame = int(program.captures["frame"][capture])
        bins.append(BinOf(frame, per_shot.get(frame, 0), lengths[capture]))
        per_shot[frame] = per_shot.get(frame, 0) + 1
    return tuple(bins), per_shot


def _certain(program: Program, nodes: Iterable[Node], *, under: bool) -> Iterable[bool]:
    for node in nodes:
        match node:
            case Play():
                yield from [not under] * len(captures_of(program, node.block))
            case Loop():
                yield from list(_certain(program, node.body, under=under)) * node.count
            case If():
                yield from _certain(program, (*node.taken, *node.passed), under=True)
            case Wait():
                pass


def _windows(program: Program, actions: Actions) -> dict[int, int]:
    events = program.events[program.events["op"] == 1]
    return {int(event["target"]): actions.to_ns(int(event["length_ticks"])) for event in events}


def _check_bins(lowering: Lowering, per_shot: dict[int, int], n_shots: int) -> None:
    for frame, count in per_shot.items():
        if count * n_shots > limits.BINS:
            raise ResourceError(
                f"Qblox {lowering.tracks[frame].voice.who}, memory bins: {n_shots} shots with {count} acquisitions "
                f"each need {n_shots * count}, it has {limits.BINS}; take fewer shots at a time"
            )


def _period_ns(lowering: Lowering, setup: Setup, rep_delay_ns: int) -> int:
    """Return the distance from shot to shot: whole turns of every oscillator, and all triggers have arrived."""
    played_ns = lowering.now_ns
    lowering.settle()
    least_ns = max(played_ns + rep_delay_ns, lowering.now_ns) + LEAD_NS + limits.MIN_NS
    grid_ns = math.lcm(lowering.actions.to_ns(setup.shot_grid_ticks), lowering.grid_ns)
    return -(-least_ns // grid_ns) * grid_ns


@dataclass(frozen=True, slots=True)
class _Rounds:
    """The loop around the shot."""

    n_shots: int
    period_ns: int
    per_shot: dict[int, int]


def _sequence(lowering: Lowering, track: Track, shots: str, rounds: _Rounds) -> SequencerProgram:
    voice, code = track.voice, track.code
    code.complete(rounds.period_ns - LEAD_NS)
    code.classical("loop", shots, "@shot")
    code.classical("stop")
    code.instructions[0].label = "shot"
    code.instructions[:0] = _header(track, shots, rounds.n_shots, listens=voice.frame in lowering.listeners)
    if code.length > voice.kind.instructions:
        raise ResourceError(
            f"Qblox {voice.who} ({voice.kind.name}), memory instructions: needs {code.length}, has "
            f"{voice.kind.instructions}; split the circuit or use loops"
        )
    check_queue(voice.who, code.instructions)
    address = lowering.triggers.addresses.get(voice.frame, 0)
    bins = rounds.per_shot.get(voice.frame, 0) * rounds.n_shots
    return SequencerProgram(
        voice=voice,
        program=code.text(),
        waveforms=track.waveforms.stored(),
        weights=track.acquisitions.weights.stored(),
        acquisitions={"shots": Bins(num_bins=bins, index=0)} if bins else {},
        nco_hz=track.initial_steps / limits.NCO_STEPS_PER_HZ,
        integration_ns=track.acquisitions.integration_ns,
        threshold=track.acquisitions.threshold() if address and track.acquisitions.captured else None,
        trigger_address=address,
        n_instructions=code.length,
    )


def _header(track: Track, shots: str, n_shots: int, *, listens: bool) -> list[Instruction]:
    """Return what runs once: synchronise, wait for the port's delay, load registers."""
    lines = [Instruction("wait_sync", (_SYNC_NS,))]
    lines.append(Instruction("set_latch_en", (1, _SYNC_NS)) if listens else Instruction("wait", (_SYNC_NS,)))
    delay_ns = HEAD_START_NS + track.voice.delay_ns
    lines += [
        Instruction("wait", (part,))
        for part in [limits.MAX_NS] * (delay_ns // limits.MAX_NS) + [delay_ns % limits.MAX_NS]
    ]
    lines.append(Instruction("move", (n_shots, shots)))
    if track.acquisitions.bin_register:
        lines.append(Instruction("move", (0, track.acquisitions.bin_register)))
    lines += [Instruction("move", (k, register)) for k, register in track.acquisitions.weight_registers.items()]
    return lines
