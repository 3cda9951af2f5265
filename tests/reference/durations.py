"""Lengths of stretches by trial: raise all of them together until something becomes longer, then the others."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class Op:
    """Something on qubits: a gate or a barrier of so many ticks, or a delay with stretches."""

    qubits: tuple[int, ...]
    ticks: Fraction = Fraction()
    shares: tuple[tuple[str, Fraction], ...] = ()


@dataclass(frozen=True)
class Box:
    """A box that lasts exactly so long."""

    qubits: tuple[int, ...]
    ticks: int
    contents: tuple[Any, ...] = field(default=())


class DoesNotFitError(Exception):
    """The contents of a box are longer than the box."""


def ticks_of(op: Op, values: dict[str, Fraction]) -> Fraction:
    return op.ticks + sum(factor * values[name] for name, factor in op.shares)


def play(ops: tuple[Any, ...], values: dict[str, Fraction], times: dict[int, Fraction]) -> None:
    """Move the clocks of the qubits on."""
    for op in ops:
        start = max((times.get(qubit, Fraction()) for qubit in op.qubits), default=Fraction())
        if isinstance(op, Box):
            inside = dict.fromkeys(op.qubits, start)
            play(op.contents, values, inside)
            if max(inside.values()) > start + op.ticks:
                raise DoesNotFitError
            end = start + op.ticks
        else:
            end = start + ticks_of(op, values)
        times.update(dict.fromkeys(op.qubits, end))


def total(ops: tuple[Any, ...], values: dict[str, Fraction]) -> float:
    """Return how long everything takes; infinite if a box is too short."""
    times: dict[int, Fraction] = {}
    try:
        play(ops, values, times)
    except DoesNotFitError:
        return math.inf
    return float(max(times.values(), default=0))


def stretches(ops: tuple[Any, ...], names: list[str]) -> dict[str, Fraction]:
    """Return the value of every stretch in ticks.

    Raises:
        DoesNotFitError: A box is too short even for stretches of 0.
    """
    values = dict.fromkeys(names, Fraction())
    shortest = total(ops, values)
    if shortest == math.inf:
        raise DoesNotFitError

    def fits(changed: dict[str, Fraction]) -> bool:
        return total(ops, {**values, **changed}) <= shortest + 1e-9

    free = set(names)
    while free:
        low, high = min(values[name] for name in free), Fraction(10**6)
        for _ in range(70):
            middle = (low + high) / 2
            if fits(dict.fromkeys(free, middle)):
                low = middle
            else:
                high = middle
        values.update(dict.fromkeys(free, low.limit_denominator(1000)))
        stuck = {name for name in free if not fits({name: values[name] + Fraction(1, 1000)})}
        assert stuck
        free -= stuck
    return values


def literal(ops: tuple[Any, ...], values: dict[str, Fraction], grid: int, owed: dict[int, Fraction]) -> list[Any]:
    """Return the same without stretches: their delays on the grid, boxes as ``(box, wait, contents)``."""
    made: list[Any] = []
    for op in ops:
        if isinstance(op, Box):
            for qubit in op.qubits:
                owed[qubit] = Fraction()
            contents = literal(op.contents, values, grid, owed)
            for qubit in op.qubits:
                owed[qubit] = Fraction()
            made.append((op, op.ticks - length(contents, op.qubits), contents))
        elif op.shares:
            exact = ticks_of(op, values) + owed.get(op.qubits[0], 0)
            rounded = exact // grid * grid
            owed[op.qubits[0]] = exact - rounded
            made.append(Op(op.qubits, Fraction(rounded)))
        else:
            if len(op.qubits) > 1:
                owed.update(dict.fromkeys(op.qubits, Fraction()))
            made.append(op)
    return made


def length(ops: list[Any], qubits: tuple[int, ...]) -> int:
    """Return how long literal contents take."""
    times = dict.fromkeys(qubits, 0)
    for op in ops:
        on, ticks = (op[0].qubits, op[0].ticks) if isinstance(op, tuple) else (op.qubits, int(op.ticks))
        end = max(times[qubit] for qubit in on) + ticks
        times.update(dict.fromkeys(on, end))
    return max(times.values(), default=0)
