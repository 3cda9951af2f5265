"""Layers of gates that are twirled together, and the qubits that wait beside them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from qiskit.circuit import ControlFlowOp

STRATEGIES: Final = ("active", "active-circuit", "active-accum", "all")
_IDLE: Final = frozenset({"barrier", "delay"})
"""Instructions that make no qubit an active one."""
_BUSY: Final = frozenset({"delay", "measure", "reset"})
"""Instructions that take a time of their own, which no layer may be made to wait for."""


class Step(NamedTuple):
    """What is read at once: one instruction, or the twirled gates of a layer."""

    instructions: tuple[Any, ...]
    is_layer: bool = False
    waiting: tuple[Any, ...] = ()
    """Qubits without a gate in the layer that are twirled with it."""


def steps(circuit: Any, is_twirled: Callable[[Any], bool], strategy: str, playable: Collection[Any]) -> list[Step]:
    """Return the instructions of a circuit or a body in an order that they can be played in, twirled gates by layer.

    With ``active`` each twirled gate is a layer, in the order of the circuit, and nobody waits. Else a layer holds the
    gates that have equally many layers before them, and beside them wait: with ``active-circuit`` all qubits that the
    circuit acts on, with ``active-accum`` those that it has acted on so far, with ``all`` all qubits.

    A qubit that comes from a delay, a measurement or a reset, or goes to a delay, is left alone: the layer would have
    to wait for it.

    Args:
        circuit: An ISA circuit, or the body of a control flow.
        is_twirled: Whether an instruction is a twirled gate.
        strategy: One of ``STRATEGIES``.
        playable: Qubits that can be driven, and so twirled while they wait.
    """
    if strategy == "active":
        return [Step((each,), is_twirled(each)) for each in circuit.data]
    order = list(_layered(circuit, is_twirled))
    wanted = set(circuit.qubits) if strategy == "all" else _acted_on(circuit.data)
    may_wait = [qubit for qubit in circuit.qubits if qubit in wanted and qubit in playable]
    reached: set[Any] = set()
    found: list[Step] = []
    for (is_layer, instructions), alone in zip(order, _alone(order), strict=True):
        reached |= _acted_on(instructions)
        if not is_layer:
            found += [Step((each,)) for each in instructions]
            continue
        alone |= {qubit for each in instructions for qubit in each.qubits}
        waits = [qubit for qubit in may_wait if qubit not in alone and (strategy != "active-accum" or qubit in reached)]
        found.append(Step(tuple(instructions), True, tuple(waits)))
    return found


def _layered(circuit: Any, is_twirled: Callable[[Any], bool]) -> Iterator[tuple[bool, list[Any]]]:
    """Yield layers, and what stands between them, each with whether it is a layer."""
    depth: dict[Any, int] = dict.fromkeys([*circuit.qubits, *circuit.clbits], 0)
    places: list[tuple[int, bool, Any]] = []
    for each in circuit.data:
        bound: Collection[Any] = (*each.qubits, *each.clbits)
        # Variables and conditions may read and write anything.
        if isinstance(each.operation, ControlFlowOp) or each.name == "store":
            bound = depth.keys()
        # Measurements stay behind the layers that stand before them, or qubits would be read one after the other.
        before = depth.keys() if each.name in _BUSY else bound
        level = max((depth[bit] for bit in before), default=0) + is_twirled(each)
        depth.update(dict.fromkeys(bound, level))
        places.append((level, not is_twirled(each), each))
    places.sort(key=lambda place: place[:2])
    for (_, is_other), members in groupby(places, key=lambda place: place[:2]):
        yield not is_other, [each for _, _, each in members]


def _alone(order: Sequence[tuple[bool, Sequence[Any]]]) -> list[set[Any]]:
    """Return for each place the qubits that come from, or go to, what takes a time of its own."""
    found: list[set[Any]] = [set() for _ in order]
    for step, names in ((1, _BUSY), (-1, frozenset({"delay"}))):
        now: set[Any] = set()
        for place, (_, instructions) in list(enumerate(order))[::step]:
            found[place] |= now
            for each in instructions[::step]:
                if each.name != "barrier":
                    now = now - set(each.qubits) | (set(each.qubits) if each.name in names else set())
    return found


def _acted_on(instructions: Iterable[Any]) -> set[Any]:
    return {qubit for each in instructions if each.name not in _IDLE for qubit in each.qubits}
