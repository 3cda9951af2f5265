"""A slow Q1ASM cluster: what sequencers play, and when, from their programs alone.

Written from the vendor's description of the instructions. Times are nanoseconds since the common start, phases exact
fractions of a turn. It stops at what a real sequencer would do differently without a word: a register read right after
it was written, a waveform cut off or turned while it plays, an instruction shorter than 4 ns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

LIMIT = 200_000
"""Real-time instructions of all sequencers together."""
TRIGGER_NS = 240
"""From the end of an integration to the latches."""
GATES = (
    lambda ones, n: ones > 0,
    lambda ones, n: ones == 0,
    lambda ones, n: ones == n,
    lambda ones, n: ones != n,
    lambda ones, n: ones % 2 == 1,
    lambda ones, n: ones % 2 == 0,
)


@dataclass
class Nco:
    """Phase in turns: what has run up, what ``set_ph`` set and what ``set_ph_delta`` added."""

    hz: Fraction = Fraction(0)
    base: Fraction = Fraction(0)
    since: int = 0
    relative: Fraction = Fraction(0)
    delta: Fraction = Fraction(0)

    def at(self, time: int) -> Fraction:
        return self.base + self.hz * (time - self.since) / 10**9 + self.relative + self.delta


@dataclass
class Event:
    """A waveform that begins, or an integration."""

    name: str
    time: int
    indices: tuple[int, ...]
    """Waveforms of both paths; or acquisition, bin and weights."""
    gain: tuple[int, int]
    hz: Fraction
    phase: Fraction
    """Of the NCO when it begins."""


@dataclass
class Sequencer:
    """One sequencer. ``wave_ns`` and ``integration_ns`` say how long a waveform and an integration last."""

    program: str
    hz: Fraction
    wave_ns: Callable[[int], int]
    integration_ns: Callable[[tuple[int, ...]], int]
    address: int = 0
    """Where its bits go, 0 for nowhere."""
    time: int = 0
    at: int = 0
    done: bool = False
    events: list[Event] = field(default_factory=list)
    registers: dict[str, int] = field(default_factory=dict)
    latches: dict[int, int] = field(default_factory=dict)
    listening: bool = False
    pending: dict[str, tuple[int, ...]] = field(default_factory=dict)
    gain: tuple[int, int] = (0, 0)
    condition: tuple[int, int, int] | None = None
    """Mask, operator and what a skipped instruction takes."""
    busy: int = 0

    def __post_init__(self):
        self.nco = Nco(hz=self.hz)
        self.lines, self.labels = [], {}
        for line in self.program.splitlines():
            label, _, rest = line.rpartition(":")
            if label:
                self.labels[label.strip()] = len(self.lines)
            name, _, args = rest.strip().partition(" ")
            self.lines.append((name, [a for a in args.strip().split(",") if a]))
        self.heard: list[tuple[int, int]] = []
        self.written = ""

    def step(self, send: Callable[[int, int], None], outcome: Callable[[int], int]) -> None:
        """Go on to the end of the next real-time instruction, or to the end."""
        while True:
            name, args = self.lines[self.at]
            self.at += 1
            if self.written and self.written in (args[:-1] if name in ("move", "add") else args):
                raise AssertionError(f"{name} {args} reads {self.written} right after it was written")
            self.written = args[-1] if name in ("move", "add") else ""
            if name == "stop":
                self.done = True
                return
            if not self.core(name, args):
                values = [self.value(arg) for arg in args]
                self.realtime(name, values, send, outcome)
                return

    def value(self, arg: str) -> int:
        return self.registers[arg] if arg.startswith("R") else int(arg)

    def core(self, name: str, args: list[str]) -> bool:
        """Execute an instruction that takes no real time; return whether it was one."""
        if name == "move":
            self.registers[args[1]] = self.value(args[0])
        elif name == "add":
            self.registers[args[2]] = (self.value(args[0]) + self.value(args[1])) % 2**32
        elif name == "loop":
            self.registers[args[0]] -= 1
            if self.registers[args[0]]:
                self.at = self.labels[args[1][1:]]
        elif name == "set_cond":
            enable, *rest = (self.value(arg) for arg in args)
            self.condition = tuple(rest) if enable else None
        elif name.startswith(("set_ph", "set_freq", "set_awg_gain", "reset_ph")):
            self.pending[name] = tuple(self.value(arg) for arg in args)
        elif name != "nop":
            return False
        return True

    def realtime(self, name: str, values: list[int], send, outcome) -> None:
        for when, address in [heard for heard in self.heard if heard[0] <= self.time]:
            self.heard.remove((when, address))
            if self.listening:
                self.latches[address] = self.latches.get(address, 0) + 1
        lasts = values[-1]
        if name not in ("wait_sync", "set_latch_en", "latch_rst") and not self.holds():
            for gone in ("reset_ph", "set_ph", "set_ph_delta", "set_freq"):
                if name != "wait":
                    self.pending.pop(gone, None)
            lasts = self.condition[2]
        else:
            self.execute(name, values, send, outcome)
        assert lasts >= 4, f"{name} lasts {lasts} ns"
        self.time += lasts

    def holds(self) -> bool:
        if self.condition is None:
            return True
        mask, operator, _ = self.condition
        addresses = [k + 1 for k in range(15) if mask >> k & 1]
        return GATES[operator](sum(self.latches.get(address, 0) > 0 for address in addresses), len(addresses))

    def execute(self, name: str, values: list[int], send, outcome) -> None:
        if name == "set_latch_en":
            self.listening = bool(values[0])
        elif name == "latch_rst":
            self.latches.clear()
        elif name not in ("wait", "wait_sync"):
            self.latch()
            if name != "upd_param":
                self.begin(name, values, send, outcome)

    def latch(self) -> None:
        """Let pending parameters hold from now on."""
        turned = {"reset_ph", "set_ph", "set_ph_delta", "set_freq"} & self.pending.keys()
        assert not turned or self.time >= self.busy, f"{turned} at {self.time} while something plays until {self.busy}"
        assert not turned or self.time % 4 == self.origin % 4, f"{turned} off the grid at {self.time}"
        nco = self.nco
        if "reset_ph" in self.pending:
            self.nco = nco = Nco(hz=nco.hz, since=self.time)
        if "set_ph" in self.pending:
            nco.relative = Fraction(self.pending["set_ph"][0], 10**9)
        if "set_freq" in self.pending:
            nco.base += nco.hz * (self.time - nco.since) / 10**9
            nco.since, nco.hz = self.time, Fraction(self.pending["set_freq"][0], 4)
        if "set_ph_delta" in self.pending:
            nco.delta += Fraction(self.pending["set_ph_delta"][0], 10**9)
        self.gain = self.pending.get("set_awg_gain", self.gain)
        self.pending.clear()

    origin = 0

    def begin(self, name: str, values: list[int], send, outcome) -> None:
        assert self.time >= self.busy, f"{name} at {self.time} while something plays until {self.busy}"
        indices = tuple(values[:-1])
        self.events.append(Event(name, self.time, indices, self.gain, self.nco.hz, self.nco.at(self.time)))
        if name == "play":
            self.busy = self.time + max(self.wave_ns(index) for index in indices)
            return
        self.busy = self.time + self.integration_ns(indices)
        if outcome(indices[1]) and self.address:
            send(self.busy + TRIGGER_NS, self.address)


def run(sequencers: list[Sequencer], outcomes: list[Callable[[int], int]]) -> None:
    """Run sequencers to their ends.

    Args:
        sequencers: All of a cluster; each event is found in ``events``.
        outcomes: What each one's acquisitions measure, by bin.
    """

    def send(when: int, address: int) -> None:
        for each in sequencers:
            each.heard.append((when, address))

    for _ in range(LIMIT):
        if all(each.done for each in sequencers):
            return
        # The earliest goes on, so nobody gets a trigger that was sent in its past.
        k = min((k for k, each in enumerate(sequencers) if not each.done), key=lambda k: sequencers[k].time)
        sequencers[k].step(send, outcomes[k])
    raise AssertionError(f"no end after {LIMIT} real-time instructions")
