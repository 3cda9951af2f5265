"""The waveform list of a Tektronix generator: ``WLISt``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.scpi.instrument import ScpiError, choice, command, whole
from firmware_sim.scpi.message import block

_MARKER_1: Final = 1 << 6


@dataclass(slots=True, eq=False)
class Waveform:
    """A waveform in the list."""

    samples: NDArray[np.float32]
    markers: NDArray[np.uint8]


class WaveformList:
    """Waveforms by name.

    Args:
        min_samples: Shortest waveform.
        max_samples: Longest waveform.
    """

    def __init__(self, min_samples: int, max_samples: int) -> None:
        self._min_samples = min_samples
        self._max_samples = max_samples
        self.waveforms: dict[str, Waveform] = {}

    @command("WLISt:WAVeform:LMINimum?")
    def shortest(self) -> str:
        """Return the least number of samples."""
        return str(self._min_samples)

    @command("WLISt:WAVeform:LMAXimum?")
    def longest(self) -> str:
        """Return the largest number of samples."""
        return str(self._max_samples)

    @command("WLISt:WAVeform:GRANularity?")
    def granularity(self) -> str:
        """Return what a number of samples is a multiple of."""
        return "1"

    @command("WLISt:SIZE?")
    def list_size(self) -> str:
        """Return the number of waveforms."""
        return str(len(self.waveforms))

    @command("WLISt:LIST?")
    def names(self) -> str:
        """Return the names of all waveforms."""
        return f'"{",".join(self.waveforms)}"'

    @command("WLISt:WAVeform:LENGth?")
    def length(self, name: str) -> str:
        """Return the number of samples of a waveform."""
        return str(len(self._wave(name).samples))

    @command("WLISt:WAVeform:NEW")
    def new_waveform(self, name: str, length: str, kind: str = "REAL") -> None:
        """Make a waveform of zeros."""
        choice(kind, "REAL")
        if name in self.waveforms:
            raise ScpiError(-224, f"Illegal parameter value;waveform {name} exists")
        samples = whole(length, self._min_samples, self._max_samples)
        self.waveforms[name] = Waveform(np.zeros(samples, dtype=np.float32), np.zeros(samples, dtype=np.uint8))

    @command("WLISt:WAVeform:DELete")
    def delete_waveform(self, name: str) -> None:
        """Delete one waveform, or ALL."""
        if name.upper() == "ALL":
            self.waveforms.clear()
        elif self.waveforms.pop(name, None) is None:
            raise ScpiError(-256, f"File name not found;{name}")

    @command("WLISt:WAVeform:DATA[:I]")
    def write_samples(self, name: str, start: str, size: str, data: bytearray) -> None:
        """Write 32-bit floats, little-endian, full scale at -1 and 1."""
        wave, first, count = self._part(name, start, size)
        if len(data) != 4 * count:
            raise ScpiError(-161, f"Invalid block data;{len(data)} bytes for {count} samples")
        samples = np.frombuffer(data, dtype="<f4")
        # NaN is neither.
        if not (samples.min(initial=0) >= -1 and samples.max(initial=0) <= 1):
            raise ScpiError(-222, "Data out of range;sample")
        wave.samples[first : first + count] = samples

    @command("WLISt:WAVeform:DATA[:I]?")
    def read_samples(self, name: str, start: str, size: str) -> bytes:
        """Return samples as they were written."""
        wave, first, count = self._part(name, start, size)
        return block(wave.samples[first : first + count].astype("<f4").tobytes())

    @command("WLISt:WAVeform:MARKer:DATA")
    def write_markers(self, name: str, start: str, size: str, data: bytearray) -> None:
        """Write one byte per sample; bit 6 is marker 1."""
        wave, first, count = self._part(name, start, size)
        if len(data) != count:
            raise ScpiError(-161, f"Invalid block data;{len(data)} bytes for {count} markers")
        wave.markers[first : first + count] = np.frombuffer(data, dtype=np.uint8) & _MARKER_1

    @command("WLISt:WAVeform:MARKer:DATA?")
    def read_markers(self, name: str, start: str, size: str) -> bytes:
        """Return markers as they were written."""
        wave, first, count = self._part(name, start, size)
        return block(wave.markers[first : first + count].tobytes())

    def _part(self, name: str, start: str, size: str) -> tuple[Waveform, int, int]:
        wave = self._wave(name)
        first = whole(start, 0, len(wave.samples) - 1)
        return wave, first, whole(size, 1, len(wave.samples) - first)

    def _wave(self, name: str) -> Waveform:
        if name not in self.waveforms:
            raise ScpiError(-256, f"File name not found;{name}")
        return self.waveforms[name]
