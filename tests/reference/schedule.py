"""What a shot plays, from the definitions alone: longest paths and phase sums over the whole history.

There are no blocks, rows or registers here: given the bits that resets read, a shot is one list of plays in time.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from typing import Any

from tests.reference.lower import Gate

CROSS_RESONANCE = {
    ("ecr", True): ["+", "x", "-"],
    ("ecr", False): ["+", "x"],
    ("cx", True): ["-", "x", "+", "x sx"],
    ("cx", False): ["-", "sx"],
    ("rzx", True): ["+", "x", "-", "x"],
    ("rzx", False): ["+"],
    ("rzz", True): ["h", "+", "x", "-", "x h"],
    ("rzz", False): ["h", "+", "h"],
}
"""By name and echo, what starts together, one after the other: tones of either sign, ``x`` on the control, ``sx`` or a
Hadamard gate on the target. With ``sx``, which makes a ``cx``, the control turns by a quarter about Z."""
QUARTER = 2**30


@dataclass(frozen=True, order=True)
class Played:
    port: str
    start: int
    length: int
    frequency_hz: float
    amplitude: float
    phase: int


@dataclass(frozen=True, order=True)
class Captured:
    start: int
    length: int
    frequency_hz: float
    clbit: int


def place_alap(uses: list[set[int]], durations: list[int], alignments: list[int]) -> tuple[list[int], int]:
    """Return, per instruction, ticks from its end to the end of the block; and the length of the block."""
    tails: list[int] = [0] * len(uses)
    for i in reversed(range(len(uses))):
        later = [tails[j] + durations[j] for j in range(i + 1, len(uses)) if uses[i] & uses[j]]
        tails[i] = math.ceil(max(later, default=0) / alignments[i]) * alignments[i]
    needed = [tail + duration for tail, duration, used in zip(tails, durations, uses, strict=True) if used]
    return tails, max(needed, default=0)


def word(angle_rad: float) -> int:
    return round(angle_rad / (2 * math.pi) * 2**32) % 2**32


def ceil_to(ticks: float, grid: int) -> int:
    return math.ceil(round(ticks, 6) / grid) * grid


class Shot:
    """Plays gates of one calibration; segments follow one another in time."""

    def __init__(self, calibration: Any, latency_ticks: int) -> None:
        self.calibration = calibration
        self.latency_ticks = latency_ticks
        timing = calibration.timing
        self.dt = float(calibration.dt_s)
        self.gate_grid = math.lcm(timing.granularity, timing.pulse_alignment)
        self.grid = math.lcm(self.gate_grid, timing.acquire_alignment)
        self.phases = [0] * len(calibration.qubits)
        self.plays: list[Played] = []
        self.captures: list[Captured] = []
        self.now = 0

    def duration(self, gate: Gate) -> int:
        if gate.name in ("barrier", "rz"):
            return 0
        if gate.name == "delay":
            return int(gate.value)
        qubit = self.calibration.qubits[gate.qubits[0]]
        if gate.name == "reset":
            return ceil_to(qubit.reset.duration / self.dt, self.grid)
        if gate.name == "measure":
            window = qubit.readout.acquisition
            longest = max(qubit.readout.waveform.duration, window.delay + window.duration)
            return ceil_to(longest / self.dt, self.grid)
        model = self.model(gate)
        if model.kind == "compose":
            return sum(self.duration(Gate(name, gate.qubits)) for name in model.of)
        if model.kind == "cr":
            steps = sum(self.lasts(model, step) for step in CROSS_RESONANCE[gate.name, model.echo])
            return ceil_to((model.padding.before + model.padding.after) / self.dt + steps, self.gate_grid)
        longest = model.waveform.duration
        if getattr(model, "coupler_waveform", None):
            longest = max(longest, model.coupler_waveform.duration)
        return ceil_to((longest + model.padding.before + model.padding.after) / self.dt, self.gate_grid)

    def ends(self, model: Any) -> tuple[int, int]:
        """Return control and target of a cross-resonance gate."""
        return tuple(self.calibration.qubit_names.index(name) for name in (model.control, model.target))

    def lasts(self, model: Any, step: str) -> int:
        """Return how long one step of a cross-resonance gate lasts."""
        if step in ("+", "-"):
            return ceil_to(model.waveform.duration / self.dt, self.gate_grid)
        control, target = self.ends(model)
        gates = {"x": Gate("x", (control,)), "sx": Gate("sx", (target,)), "h": Gate("sx", (target,))}
        return max(self.duration(gates[part]) for part in step.split())

    def model(self, gate: Gate) -> Any:
        if len(gate.qubits) == 1:
            return self.calibration.qubits[gate.qubits[0]].gates[gate.name]
        return self.calibration.edge(*gate.qubits).gates[gate.name]

    def alignment(self, gate: Gate) -> int:
        if gate.name in ("barrier", "delay"):
            return 1
        return self.grid if gate.name == "measure" else self.gate_grid

    def segment(self, gates: list[Gate], extra_ticks: int = 0) -> None:
        """Play gates as late as possible in a segment that begins now."""
        uses = [set() if gate.name == "rz" else set(gate.qubits) for gate in gates]
        durations = [self.duration(gate) for gate in gates]
        tails, needed = place_alap(uses, durations, [self.alignment(gate) for gate in gates])
        length = ceil_to(needed, self.grid)
        for gate, tail, duration in zip(gates, tails, durations, strict=True):
            self.play(gate, self.now + length - tail - duration)
        self.now += max(length, ceil_to(extra_ticks, self.grid))

    def play(self, gate: Gate, start: int) -> None:
        if gate.name in ("barrier", "delay", "reset"):
            return
        if gate.name == "rz":
            self.phases[gate.qubits[0]] += word(gate.value)
            return
        qubit = self.calibration.qubits[gate.qubits[0]]
        if gate.name == "measure":
            readout = qubit.readout
            self.emit(qubit.ports.readout, readout.frequency.value, readout.waveform, start, 0)
            window = readout.acquisition
            delay, length = round(window.delay / self.dt), round(window.duration / self.dt)
            self.captures.append(Captured(start + delay, length, readout.frequency.value, gate.clbit))
            return
        model = self.model(gate)
        if model.kind == "compose":
            for name in model.of:
                part = Gate(name, gate.qubits)
                self.play(part, start)
                start += self.duration(part)
            return
        start += round(model.padding.before / self.dt)
        if model.kind == "cr":
            self.play_cross_resonance(gate, model, start)
            return
        if model.kind in ("pulse", "fractional"):
            scale = gate.value / math.pi if model.kind == "fractional" else 1.0
            phase = self.phases[gate.qubits[0]]
            self.emit(qubit.ports.drive, qubit.frequency.value, model.waveform, start, phase, scale)
            return
        self.emit(model.actuate, 0.0, model.waveform, start, 0)
        if model.coupler_waveform is not None:
            self.emit(self.calibration.edge(*gate.qubits).coupler.port, 0.0, model.coupler_waveform, start, 0)
        for index in gate.qubits:
            angle = model.virtual_z.get(self.calibration.qubit_names[index])
            self.phases[index] += 0 if angle is None else word(angle.value)

    def play_cross_resonance(self, gate: Gate, model: Any, start: int) -> None:
        control, target = self.ends(model)
        scale = 1.0 if model.angle_bounds is None else gate.value / (math.pi / 2)
        steps = CROSS_RESONANCE[gate.name, model.echo]
        n_tones = steps.count("+") + steps.count("-")
        for step in steps:
            for part in step.split():
                if part == "x":
                    self.play(Gate("x", (control,)), start)
                elif part == "sx":
                    self.play(Gate("sx", (target,)), start)
                    self.phases[control] += QUARTER
                elif part == "h":
                    self.phases[target] += QUARTER
                    self.play(Gate("sx", (target,)), start)
                    self.phases[target] += QUARTER
                else:
                    self.play_tone(model, start, scale, 0 if part == "+" else 2 * QUARTER)
                    n_tones -= 1
                    for name, angle in model.virtual_z.items() if n_tones == 0 else ():
                        self.phases[self.calibration.qubit_names.index(name)] += word(angle.value * scale**2)
            start += self.lasts(model, step)

    def play_tone(self, model: Any, start: int, scale: float, sign: int) -> None:
        """Play the tone through the control's port, and cancel and rotary together on the target's, in its frame."""
        control, target = (self.calibration.qubits[index] for index in self.ends(model))
        frequency_hz, phase = target.frequency.value, self.phases[target.index] + sign
        self.emit(control.ports.drive, frequency_hz, model.waveform, start, phase, scale)
        beside = sum(tone.amp.value * cmath.exp(1j * tone.phase) for tone in (model.cancel, model.rotary) if tone)
        if beside:
            own = (phase + word(cmath.phase(beside))) % 2**32
            length = round(model.waveform.duration / self.dt)
            self.plays.append(Played(target.ports.drive, start, length, frequency_hz, abs(beside) * scale, own))

    def emit(self, port: str, frequency_hz: float, waveform: Any, start: int, phase: int, scale: float = 1.0) -> None:
        phase = (phase + word(waveform.phase)) % 2**32
        length = round(waveform.duration / self.dt)
        self.plays.append(Played(port, start, length, frequency_hz, waveform.amp.value * scale, phase))


def shot(gates: list[Gate], calibration: Any, n_clbits: int, latency_ticks: int, bits: list[int]) -> Shot:
    """Return all that one shot plays and captures.

    Args:
        gates: The circuit.
        calibration: The device.
        n_clbits: Bits of the circuit; those of resets come behind.
        latency_ticks: From the end of a capture until its bit can be used.
        bits: What each measured reset reads, in circuit order.
    """
    out = Shot(calibration, latency_ticks)
    bits = list(bits)
    run: list[Gate] = []
    group: list[Gate] = []

    def flush() -> None:
        if run:
            out.segment(run)
            run.clear()
        if group:
            measures = [Gate("measure", gate.qubits, clbit=n_clbits + k) for k, gate in enumerate(group)]
            length = max(out.duration(measure) for measure in measures)
            starts = {measure: length - out.duration(measure) for measure in measures}
            window = {m: calibration.qubits[m.qubits[0]].readout.acquisition for m in measures}
            ends = [starts[m] + round((window[m].delay + window[m].duration) / out.dt) for m in measures]
            out.segment(measures, extra_ticks=max(ends) + latency_ticks)
            for gate in group:
                flip = Gate("x", gate.qubits)
                out.segment([flip if bits.pop(0) else Gate("delay", gate.qubits, out.duration(flip))])
            group.clear()

    for gate in gates:
        if gate.name == "reset" and calibration.qubits[gate.qubits[0]].reset.kind == "active":
            if run or gate.qubits in [other.qubits for other in group]:
                flush()
            group.append(gate)
        else:
            if group:
                flush()
            run.append(gate)
    flush()
    return out
