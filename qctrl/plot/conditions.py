"""How the flow comes to each block that it plays, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from qctrl.protocol import FlowOp

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_WAYS: Final = 32
"""Ways out of one block that are followed; a flow with more is told in less detail."""
_SIGNS: Final[Mapping[FlowOp, str]] = {
    FlowOp.AND: "&",
    FlowOp.OR: "|",
    FlowOp.XOR: "^",
    FlowOp.ADD: "+",
    FlowOp.SUB: "-",
    FlowOp.MUL: "*",
    FlowOp.DIV: "/",
    FlowOp.SHIFT_LEFT: "<<",
    FlowOp.SHIFT_RIGHT: ">>",
    FlowOp.EQUAL: "==",
    FlowOp.NOT_EQUAL: "!=",
    FlowOp.LESS: "<",
    FlowOp.LESS_EQUAL: "<=",
}
_START: Final = -1


@dataclass(frozen=True, slots=True)
class _Way:
    """From one play instruction, or the start, to the next."""

    source: int
    target: int
    conditions: tuple[str, ...]


@dataclass(slots=True)
class _Walker:
    """A way that is being followed, with what it knows about the registers."""

    at: int
    conditions: tuple[str, ...] = ()
    registers: dict[int, str] = field(default_factory=dict)
    seen: frozenset[int] = frozenset()


def conditions(flow: NDArray[np.void], bit_names: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """Return for every instruction that plays a block the lines that say when the flow comes to it.

    Args:
        flow: A verified flow.
        bit_names: Name of every classical bit.

    Returns:
        Lines by index of the instruction, in the order of the flow; no lines if the flow always comes there.
    """
    plays = [k for k, row in enumerate(flow) if row["op"] == FlowOp.PLAY_BLOCK]
    found = [way for source in (_START, *plays) for way in _ways_from(flow, source, bit_names)]
    return {play: _lines(flow, play, [way for way in found if way.target == play]) for play in plays}


def _ways_from(flow: NDArray[np.void], source: int, bit_names: Sequence[str]) -> Iterator[_Way]:
    walkers, n_ways = [_Walker(source + 1)], 0
    while walkers and n_ways < _MOST_WAYS:
        walker = walkers.pop()
        op = FlowOp(int(flow[walker.at]["op"]))
        if op in {FlowOp.END, FlowOp.PLAY_BLOCK}:
            n_ways += 1
            if op == FlowOp.PLAY_BLOCK:
                yield _Way(source, walker.at, walker.conditions)
        elif walker.at not in walker.seen:
            walkers += _steps(flow, walker, op, bit_names)


def _steps(flow: NDArray[np.void], walker: _Walker, op: FlowOp, bit_names: Sequence[str]) -> list[_Walker]:
    """Return where a walker goes on behind an instruction that plays nothing."""
    flags, operand, target, second = (int(flow[walker.at][name]) for name in ("flags", "operand", "target", "second"))
    seen = walker.seen | {walker.at}
    if op == FlowOp.JUMP:
        return [_Walker(target, walker.conditions, walker.registers, seen)]
    if op in {FlowOp.BRANCH_BIT, FlowOp.BRANCH_IF}:
        wanted = flags & 1
        if op == FlowOp.BRANCH_BIT:
            told = {value: f"{bit_names[operand]} = {value}" for value in (0, 1)}
        else:
            name = walker.registers.get(operand, f"r{operand}")
            told = {0: f"not {name}", 1: name}
        return [
            _Walker(target, (*walker.conditions, told[wanted]), walker.registers, seen),
            _Walker(walker.at + 1, (*walker.conditions, told[1 - wanted]), walker.registers, seen),
        ]
    known = dict(walker.registers)
    if op != FlowOp.WRITE_BITS:
        known[target] = _value(op, (flags, operand, second), walker.registers, bit_names)
    return [_Walker(walker.at + 1, walker.conditions, known, seen)]


def _value(op: FlowOp, fields: tuple[int, int, int], known: Mapping[int, str], bit_names: Sequence[str]) -> str:
    flags, operand, second = fields
    first = known.get(operand, f"r{operand}")
    match op:
        case FlowOp.LOAD:
            return str(operand | second << 32)
        case FlowOp.READ_BITS:
            return bit_names[operand] if flags == 1 else f"({bit_names[operand]} … {bit_names[operand + flags - 1]})"
        case FlowOp.MOVE:
            return first
        case FlowOp.NOT:
            return f"(not {first})"
        case _:
            return f"({first} {_SIGNS.get(op, op.name.lower())} {known.get(second, f'r{second}')})"


def _lines(flow: NDArray[np.void], play: int, ways: Sequence[_Way]) -> tuple[str, ...]:
    forward = [way for way in ways if way.source < play]
    told: list[str] = []
    if any(way.conditions for way in forward):
        is_one_source = len({way.source for way in forward}) == 1
        told += [f"{'' if is_one_source else sources} {text}" for sources, text in _grouped(flow, forward)]
    told += [f"again {sources} {text}" for sources, text in _grouped(flow, [w for w in ways if w.source >= play])]
    return tuple(line.strip() for line in told)


def _grouped(flow: NDArray[np.void], ways: Sequence[_Way]) -> Iterator[tuple[str, str]]:
    """Yield where the flow comes from, and on what condition, once per condition."""
    sources: dict[tuple[str, ...], list[int]] = {}
    for way in ways:
        sources.setdefault(way.conditions, []).append(way.source)
    for conditions, found in sources.items():
        blocks = [f"b{int(flow[source]['operand'])}" for source in dict.fromkeys(found) if source != _START]
        places = ["at the start"] if _START in found else []
        places += [f"after {', '.join(dict.fromkeys(blocks))}"] if blocks else []
        yield " or ".join(places), "if " + " and ".join(conditions) if conditions else ""
