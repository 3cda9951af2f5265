"""Perfect qubits: unitaries on a state vector, from gates or from the events of a packed program."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.reference.flow import CAPTURE_EVENT, captures_of, run

PLAY_EVENT, SHIFT_EVENT = 0, 2
GAIN_FIELD = 1


class Qubits:
    """A state vector; qubit k is axis k."""

    def __init__(self, n_qubits: int, choose: Callable[[float], int]) -> None:
        self.state = np.zeros((2,) * n_qubits, complex)
        self.state[(0,) * n_qubits] = 1
        self.choose = choose

    def apply(self, matrix: Any, qubit: int) -> None:
        """Apply a 2 x 2 matrix."""
        self.state = np.moveaxis(np.tensordot(matrix, self.state, (1, qubit)), 0, qubit)

    def turn(self, qubit: int, angle: float, phase: float) -> None:
        """Rotate about ``cos(phase) X - sin(phase) Y``."""
        c, s = math.cos(angle / 2), math.sin(angle / 2)
        self.apply([[c, -1j * s * np.exp(1j * phase)], [-1j * s * np.exp(-1j * phase), c]], qubit)

    def rz(self, qubit: int, angle: float) -> None:
        """Rotate about Z."""
        self.apply([[np.exp(-0.5j * angle), 0], [0, np.exp(0.5j * angle)]], qubit)

    def zx(self, control: int, target: int, angle: float, phase: float) -> None:
        """Apply ``exp(-i angle/2 Z (cos(phase) X - sin(phase) Y))``: the target turns back where the control is 1."""
        turned = Qubits(0, self.choose)
        for value, sign in ((0, 1), (1, -1)):
            where: list[Any] = [slice(None)] * self.state.ndim
            where[control] = slice(value, value + 1)
            turned.state = self.state[tuple(where)]
            turned.turn(target, sign * angle, phase)
            self.state[tuple(where)] = turned.state

    def cz(self, a: int, b: int) -> None:
        """Flip the sign of |11>."""
        where: list[Any] = [slice(None)] * self.state.ndim
        where[a] = where[b] = 1
        self.state[tuple(where)] *= -1

    def measure(self, qubit: int) -> int:
        """Project, and return the outcome."""
        ones = np.take(self.state, 1, axis=qubit)
        outcome = self.choose(float(np.sum(np.abs(ones) ** 2)))
        keep = np.zeros((2, 2))
        keep[outcome, outcome] = 1
        self.apply(keep, qubit)
        self.state = self.state / np.linalg.norm(self.state)
        return outcome


def shot(compiled: Any, calibration: Any, words: Any, choose: Callable[[float], int]) -> tuple[int, ...]:
    """Return the bits of a circuit after one shot of its program on perfect qubits."""
    device = _Device(compiled, calibration, words, choose)
    ended = run(compiled.program, compiled.setup, device.play)
    if not ended.ended:
        raise RuntimeError("the program did not end")
    return tuple(ended.bits[: compiled.n_circuit_clbits])


def unitary(compiled: Any, calibration: Any, words: Any) -> Any:
    """Return what a program without captures does, shape ``(2**n, 2**n)``, qubit 0 the most significant.

    Phases that a program leaves on its frames are not in it: the result lacks a rotation about Z of every qubit.
    """
    device = _Device(compiled, calibration, words, lambda _: 0)
    n = len(calibration.qubits)
    device.qubits.state = np.eye(2**n, dtype=complex).reshape((2,) * (2 * n))
    if not run(compiled.program, compiled.setup, device.play).ended:
        raise RuntimeError("the program did not end")
    return device.qubits.state.reshape(2**n, 2**n)


class _Device:
    """Knows what each play means to the qubits of a calibration."""

    def __init__(self, compiled: Any, calibration: Any, words: Any, choose: Callable[[float], int]) -> None:
        self.program, self.setup = compiled.program, compiled.setup
        self.calibration = calibration
        self.words = [int(word) for word in words]
        self.registers = [0] * len(self.program.frames)
        self.qubits = Qubits(len(calibration.qubits), choose)
        self.beside: dict[tuple[int, int], complex] = {}
        self.tones: dict[tuple[int, int, int], int] = {}

    def play(self, block: int) -> list[int]:
        """Play the events of a block in time; return what its captures read."""
        events = sorted(
            self.program.block_events(block),
            key=lambda e: (int(e["start_ticks"]), int(e["op"]) == CAPTURE_EVENT, self.is_own(int(e["frame"]))),
        )
        order = [int(event["target"]) for event in captures_of(self.program, block)]
        read: dict[int, int] = {}
        for event in events:
            frame = int(event["frame"])
            phase = int(event["phase"]) + self.words[int(event["phase_row"])]
            if event["op"] == SHIFT_EVENT:
                self.registers[frame] += phase
            elif event["op"] == PLAY_EVENT:
                self.pulse(event, frame, (phase + self.registers[frame]) % 2**32 / 2**32 * 2 * math.pi)
            else:
                read[int(event["target"])] = self.qubits.measure(self.reader(frame))
        return [read[target] for target in order]

    def is_own(self, frame: int) -> bool:
        """Return whether a frame is of a qubit's own drive: what goes beside a tone is judged after the tone."""
        port = self.setup.ports[int(self.program.frames[frame]["port"])].name
        return port == f"q{self.driven(frame)}.drive"

    def pulse(self, event: Any, frame: int, phase: float) -> None:
        """Do what a play does."""
        port = self.setup.ports[int(self.program.frames[frame]["port"])].name
        kind, owner = port.split(".")[1], port.split(".")[0]
        if kind == "drive":
            qubit = int(owner.removeprefix("q"))
            driven = self.driven(frame)
            if driven == qubit:
                self.drive(event, qubit, phase)
            else:
                self.cross(event, (qubit, driven), phase)
        if kind == "flux" and self.actuating(port):
            a, b = self.actuating(port)[0]
            self.qubits.cz(a, b)
            # The real pulse leaves phases behind; the virtual Z that follow it take them away again.
            for name, angle in self.calibration.edge(a, b).gates["cz"].virtual_z.items():
                self.qubits.rz(self.calibration.qubit_names.index(name), -angle.value)

    def gain(self, event: Any) -> float:
        """Return the amplitude of a play, from its row if it has one."""
        word = self.words[int(event["value_row"])] if event["row_field"] == GAIN_FIELD else int(event["gain"])
        return (word - 2**32 if word >= 2**31 else word) / 2**30

    def driven(self, frame: int) -> int:
        """Return the qubit at whose frequency a frame turns."""
        row = self.program.frames[frame]
        hz = self.setup.ports[int(row["port"])].lo_hz + int(row["ftw"]) / 2**48 / float(self.program.tick_s)
        return int(np.argmin([abs(qubit.frequency.value - hz) for qubit in self.calibration.qubits]))

    def drive(self, event: Any, qubit: int, phase: float) -> None:
        """Do what a play on the qubit's own frame does."""
        gates, gain = self.calibration.qubits[qubit].gates, self.gain(event)
        start = int(event["start_ticks"])
        if (beside := self.beside.pop((qubit, start), None)) is not None:
            if (off := abs(gain * np.exp(1j * phase) - beside)) > 1e-6:
                raise RuntimeError(f"the tone beside the one that turns q{qubit} is off by {off}")
            return
        if "rx" in gates and int(event["length_ticks"]) == self.ticks(gates["rx"].waveform):
            waveform = gates["rx"].waveform
            self.qubits.turn(qubit, math.pi * gain / waveform.amp.value, phase - waveform.phase)
            return
        for name, angle in (("x", math.pi), ("sx", math.pi / 2)):
            waveform = getattr(gates.get(name), "waveform", None)
            if waveform is not None and abs(waveform.amp.value - gain) < 1e-6:
                self.qubits.turn(qubit, angle, phase - waveform.phase)
                return
        raise RuntimeError(f"q{qubit} has no gate of gain {gain}")

    def cross(self, event: Any, pair: tuple[int, int], phase: float) -> None:
        """Do what a cross-resonance tone does; gates are told apart by the lengths of their tones."""
        names = [self.calibration.qubit_names[index] for index in pair]
        model = next(
            gate
            for gate in self.calibration.edge(*pair).gates.values()
            if gate.kind == "cr"
            and [gate.control, gate.target] == names
            and self.ticks(gate.waveform) == int(event["length_ticks"])
        )
        scale, own = self.gain(event) / model.waveform.amp.value, phase - model.waveform.phase
        self.qubits.zx(*pair, math.pi / (4 if model.echo else 2) * scale, own)
        tones = [tone for tone in (model.cancel, model.rotary) if tone is not None]
        # Perfect qubits are turned by the tone alone: what goes beside it must only be there, in step with it.
        if tones:
            sum_of = sum(tone.amp.value * np.exp(1j * tone.phase) for tone in tones)
            self.beside[pair[1], int(event["start_ticks"])] = sum_of * scale * np.exp(1j * own)
        key = (*pair, int(event["length_ticks"]))
        self.tones[key] = self.tones.get(key, 0) + 1
        if self.tones[key] % (2 if model.echo else 1) == 0:
            for name, angle in model.virtual_z.items():
                self.qubits.rz(self.calibration.qubit_names.index(name), -angle.value * scale**2)

    def ticks(self, waveform: Any) -> int:
        """Return the length of a waveform."""
        return round(waveform.duration / float(self.program.tick_s))

    def actuating(self, port: str) -> list[tuple[int, int]]:
        """Return the pairs whose CZ a flux port plays."""
        return [
            pair
            for pair in self.calibration.live_edges
            if "cz" in self.calibration.edge(*pair).gates and self.calibration.edge(*pair).gates["cz"].actuate == port
        ]

    def reader(self, frame: int) -> int:
        """Return the qubit that a readout frame belongs to."""
        row = self.program.frames[frame]
        port = self.setup.ports[int(row["port"])]
        hz = port.lo_hz + int(row["ftw"]) / 2**48 / float(self.program.tick_s)
        distance = [abs(qubit.readout.frequency.value - hz) for qubit in self.calibration.qubits]
        return int(np.argmin(distance))
