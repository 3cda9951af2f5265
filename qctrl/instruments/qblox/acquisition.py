"""``Acquisitions``: captures of one sequencer as acquisitions, weights, bins and a threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qctrl.errors import ResourceError, UnsupportedInstructionError
from qctrl.instruments.qblox import limits
from qctrl.instruments.qblox.code import Code
from qctrl.instruments.qblox.waveforms import WaveformMemory

if TYPE_CHECKING:
    from qctrl.instruments.qblox.layout import Voice
    from qctrl.protocol import Program


@dataclass(frozen=True, slots=True)
class Threshold:
    """Bit 1 is where ``I cos(rotation) + Q sin(rotation)`` is beyond ``level``."""

    rotation_deg: float
    level: float
    """Of the mean over the window, in fractions of full scale."""


class Acquisitions:
    """What one sequencer integrates.

    Args:
        program: Its captures.
        voice: The sequencer.
        ticks: Ticks of a nanosecond.
        sample_ns: Nanoseconds per sample of weights.

    Attributes:
        bin_register: Counts the bins, through all shots.
        integration_ns: Window of captures without weights.
        captured: Captures in the order in which they were written, once each.
    """

    def __init__(self, program: Program, voice: Voice, ticks: int, sample_ns: int) -> None:
        self._program = program
        self._voice = voice
        self._ticks = ticks
        self._sample_ns = sample_ns
        self.weights = WaveformMemory(voice.who, "weights", limits.WEIGHT_SAMPLES, limits.WEIGHTS)
        self.bin_register = ""
        self.integration_ns = 0
        self.captured: list[int] = []
        self._weight_registers: dict[int, str] = {}

    @property
    def weight_registers(self) -> dict[int, str]:
        """Registers that hold the indices of weights."""
        return dict(self._weight_registers)

    def write(self, code: Code, at_ns: int, capture: int, length_ns: int) -> None:
        """Write one acquisition into the next bin.

        Raises:
            UnsupportedInstructionError: Its weights are complex.
            ResourceError: Its window is out of range, or a memory is full.
        """
        self._check_window(length_ns)
        envelope = int(self._program.captures["weights"][capture])
        if envelope < 0 and self.integration_ns in (0, length_ns):
            self.integration_ns = length_ns
            code.realtime(at_ns, "acquire", 0, self.bin_register)
        else:
            register = self._weights(code, envelope, length_ns)
            code.realtime(at_ns, "acquire_weighed", 0, self.bin_register, register, register)
        code.classical("add", self.bin_register, 1, self.bin_register)
        if capture not in self.captured:
            self.captured.append(capture)

    def threshold(self) -> Threshold:
        """Return the discriminator that all captures of this sequencer share.

        Raises:
            UnsupportedInstructionError: They do not share one, or it has three classes.
        """
        rows = self._program.captures[self.captured]["discriminator"].tolist()
        first = self._program.discriminators[rows[0]]
        same = all((self._program.discriminators[row]["coef"] == first["coef"]).all() for row in rows)
        if not same or int(first["n_classes"]) != 2:
            raise UnsupportedInstructionError(
                f"Qblox {self._voice.who}, capability thresholds: a condition needs a bit whose discriminator has "
                "three classes, or differs between captures; a sequencer has one line between two classes"
            )
        in_phase, quadrature, offset = (first["coef"][1] - first["coef"][0]).tolist()
        norm = math.hypot(in_phase, quadrature)
        if norm == 0.0:
            raise UnsupportedInstructionError(
                f"Qblox {self._voice.who}, capability thresholds: its discriminator does not look at the signal; "
                "calibrate the readout"
            )
        return Threshold(math.degrees(math.atan2(quadrature, in_phase)) % 360.0, -offset / norm)

    def _weights(self, code: Code, envelope: int, length_ns: int) -> str:
        if envelope < 0:
            samples = np.full((length_ns, 2), (32767, 0), dtype=np.int16)
        else:
            samples = np.repeat(self._program.envelope(envelope), self._sample_ns, axis=0)
        if samples[:, 1].any():
            raise UnsupportedInstructionError(
                f"Qblox {self._voice.who}, capability weights: integration weights are complex, and a sequencer "
                "weighs I and Q each for itself; use real ones"
            )
        index = self.weights.index(samples[:, 0].copy())
        if index not in self._weight_registers:
            self._weight_registers[index] = code.take_register()
        return self._weight_registers[index]

    def _check_window(self, length_ns: int) -> None:
        if length_ns % limits.NCO_GRID_NS or not limits.MIN_INTEGRATION_NS <= length_ns <= limits.MAX_INTEGRATION_NS:
            raise ResourceError(
                f"Qblox {self._voice.who}, capability acquisitions: a window of {length_ns} ns is no multiple of 4 ns "
                f"from {limits.MIN_INTEGRATION_NS} to {limits.MAX_INTEGRATION_NS} ns; change its length"
            )
