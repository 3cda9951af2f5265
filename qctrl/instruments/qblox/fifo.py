"""Whether the core of a sequencer keeps ahead of its real-time part.

The core puts real-time instructions into a queue and waits while that is full; an instruction that is due before it is
there stops the sequencer. The vendor does not publish how long the core takes for each instruction; the numbers here
are those that public simulators of Q1ASM measured: a cycle of 4 ns each, one per register read, two more for
arithmetic, three more for a jump.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from qctrl.errors import ResourceError
from qctrl.instruments.qblox import limits
from qctrl.instruments.qblox.code import Instruction

REALTIME: Final = frozenset(
    {"play", "acquire", "acquire_weighed", "upd_param", "wait", "wait_sync", "latch_rst", "set_latch_en"}
)
_ARITHMETIC: Final = frozenset({"add", "sub"})
_ARITHMETIC_CYCLES: Final = 2
_JUMP_CYCLES: Final = 3


def check_queue(who: str, instructions: Sequence[Instruction]) -> None:
    """Refuse a program whose real-time part would run dry.

    Loops go on until their lead over the real-time part shrinks no more.

    Args:
        who: Name of the sequencer, for the error.
        instructions: The whole program.

    Raises:
        ResourceError: It would.
    """
    lines = [line for line in instructions if line.name]
    labels = {line.label: k for k, line in enumerate(lines) if line.label}
    registers: dict[str, int] = {}
    leads: dict[int, int] = {}
    queue: deque[int] = deque()
    core_ns = at = 0
    due_ns = limits.CORE_CLOCK_NS  # the first instruction starts the clock
    while lines[at].name != "stop":
        line = lines[at]
        at += 1
        core_ns += limits.CORE_CLOCK_NS * _cycles(line)
        if line.name in REALTIME:
            core_ns = _put(queue, core_ns, due_ns, who, at)
            due_ns += int(line.args[-1])
        elif line.name == "move":
            registers[str(line.args[1])] = int(line.args[0])
        elif line.name == "loop":
            register, lead_ns = str(line.args[0]), due_ns - core_ns
            registers[register] -= 1
            if registers[register] > 0 and lead_ns < leads.get(at, lead_ns + 1):
                leads[at] = lead_ns
                core_ns += _JUMP_CYCLES * limits.CORE_CLOCK_NS
                at = labels[str(line.args[1])[1:]]
            else:
                leads.pop(at, None)


def _cycles(line: Instruction) -> int:
    read = sum(1 for argument in line.args if str(argument).startswith("R"))
    if line.name in _ARITHMETIC:
        return max(1, read - 1) + _ARITHMETIC_CYCLES
    return max(1, read) + (_ARITHMETIC_CYCLES if line.name == "loop" else 0)


def _put(queue: deque[int], core_ns: int, due_ns: int, who: str, at: int) -> int:
    """Queue an instruction; return when the core goes on."""
    if core_ns > due_ns:
        raise ResourceError(
            f"Qblox {who}, memory real-time queue: instruction {at} is due at {due_ns} ns, and the core needs until "
            f"about {core_ns} ns to reach it; let pulses be longer or further apart"
        )
    while queue and queue[0] < core_ns:
        queue.popleft()
    if len(queue) >= limits.QUEUE:
        core_ns = max(core_ns, queue.popleft())
    queue.append(due_ns)
    return core_ns
