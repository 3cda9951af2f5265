"""``Code``: the Q1ASM of one sequencer, written in order of time.

A real-time instruction lasts until the next one, so its duration stays open until that is known; waits between them
cost no instruction of their own unless they are long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from qctrl.errors import ResourceError, TimingError
from qctrl.instruments.qblox import limits

Argument: TypeAlias = int | str
_INLINE_WAITS: Final = 3
"""Longer waits become loops."""
_WRITERS: Final = frozenset({"move", "add", "sub"})


@dataclass(slots=True)
class Instruction:
    """One line; an empty ``name`` is a line that was taken back."""

    name: str
    args: tuple[Argument, ...] = ()
    label: str = ""

    def text(self) -> str:
        """Return the line."""
        label = f"{self.label}:" if self.label else ""
        return f"{label:<8}{self.name:<16}{','.join(str(argument) for argument in self.args)}".rstrip()

    @property
    def written(self) -> str:
        """The register that it writes, if any."""
        return str(self.args[-1]) if self.name in _WRITERS else ""


class Code:
    """Instructions of one sequencer.

    Args:
        who: Name of the sequencer, for errors.

    Attributes:
        instructions: What was written so far.
        now_ns: Time up to which the code is complete, or at which its open instruction begins.
        executed: Real-time instructions that were written, those in loops counted for every round.
    """

    def __init__(self, who: str) -> None:
        self.who = who
        self.instructions: list[Instruction] = []
        self.now_ns = 0
        self.executed = 0
        self._open: int | None = None
        self._free = [f"R{k}" for k in reversed(range(limits.REGISTERS))]
        self._labels = 0
        self._label = ""

    def take_register(self) -> str:
        """Return a register that nobody uses.

        Raises:
            ResourceError: There is none.
        """
        if not self._free:
            raise ResourceError(
                f"Qblox {self.who}, memory registers: needs more than {limits.REGISTERS}; nest fewer loops"
            )
        return self._free.pop()

    def give_register(self, register: str) -> None:
        """Give a register back."""
        self._free.append(register)

    def classical(self, name: str, *args: Argument) -> Instruction:
        """Write an instruction that takes no real time."""
        last = self.instructions[-1] if self.instructions else None
        if last is not None and last.written and last.written in args[: -1 if name in _WRITERS else None]:
            # The core reads a register's old value right after a write.
            self._append(Instruction("nop"))
        return self._append(Instruction(name, args))

    def realtime(self, at_ns: int, name: str, *args: Argument) -> None:
        """Write an instruction that begins at a time and lasts until the next one.

        Raises:
            TimingError: It begins too soon after the one before.
        """
        self.complete(at_ns)
        self.classical(name, *args, 0)
        self._open = len(self.instructions) - 1
        self.executed += 1

    def complete(self, until_ns: int) -> None:
        """Let the last real-time instruction last until a time.

        Raises:
            TimingError: That is shorter than any instruction.
        """
        gap = until_ns - self.now_ns
        if self._open is None and gap == 0:
            return
        if gap < limits.MIN_NS:
            raise TimingError(
                f"Qblox {self.who}: two events lie {gap} ns apart at {self.now_ns} ns of the shot, the shortest "
                f"real-time instruction takes {limits.MIN_NS} ns; move them apart"
            )
        if self._open is not None:
            first = min(gap, limits.MAX_NS)
            first -= limits.MIN_NS if 0 < gap - first < limits.MIN_NS else 0
            opened = self.instructions[self._open]
            opened.args = (*opened.args[:-1], first)
            gap -= first
        self._open = None
        self._wait(gap)
        self.now_ns = until_ns

    def pad(self, durations_ns: list[int]) -> list[Instruction]:
        """Write waits whose durations may still be changed; nothing may be open."""
        self.executed += len(durations_ns)
        self.now_ns += sum(durations_ns)
        return [self.classical("wait", duration) for duration in durations_ns]

    def take_back(self, instruction: Instruction) -> None:
        """Remove an instruction; its label goes to the next one."""
        place = next(k for k, line in enumerate(self.instructions) if line is instruction)
        instruction.name = ""
        self.instructions[place + 1].label, instruction.label = instruction.label, ""

    def label(self, stem: str) -> str:
        """Name the next instruction; nothing may be open."""
        self._labels += 1
        self._label = f"{stem}{self._labels}"
        return self._label

    def text(self) -> str:
        """Return the program."""
        return "\n".join(line.text() for line in self.instructions if line.name) + "\n"

    @property
    def length(self) -> int:
        """Number of instructions."""
        return sum(1 for line in self.instructions if line.name)

    def _append(self, instruction: Instruction) -> Instruction:
        instruction.label, self._label = self._label, ""
        self.instructions.append(instruction)
        return instruction

    def _wait(self, duration_ns: int) -> None:
        rounds, rest = divmod(duration_ns, limits.MAX_NS)
        if 0 < rest < limits.MIN_NS:
            rounds, rest = rounds - 1, rest + limits.MAX_NS
        if rounds > _INLINE_WAITS:
            register = self.take_register()
            self.classical("move", rounds, register)
            label = self.label("wait")
            self.classical("wait", limits.MAX_NS)
            self.classical("loop", register, f"@{label}")
            self.give_register(register)
            self.executed += rounds
            rounds = 0
        for part in [limits.MAX_NS] * rounds + _halves(rest):
            self.classical("wait", part)
            self.executed += 1


def _halves(rest_ns: int) -> list[int]:
    """Return a rest as one wait, or as two if it is longer than one can be."""
    if rest_ns <= limits.MAX_NS:
        return [rest_ns] if rest_ns else []
    return [rest_ns - limits.MAX_NS // 2, limits.MAX_NS // 2]
