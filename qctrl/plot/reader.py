"""Read a packed program: what it does on each port, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.errors import CompileError
from qctrl.plot.conditions import conditions
from qctrl.plot.schedule import Block, Capture, Lane, LaneKind, Mark, Play
from qctrl.protocol import EventOp, FlowOp, PortKind, Program, RowField, Setup
from qctrl.protocol.envelope_memory import played_lengths
from qctrl.signal import dequantise
from qctrl.units import TURN, gain_from_word

if TYPE_CHECKING:
    from numpy.typing import NDArray


_FREQUENCY_ROW_SHIFT: Final = 16  # a frequency row counts 2**-32 turn per tick, a tuning word 2**-48
_KINDS: Final[Mapping[PortKind, LaneKind]] = {
    "iq_drive": "iq",
    "iq_readout": "readout",
    "flux": "level",
    "acquire": "acquire",
}


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A program and what is known about it."""

    program: Program
    setup: Setup | None
    words: NDArray[np.uint32] | None
    """Shape ``(n_slots,)``: a row of a Patch, if the open slots have values."""
    bit_names: tuple[str, ...]

    def port_name(self, port: int) -> str:
        """Return the name of a port; its number if the setup is not known."""
        return f"port {port}" if self.setup is None else self.setup.ports[port].name


def select_ports(source: Source, patterns: Sequence[str] | None) -> tuple[int, ...]:
    """Return the ports to draw, in the order of the setup: those with events, or those that were asked for.

    A port without events is drawn if nothing else fits the pattern, as its full name does.

    Args:
        source: The program.
        patterns: Names of ports, with ``*`` and ``?`` as in file names.

    Raises:
        CompileError: A pattern fits no port.
    """
    used = np.unique(source.program.frames["port"][source.program.events["frame"]]).tolist()
    if patterns is None:
        return tuple(used)
    known = used if source.setup is None else list(range(len(source.setup.ports)))
    chosen: set[int] = set()
    for pattern in patterns:
        fitting = {port for port in used if fnmatchcase(source.port_name(port), pattern)}
        fitting = fitting or {port for port in known if fnmatchcase(source.port_name(port), pattern)}
        if not fitting:
            names = ", ".join(source.port_name(port) for port in known)
            raise CompileError(f"there is no port {pattern}; known are {names}")
        chosen |= fitting
    return tuple(sorted(chosen))


def read_blocks(source: Source, ports: Sequence[int], window: tuple[int, int] | None) -> tuple[Block, ...]:
    """Return the blocks in the order of the flow, with the events on some ports.

    Args:
        source: The program.
        ports: The ports to read.
        window: First and last tick of interest, from the start of the shot.

    Raises:
        CompileError: A window is asked for, and the flow branches, or plays nothing in it.
    """
    program = source.program
    if window is not None and program.has_branches:
        raise CompileError("the program branches, so its times differ from shot to shot; draw it without a time range")
    lines = conditions(program.flow, source.bit_names)
    found: list[Block] = []
    start = 0
    for at, told in lines.items():
        block = int(program.flow[at]["operand"])
        length = int(program.blocks[block]["length_ticks"])
        shown = (0, length) if window is None else (max(window[0] - start, 0), min(window[1] - start, length))
        if window is None or shown[0] < shown[1]:
            found.append(_read_block(source, block, None if program.has_branches else start, (shown, told, ports)))
        start += length
    if not found and window is not None:
        raise CompileError(f"nothing is played in this time range; a shot takes {float(start * program.tick_s):g} s")
    return tuple(found)


def _read_block(
    source: Source,
    block: int,
    start_ticks: int | None,
    shown: tuple[tuple[int, int], tuple[str, ...], Sequence[int]],
) -> Block:
    (first, last), told, ports = shown
    events = source.program.block_events(block)
    ends = events["start_ticks"].astype(np.int64) + events["length_ticks"]
    on_port = np.isin(source.program.frames["port"][events["frame"]], ports)
    at_once = events["length_ticks"] == 0
    inside = (events["start_ticks"] < last) & (ends > first) | at_once & (ends >= first) & (ends <= last)
    chosen = events[on_port & inside]
    return Block(
        block=block,
        start_ticks=start_ticks,
        first_ticks=first,
        last_ticks=last,
        conditions=told,
        plays=tuple(_play(source, event) for event in chosen[chosen["op"] == EventOp.PLAY]),
        captures=tuple(_capture(source.program, event) for event in chosen[chosen["op"] == EventOp.CAPTURE]),
        marks=tuple(_mark(source, event) for event in chosen[chosen["op"] >= EventOp.SHIFT_PHASE]),
    )


def _signed(word: int) -> int:
    return word - TURN if word >= TURN // 2 else word


def _play(source: Source, event: np.void) -> Play:
    words, is_open = source.words, event["row_field"] == RowField.GAIN
    row, phase_row = int(event["value_row"]), int(event["phase_row"])
    word = int(event["gain"])
    if is_open and words is not None:
        word = _signed(int(words[row]))
    gain = None if is_open and words is None else gain_from_word(word)
    codes = source.program.envelope(int(event["target"]))
    change = np.flatnonzero(np.any(codes[1:] != codes[:-1], axis=1)) + 1
    firsts = np.concatenate([np.zeros(1, dtype=np.int64), change])
    start = int(event["start_ticks"])
    edges = start + np.append(firsts, len(codes)) * _ticks_per_sample(source, event)
    return Play(
        frame=int(event["frame"]),
        start_ticks=start,
        length_ticks=int(event["length_ticks"]),
        envelope=int(event["target"]),
        gain=gain,
        gain_row=row if is_open else 0,
        phase_word=(int(event["phase"]) + (0 if words is None else int(words[phase_row]))) % TURN,
        phase_row=phase_row if words is None else 0,
        edges_ticks=edges,
        samples=dequantise(np.ascontiguousarray(codes[firsts])) * (1.0 if gain is None else gain),
    )


def _ticks_per_sample(source: Source, event: np.void) -> int:
    program = source.program
    if source.setup is not None:
        return source.setup.ports[int(program.frames[event["frame"]]["port"])].sample_ticks
    # Without a setup the rate is not known; a play is as long as its envelope, as the compiler packs it.
    return max(1, int(event["length_ticks"]) // int(played_lengths(program.envelopes)[event["target"]]))


def _capture(program: Program, event: np.void) -> Capture:
    row = program.captures[int(event["target"])]
    return Capture(
        frame=int(event["frame"]),
        start_ticks=int(event["start_ticks"]),
        length_ticks=int(event["length_ticks"]),
        clbit=int(row["clbit"]),
        index=int(row["index"]),
        is_weighted=int(row["weights"]) >= 0,
    )


def _mark(source: Source, event: np.void) -> Mark:
    frame, start, words = int(event["frame"]), int(event["start_ticks"]), source.words
    if event["op"] == EventOp.SHIFT_PHASE:
        row = int(event["phase_row"])
        word = (int(event["phase"]) + (0 if words is None else int(words[row]))) % TURN
        return Mark(frame, start, "phase", word, row if words is None else 0)
    row = int(event["value_row"])
    word = _signed(int(event["phase"])) * TURN + int(event["gain"]) % TURN
    if row and words is not None:
        word = _signed(int(words[row])) << _FREQUENCY_ROW_SHIFT
    return Mark(frame, start, "frequency", word, row if words is None else 0)


def read_lanes(source: Source, ports: Sequence[int], blocks: Sequence[Block]) -> tuple[Lane, ...]:
    """Return one lane per port, with the frames that have events in the blocks."""
    frame_ports = source.program.frames["port"].tolist()
    seen = {
        event.frame for block in blocks for events in (block.plays, block.captures, block.marks) for event in events
    }
    return tuple(
        Lane(
            port=port,
            name=source.port_name(port),
            kind=_kind(source, port),
            frames=tuple(frame for frame in sorted(seen) if frame_ports[frame] == port),
            lo_hz=None if source.setup is None else source.setup.ports[port].lo_hz,
        )
        for port in ports
    )


def _kind(source: Source, port: int) -> LaneKind:
    if source.setup is not None:
        setup_kind = source.setup.ports[port].kind
        return _KINDS[setup_kind]
    program = source.program
    frames = np.flatnonzero(program.frames["port"] == port)
    if np.isin(program.captures["frame"], frames).any():
        return "acquire"
    return "iq" if program.frames["ftw"][frames].any() else "level"


def duration_ticks(program: Program) -> int | None:
    """Return the length of a shot, or None if the flow branches."""
    if program.has_branches:
        return None
    played = program.flow["operand"][program.flow["op"] == FlowOp.PLAY_BLOCK]
    return int(program.blocks["length_ticks"][played].sum())
