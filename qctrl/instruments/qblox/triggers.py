"""``Triggers``: who tells whom about a measured bit, over the one trigger network of a cluster.

A sequencer that integrates sends a trigger with its address where its bit is 1; every listener counts what comes in a
latch per address until all latches are reset at once. So a latch speaks of the last capture only, and only if nothing
else went through its address since.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from qctrl.errors import ResourceError, UnsupportedInstructionError
from qctrl.instruments.qblox import limits
from qctrl.instruments.qblox.symbols import Value

_GATES: Final = ("or", "nor", "and", "nand", "xor", "xnor")
"""In the order of the numbers that ``set_cond`` has for them."""

_NEGATED: Final = {"nor": "or", "nand": "and", "xnor": "xor"}


@dataclass(slots=True)
class Triggers:
    """State of the latches while programs are written."""

    addresses: dict[int, int]
    """Address by frame, of the frames whose captures decide something."""
    latched: dict[int, int | None] = field(default_factory=dict[int, int | None])
    """Acquisition that each latch speaks of, by address; ``None`` for more than one."""
    frames: dict[int, int] = field(default_factory=dict[int, int])
    """Frame of every acquisition so far."""
    guarded: list[frozenset[int]] = field(default_factory=list[frozenset[int]])
    """Addresses that the conditions around what is written now look at."""
    sent: list[tuple[int, int, bool]] = field(default_factory=list[tuple[int, int, bool]])
    """End of the integration in ns, address, and whether it decides something."""

    def is_dirty(self, frame: int) -> bool:
        """Return whether the latch of a frame has counted since the last reset."""
        return self.addresses.get(frame) in self.latched

    def reset(self) -> None:
        """Note that all latches were reset."""
        self.latched.clear()

    def note(self, acquisition: int, frame: int, end_ns: int, *, decides: bool) -> None:
        """Note an acquisition of a frame.

        Raises:
            UnsupportedInstructionError: Its trigger meets another one on the way, or changes a condition around it.
        """
        self.frames[acquisition] = frame
        address = self.addresses.get(frame)
        if address is None:
            return
        if any(address in guarded for guarded in self.guarded):
            raise UnsupportedInstructionError(
                "Qblox cluster, capability trigger latches: a qubit is measured again under a condition on its own "
                "bit, and its trigger would change the condition; measure it outside"
            )
        self.latched[address] = None if address in self.latched else acquisition
        for other_ns, other, mattered in reversed(self.sent):
            if end_ns - other_ns >= limits.TRIGGER_SPACING_NS:
                break
            if other != address and (decides or mattered):
                raise UnsupportedInstructionError(
                    "Qblox cluster, capability trigger network: two measured bits that matter are sent "
                    f"{end_ns - other_ns} ns apart, and one trigger needs {limits.TRIGGER_SPACING_NS} ns; measure one "
                    "qubit after the other"
                )
        self.sent.append((end_ns, address, decides))

    def repeat(self, first: int, n_acquisitions: int, rounds: int) -> None:
        """Note that acquisitions from ``first`` on come again, ``rounds`` times in all."""
        last = (rounds - 1) * n_acquisitions
        span = range(first, first + n_acquisitions)
        self.frames.update({k + last: self.frames[k] for k in span if k in self.frames})
        self.latched = {a: k + last if k is not None and k in span else k for a, k in self.latched.items()}

    def gate(self, condition: Value) -> tuple[int, int]:
        """Return mask and operator of ``set_cond`` for a condition on acquisitions.

        Raises:
            UnsupportedInstructionError: No gate of latches is this condition, or a latch speaks of something else.
        """
        for acquisition in condition.bits:
            if self.latched.get(self.addresses[self.frames[acquisition]]) != acquisition:
                raise UnsupportedInstructionError(
                    "Qblox cluster, capability trigger latches: a condition needs a bit after its qubit, or one whose "
                    "result decides something, was measured again; use the bit before the next measurement"
                )
        n_bits = len(condition.bits)
        wanted = [bool(value) for value in condition.table]
        for operator, gate in enumerate(_GATES):
            if [_holds(gate, index.bit_count(), n_bits) for index in range(2**n_bits)] == wanted:
                addresses = (self.addresses[self.frames[acquisition]] for acquisition in condition.bits)
                return sum(1 << (address - 1) for address in addresses), operator
        raise UnsupportedInstructionError(
            f"Qblox cluster, capability conditions: a condition on {n_bits} bits is none of OR, NOR, AND, NAND, XOR "
            "and XNOR of them, which is all that set_cond has; use conditions on single bits, one after the other"
        )


def _holds(gate: str, ones: int, n_bits: int) -> bool:
    base = {"or": ones > 0, "and": ones == n_bits, "xor": ones % 2 == 1}
    return base[gate] if gate in base else not base[_NEGATED[gate]]


def give_addresses(frames: list[int]) -> dict[int, int]:
    """Return an address for each of some frames.

    Raises:
        ResourceError: There are too few.
    """
    if len(frames) > limits.TRIGGERS:
        raise ResourceError(
            f"Qblox cluster, memory trigger addresses: needs {len(frames)}, has {limits.TRIGGERS}; "
            "let fewer measured qubits decide something"
        )
    return {frame: k + 1 for k, frame in enumerate(frames)}
