"""Perfect qubits: unitaries on a state vector, from gates or from the events of a packed program."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.reference.flow import CAPTURE_EVENT, captures_of, run

PLAY_EVENT, SHIFT_EVENT = 0, 2


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


class _Device:
    """Knows what each play means to the qubits of a calibration."""

    def __init__(self, compiled: Any, calibration: Any, words: Any, choose: Callable[[float], int]) -> None:
        self.program, self.setup = compiled.program, compiled.setup
        self.calibration = calibration
        self.words = [int(word) for word in words]
        self.registers = [0] * len(self.program.frames)
        self.qubits = Qubits(len(calibration.qubits), choose)

    def play(self, block: int) -> list[int]:
        """Play the events of a block in time; return what its captures read."""
        events = sorted(
            self.program.block_events(block), key=lambda e: (int(e["start_ticks"]), int(e["op"]) == CAPTURE_EVENT)
        )
        order = [int(event["target"]) for event in captures_of(self.program, block)]
        read: dict[int, int] = {}
        for event in events:
            frame = int(event["frame"])
            phase = int(event["phase"]) + self.words[int(event["phase_row"])]
            if event["op"] == SHIFT_EVENT:
                self.registers[frame] += phase
            elif event["op"] == PLAY_EVENT:
                self.pulse(event, frame, (phase + self.registers[frame]) / 2**32 * 2 * math.pi)
            else:
                read[int(event["target"])] = self.qubits.measure(self.reader(frame))
        return [read[target] for target in order]

    def pulse(self, event: Any, frame: int, phase: float) -> None:
        """Do what a play does."""
        owner, kind = self.setup.ports[int(self.program.frames[frame]["port"])].name.split(".")
        gain = int(event["gain"]) / 2**30
        if kind == "drive":
            qubit = int(owner.removeprefix("q"))
            for name, angle in (("x", math.pi), ("sx", math.pi / 2)):
                waveform = getattr(self.calibration.qubits[qubit].gates.get(name), "waveform", None)
                if waveform is not None and abs(waveform.amp.value - gain) < 1e-6:
                    self.qubits.turn(qubit, angle, phase - waveform.phase)
                    return
            raise RuntimeError(f"{owner} has no gate of gain {gain}")
        if kind == "flux" and owner.startswith("q"):
            a, b = next(pair for pair in self.calibration.live_edges if self.actuated(pair) == f"{owner}.flux")
            self.qubits.cz(a, b)
            # The real pulse leaves phases behind; the virtual Z that follow it take them away again.
            for name, angle in self.calibration.edge(a, b).gates["cz"].virtual_z.items():
                self.qubits.rz(self.calibration.qubit_names.index(name), -angle.value)

    def actuated(self, pair: tuple[int, int]) -> str:
        """Return the flux port of the CZ of an edge."""
        return str(self.calibration.edge(*pair).gates["cz"].actuate)

    def reader(self, frame: int) -> int:
        """Return the qubit that a readout frame belongs to."""
        row = self.program.frames[frame]
        port = self.setup.ports[int(row["port"])]
        hz = port.lo_hz + int(row["ftw"]) / 2**48 / float(self.program.tick_s)
        distance = [abs(qubit.readout.frequency.value - hz) for qubit in self.calibration.qubits]
        return int(np.argmin(distance))
