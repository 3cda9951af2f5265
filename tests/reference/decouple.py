"""Where decoupling pulses go in a circuit without measured resets and decisions, from the definitions alone."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from tests.reference.lower import Gate
from tests.reference.schedule import Shot, ceil_to, place_alap, word

AXES = {"XX": "xx", "XpXm": "xX", "XY4": "xyxy"}
TURN = {"x": 0.0, "X": math.pi, "y": math.pi / 2}


class Decoupled(Shot):
    """Plays one segment with its idle windows filled; its gates are the whole circuit."""

    def __init__(self, calibration: Any, latency_ticks: int, decoupling: Any) -> None:
        super().__init__(calibration, latency_ticks)
        self.decoupling = decoupling
        self.added: list[tuple[int, int]] = []

    def segment(self, gates: list[Gate], extra_ticks: int = 0) -> None:
        """Play gates as late as possible, and before each of them what fills the time that its qubits waited."""
        uses = [set() if gate.name == "rz" else set(gate.qubits) for gate in gates]
        durations = [self.duration(gate) for gate in gates]
        tails, needed = place_alap(uses, durations, [self.alignment(gate) for gate in gates])
        length = ceil_to(needed, self.grid)
        starts = [length - tail - duration for tail, duration in zip(tails, durations, strict=True)]
        for index, gate in enumerate(gates):
            if gate.name not in ("rz", "delay"):
                for qubit in sorted(gate.qubits):
                    if self.matters(gates, index, qubit):
                        before = [j for j in self.past(gates, index, qubit) if gates[j].name != "delay"]
                        begin = starts[before[-1]] + durations[before[-1]] if before else 0
                        self.fill(qubit, begin, starts[index])
            self.play(gate, starts[index])
        self.now += length

    def past(self, gates: list[Gate], index: int, qubit: int) -> list[int]:
        return [j for j in range(index) if qubit in gates[j].qubits and gates[j].name != "rz"]

    def matters(self, gates: list[Gate], index: int, qubit: int) -> bool:
        """Return whether the qubit holds something before an instruction that somebody will use."""
        later = [g.name for g in gates[index:] if qubit in g.qubits and g.name not in ("rz", "delay", "barrier")]
        earlier = [gates[j].name for j in self.past(gates, index, qubit)]
        earlier = [name for name in earlier if name not in ("delay", "barrier", "x")]
        if not later or later[0] == "reset":
            return False
        if not earlier or earlier[-1] == "reset":
            return not self.decoupling.skips_reset
        return earlier[-1] != "measure"

    def fill(self, qubit: int, begin: int, end: int) -> None:
        gates = self.calibration.qubits[qubit].gates
        names = ["x"] if "x" in gates else ["sx", "sx"]
        lasts = sum(self.duration(Gate(name, (qubit,))) for name in names)
        axes, grid = AXES[self.decoupling.sequence], self.gate_grid
        n, first = len(axes), ceil_to(begin, grid)
        free = math.floor((end - first - n * lasts) / grid)
        if free * grid < n * lasts:
            return
        centred = [Fraction(1, 2 * n), *[Fraction(1, n)] * (n - 1), Fraction(1, 2 * n)]
        late = [*[Fraction(1, n)] * n, Fraction(0)]
        gaps = [math.floor(free * part) for part in (late if qubit % 2 else centred)]
        left = free - sum(gaps)
        if self.decoupling.slack == "middle":
            gaps[n // 2] += left
        else:
            gaps[0] += left // 2
            gaps[n] += left - left // 2
        at = first
        for gap, axis in zip(gaps, axes, strict=False):
            at += gap * grid
            self.phases[qubit] += word(-TURN[axis])
            for name in names:
                self.play(Gate(name, (qubit,)), at)
                at += self.duration(Gate(name, (qubit,)))
            self.phases[qubit] += word(TURN[axis])
        self.added.append((qubit, begin))


def shot(gates: list[Gate], calibration: Any, decoupling: Any) -> Decoupled:
    """Return all that one shot of a circuit in one segment plays; its qubits form a chain."""
    out = Decoupled(calibration, 0, decoupling)
    out.segment(gates)
    return out
