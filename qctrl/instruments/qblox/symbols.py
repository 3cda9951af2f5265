"""``Value``: a number of the flow as a function of measured bits, because a sequencer cannot read them itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from qctrl.errors import UnsupportedInstructionError
from qctrl.protocol import FlowOp
from qctrl.protocol.arithmetic import computed

MAX_BITS: Final = 10
"""Measured bits that one number may depend on; its table has a row for each of their combinations."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number for every combination of some bits."""

    bits: tuple[int, ...]
    """What it depends on, and on nothing else: names of the bits, ascending unless renamed."""
    table: tuple[int, ...]
    """Bit j of the index is ``bits[j]``."""

    @property
    def is_constant(self) -> bool:
        """Whether no bit matters."""
        return not self.bits

    def at(self, outcomes: Mapping[int, int]) -> int:
        """Return the number for one outcome of the bits."""
        return self.table[sum(outcomes[bit] << j for j, bit in enumerate(self.bits))]

    def renamed(self, names: Callable[[int], int]) -> Value:
        """Return it with other names for its bits, in the order that they have now."""
        return Value(tuple(names(bit) for bit in self.bits), self.table)


def constant(number: int) -> Value:
    """Return a number that depends on no bit."""
    return Value((), (number,))


def measured(bit: int) -> Value:
    """Return a bit itself."""
    return Value((bit,), (0, 1))


def combine(function: Callable[..., int], *values: Value) -> Value:
    """Return a function of some values.

    Raises:
        UnsupportedInstructionError: It depends on too many bits.
    """
    bits = sorted({bit for value in values for bit in value.bits})
    if len(bits) > MAX_BITS:
        raise UnsupportedInstructionError(
            f"Qblox cluster, capability conditions: an expression depends on {len(bits)} measured bits, at most "
            f"{MAX_BITS} are possible; split it, or use a rack whose sequencers compute"
        )
    rows = [{bit: index >> j & 1 for j, bit in enumerate(bits)} for index in range(2 ** len(bits))]
    return _reduced(bits, [function(*(value.at(row) for value in values)) for row in rows])


def select(condition: Value, taken: Value, passed: Value) -> Value:
    """Return ``taken`` where a condition is not 0, else ``passed``."""
    if taken == passed:
        return taken
    return combine(lambda c, a, b: a if c else b, condition, taken, passed)


def _reduced(bits: list[int], table: list[int]) -> Value:
    """Drop the bits that do not matter."""
    for j in reversed(range(len(bits))):
        low = [table[index] for index in range(len(table)) if not index >> j & 1]
        if low == [table[index] for index in range(len(table)) if index >> j & 1]:
            del bits[j]
            table = low
    return Value(tuple(bits), tuple(table))


def compute(op: FlowOp, first: Value, second: Value, width: int) -> Value:
    """Return what an operation of the flow puts into its register, modulo ``2**width``."""
    return combine(lambda a, b: computed(op, a, b, width), first, second)
