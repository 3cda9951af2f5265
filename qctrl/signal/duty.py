"""For how much of the time ports with such a limit play, over a shot and the repetition delay behind it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from msgspec import UNSET

from qctrl.errors import ResourceError
from qctrl.protocol import EventOp, FlowOp
from qctrl.protocol.flow import BRANCHES
from qctrl.units import exact_fraction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.protocol import Port, Program, Setup

_PLAY: Final = int(EventOp.PLAY)


@dataclass(frozen=True, slots=True)
class Overuse:
    """A port that plays for too much of the time."""

    port: int
    block: int
    """Where it plays most."""
    start_ticks: int
    """The longest play there."""
    text: str
    """What is wrong, and the way out."""


class _Path(NamedTuple):
    """What a way through the flow adds up to; ``excess`` is in ticks times the denominator of the limit."""

    excess: int
    on_ticks: int
    ticks: int


def check_duty(program: Program, setup: Setup, rep_delay_ticks: int) -> None:
    """Refuse to play a program that keeps a port on for too long.

    Args:
        program: A verified program for this setup.
        setup: A verified setup.
        rep_delay_ticks: Silence behind every shot.

    Raises:
        ResourceError: A port would play for more than its part of the time.
    """
    found = find_overuse(program, setup, rep_delay_ticks)
    if found is not None:
        raise ResourceError(found.text)


def find_overuse(program: Program, setup: Setup, rep_delay_ticks: int | None) -> Overuse | None:
    """Return the first port that plays for too much of the time on some way through the flow, if there is one.

    Waits for bits are left out, so the bound is on the safe side. Every way that the flow allows is looked at, whether
    or not bits and registers lead there.

    Args:
        program: A verified program for this setup.
        setup: A verified setup.
        rep_delay_ticks: Silence behind every shot; ``None`` if any may follow, so that only loops can be too much.
    """
    for number, port in enumerate(setup.ports):
        if port.max_duty is UNSET:
            continue
        limit = exact_fraction(port.max_duty)
        on_ticks = [_on_ticks(program, block, number) for block in range(len(program.blocks))]
        worst = _worst_path(program, on_ticks, limit)
        if worst is None:
            text = (
                f"port {port.name}: a loop keeps it on for more than {port.max_duty:.6g} of the time; add delays to it"
            )
        elif rep_delay_ticks is None or worst.excess <= limit.numerator * rep_delay_ticks:
            continue
        else:
            text = _text(port, worst, limit, (rep_delay_ticks, setup.tick_s))
        block = int(np.argmax(on_ticks))
        return Overuse(number, block, _longest_play(program, block, number), text)
    return None


def _text(port: Port, worst: _Path, limit: Fraction, waits: tuple[int, Fraction]) -> str:
    rep_delay_ticks, tick_s = waits
    share = worst.on_ticks / (worst.ticks + rep_delay_ticks)
    need_s = float(-(-worst.excess // limit.numerator) * tick_s)
    return (
        f"port {port.name}: it plays for {share:.6g} of a shot and its repetition delay of "
        f"{float(rep_delay_ticks * tick_s):.6g} s, the limit is {float(limit):.6g}; set rep_delay to {need_s:.9g} s "
        "or more, or let the port play less"
    )


def _plays(program: Program, block: int, port: int) -> NDArray[np.void]:
    events = program.block_events(block)
    return events[(events["op"] == _PLAY) & (program.frames["port"][events["frame"]] == port)]


def _on_ticks(program: Program, block: int, port: int) -> int:
    """Return for how long a port plays in a block; plays that overlap count once."""
    plays = _plays(program, block, port)
    if len(plays) == 0:
        return 0
    start = plays["start_ticks"].astype(np.int64)
    end = start + plays["length_ticks"]
    covered = np.maximum.accumulate(np.concatenate(([0], end[:-1])))
    return int(np.maximum(end - np.maximum(start, covered), 0).sum())


def _longest_play(program: Program, block: int, port: int) -> int:
    plays = _plays(program, block, port)
    return int(plays["start_ticks"][np.argmax(plays["length_ticks"])])


def _worst_path(program: Program, on_ticks: list[int], limit: Fraction) -> _Path | None:
    """Return the way from the first instruction to an end with the largest excess; ``None`` if loops let it grow."""
    steps = [row.item() for row in program.flow]
    lengths = program.blocks["length_ticks"].tolist()
    jumps_back = sum(op in BRANCHES and target <= at for at, (op, _, _, target, _) in enumerate(steps))
    best: dict[int, _Path] = {0: _Path(0, 0, 0)}
    ended = _Path(0, 0, 0)
    # Each pass carries sums as far as the next jump back, so a sum that grows in more passes grows for ever.
    for _ in range(jumps_back + 2):
        grew = False
        for at, (op, _, operand, target, _) in enumerate(steps):
            here = best.get(at)
            if here is None:
                continue
            if op == FlowOp.PLAY_BLOCK:
                on, ticks = on_ticks[operand], lengths[operand]
                more = on * limit.denominator - ticks * limit.numerator
                here = _Path(here.excess + more, here.on_ticks + on, here.ticks + ticks)
            following = {at + 1} - ({at + 1} if op in (FlowOp.END, FlowOp.JUMP) else set())
            following |= {target} if op in BRANCHES else set()
            if op == FlowOp.END:
                ended = max(ended, here)
            for place in following:
                if place not in best or here.excess > best[place].excess:
                    best[place] = here
                    grew = True
        if not grew:
            return ended
    return None
