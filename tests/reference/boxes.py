"""Boxes that last exactly so long: their contents are placed on clocks of their own, from where the box begins."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Op:
    name: str
    qubits: tuple[int, ...]
    ticks: int
    grid: int = 1


@dataclass(frozen=True)
class Box:
    qubits: tuple[int, ...]
    ticks: int
    contents: list[Op | Box] = field(default_factory=list)

    @property
    def grid(self) -> int:
        return math.lcm(*(each.grid for each in self.contents))


class DoesNotFitError(Exception):
    """The contents of a box are longer than the box."""


def soon(ops: list[Op | Box], times: dict[int, int]) -> list[tuple[Op, int]]:
    """Return every operation with its start, as soon as possible; move the clocks of the qubits on."""
    placed: list[tuple[Op, int]] = []
    for op in ops:
        start = math.ceil(max(times[qubit] for qubit in op.qubits) / op.grid) * op.grid
        if isinstance(op, Op):
            placed.append((op, start))
        else:
            inside = dict.fromkeys(op.qubits, start)
            placed += soon(op.contents, inside)
            if max(inside.values()) > start + op.ticks:
                raise DoesNotFitError
        times.update(dict.fromkeys(op.qubits, start + op.ticks))
    return placed


def mirrored(ops: list[Op | Box]) -> list[Op | Box]:
    return [replace(op, contents=mirrored(op.contents)) if isinstance(op, Box) else op for op in reversed(ops)]


def place(ops: list[Op | Box], n_qubits: int, grid: int, *, late: bool) -> list[tuple[Op, int]]:
    """Return every operation with its start in a block whose length is on a grid."""
    times = dict.fromkeys(range(n_qubits), 0)
    placed = soon(mirrored(ops) if late else ops, times)
    length = math.ceil(max(times.values()) / grid) * grid
    return [(op, length - start - op.ticks) for op, start in placed] if late else placed
