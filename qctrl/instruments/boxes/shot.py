"""One shot as samples: rendered from a packed program, padded to its period, cut into segments that may repeat."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import ResourceError
from qctrl.instruments.boxes.base import GeneratorLimits, Segment, Step
from qctrl.protocol import FlowOp, Program, Setup
from qctrl.signal import CaptureWindow, Player, SetupChain

_TRIGGER_SAMPLES: Final = 100
"""Length of the trigger pulse."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """What every port gets during one period."""

    period_ticks: int
    samples: Mapping[str, NDArray[Any]]
    """By output port, delays included; complex for I and Q, real for flux, fractions of full scale."""
    windows: tuple[CaptureWindow, ...]
    """All captures, in the order in which they are played."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """A shot as one generator plays it."""

    segments: tuple[Segment, ...]
    """Without duplicates."""
    steps: tuple[Step, ...]
    rest: Step
    """What holds the outputs after the last shot."""


def rest_levels(setup: Setup) -> dict[str, complex]:
    """Return what each output port is at while nothing plays, fractions of full scale."""
    ticks = setup.block_granularity_ticks
    silence: list[NDArray[Any]] = [
        np.zeros(
            0 if port.kind == "acquire" else ticks // port.sample_ticks,
            dtype=np.float64 if port.kind == "flux" else np.complex128,
        )
        for port in setup.ports
    ]
    levels = SetupChain(setup).apply(silence, 0)
    return {port.name: complex(line[-1]) for port, line in zip(setup.ports, levels, strict=True) if len(line)}


def period_ticks(program: Program, setup: Setup, rep_delay_ticks: int, limits: Sequence[GeneratorLimits]) -> int:
    """Return the distance from shot to shot: whole turns of every LO, and long enough for every generator.

    Args:
        program: A program without branches.
        setup: Its setup.
        rep_delay_ticks: Idle time after a shot, at least.
        limits: Of all generators.
    """
    played = sum(int(program.blocks["length_ticks"][block]) for block in played_blocks(program))
    delay = max((port.delay_ticks for port in setup.ports), default=0)
    # Generators count samples, all of one length on a rack (checked when it is configured).
    sample_ticks = setup.ports[0].sample_ticks
    grid = math.lcm(setup.shot_grid_ticks, setup.block_granularity_ticks)
    for limit in limits:
        grid = math.lcm(grid, sample_ticks * limit.granularity)
    least = max([played + delay + rep_delay_ticks, *(sample_ticks * limit.min_samples for limit in limits), grid])
    return -(-least // grid) * grid


def played_blocks(program: Program) -> list[int]:
    """Return the blocks of a program without branches, in the order in which they are played."""
    return [int(step["operand"]) for step in program.flow if step["op"] == FlowOp.PLAY_BLOCK]


def render(player: Player, program: Program, setup: Setup, period: int) -> Shot:
    """Return one shot of the words that a player is bound to.

    Args:
        player: A player of this program.
        program: A program without branches.
        setup: Its setup.
        period: Ticks from shot to shot.

    Raises:
        ResourceError: A sample is out of range.
    """
    player.reset()
    parts: list[list[NDArray[Any]]] = []
    windows: list[CaptureWindow] = []
    tick = 0
    for block in played_blocks(program):
        parts.append(player.play_block(block, tick))
        windows += player.captures
        tick += int(program.blocks["length_ticks"][block])
    if tick < period:
        # The filters go on: a predistorted line comes to rest after the last pulse.
        parts.append(player.play_silence(period - tick, tick))
    player.reset()
    rest = rest_levels(setup)
    samples: dict[str, NDArray[Any]] = {}
    for index, port in enumerate(setup.ports):
        if port.kind == "acquire":
            continue
        line = np.concatenate([part[index] for part in parts])
        late = port.delay_ticks // port.sample_ticks
        if late:
            level = rest[port.name] if np.iscomplexobj(line) else rest[port.name].real
            line = np.concatenate([np.full(late, level, dtype=line.dtype), line[:-late]])
        samples[port.name] = line
    return Shot(period, samples, tuple(windows))


def trigger_marks(n_samples: int) -> NDArray[np.uint8]:
    """Return the marker that triggers: high at the start of every shot."""
    marks = np.zeros(n_samples, dtype=np.uint8)
    marks[:_TRIGGER_SAMPLES] = 1
    return marks


def cut(
    channels: Sequence[NDArray[np.float32]],
    marks: Mapping[int, NDArray[np.uint8]],
    limits: GeneratorLimits,
) -> Pieces:
    """Return the segments and steps that play some channels of one generator.

    A stretch in which all channels rest becomes one short segment that repeats, unless the generator has no steps.

    Args:
        channels: Samples of one period per channel, of equal lengths; the last sample is the level at rest.
        marks: Marker 1 of some channels, by their place in ``channels``.
        limits: What the generator's memory takes.

    Raises:
        ResourceError: It does not fit.
    """
    n_samples = len(channels[0])
    unit = -(-limits.min_samples // limits.granularity) * limits.granularity
    segments: dict[str, Segment] = {}

    def step(first: int, length: int, repeats: int) -> Step:
        names: list[str] = []
        for place, line in enumerate(channels):
            part = line[first : first + length]
            marked = marks[place][first : first + length] if place in marks else None
            segment = _segment(part, None if marked is None or not marked.any() else marked)
            segments.setdefault(segment.name, segment)
            names.append(segment.name)
        return Step(tuple(names), repeats)

    steps: list[Step] = []
    pieces = [(0, n_samples, 1)] if limits.max_steps == 1 else split(resting(channels, marks), unit, limits.granularity)
    for first, length, repeats in pieces:
        parts = range(0, repeats, limits.max_repeats)
        steps += [step(first, length, min(limits.max_repeats, repeats - part)) for part in parts]
    rest = (
        step(n_samples - unit, unit, 1) if resting(channels, marks)[-unit:].all() else _still(channels, unit, segments)
    )
    largest = max(len(segment.samples) for segment in segments.values())
    stored = sum(len(segment.samples) for segment in segments.values())
    if len(steps) > limits.max_steps or largest > limits.max_samples or stored > limits.max_samples:
        raise ResourceError(
            f"a shot of {n_samples} samples needs {len(steps)} steps and {stored} samples of memory, the generator has "
            f"{limits.max_steps} and {limits.max_samples}; shorten the circuit"
        )
    return Pieces(tuple(segments.values()), tuple(steps), rest)


def resting(channels: Sequence[NDArray[np.float32]], marks: Mapping[int, NDArray[np.uint8]]) -> NDArray[np.bool_]:
    """Return where all channels are at their last sample and no marker is high, shape ``(n_samples,)``."""
    still = np.ones(len(channels[0]), dtype=np.bool_)
    for line in channels:
        still &= line == line[-1]
    for marked in marks.values():
        still &= marked == 0
    return still


def split(still: NDArray[np.bool_], unit: int, granularity: int) -> list[tuple[int, int, int]]:
    """Return (first sample, length, repeats) of the pieces of a period, in order and without gaps.

    Args:
        still: Where everything rests, shape ``(n_samples,)``; at least ``unit`` samples, whole granules.
        unit: Shortest piece, whole granules; what rests is cut into pieces of this length.
        granularity: Samples that a length is a multiple of.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.view(np.int8), [0]])))
    pieces: list[tuple[int, int, int]] = []
    at = 0
    for begin, end in edges.reshape(-1, 2).tolist():
        active = 0 if begin <= at else max(unit, -(-(begin - at) // granularity) * granularity)
        repeats = (end - at - active) // unit
        left = len(still) - at - active - repeats * unit
        if 0 < left < unit:
            repeats -= 1
        if repeats < 2:
            continue
        if active:
            pieces.append((at, active, 1))
        pieces.append((at + active, unit, repeats))
        at += active + repeats * unit
    if at < len(still):
        pieces.append((at, len(still) - at, 1))
    return pieces


def _still(channels: Sequence[NDArray[np.float32]], unit: int, segments: dict[str, Segment]) -> Step:
    made = [_segment(np.full(unit, line[-1], dtype=np.float32), None) for line in channels]
    for segment in made:
        segments.setdefault(segment.name, segment)
    return Step(tuple(segment.name for segment in made))


def _segment(samples: NDArray[np.float32], marks: NDArray[np.uint8] | None) -> Segment:
    digest = blake2b(digest_size=12)
    digest.update(samples.tobytes())
    digest.update(b"" if marks is None else b"M" + marks.tobytes())
    return Segment(f"q{digest.hexdigest()}", np.ascontiguousarray(samples), marks)
