"""``WaveformMemory``: envelopes of one sequencer as its waveforms, each distinct line of samples once."""

from __future__ import annotations

from typing import Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import ResourceError
from qctrl.protocol.envelope_memory import played

_CHUNK_NS: Final = 1024
"""A long plateau is a waveform of this length, played again and again."""
_MIN_CHUNKS: Final = 3


class Stored(TypedDict):
    """A waveform or a set of weights as the vendor's driver takes it."""

    data: list[float]
    index: int


class WaveformMemory:
    """What one sequencer stores.

    Args:
        who: Name of the sequencer, for errors.
        what: ``waveforms`` or ``weights``.
        max_samples: Samples of all lines together.
        max_lines: Number of lines.
    """

    def __init__(self, who: str, what: str, max_samples: int, max_lines: int) -> None:
        self._who = who
        self._what = what
        self._max_samples = max_samples
        self._max_lines = max_lines
        self._index: dict[bytes, int] = {}
        self._lines: list[NDArray[np.int16]] = []

    def index(self, samples: NDArray[np.int16]) -> int:
        """Return the index of a line of samples, which is stored unless it is already.

        Args:
            samples: Multiples of 1/32767, one per nanosecond.

        Raises:
            ResourceError: It does not fit.
        """
        key = samples.tobytes()
        if key not in self._index:
            need = sum(len(line) for line in self._lines) + len(samples)
            if need > self._max_samples:
                raise ResourceError(
                    f"Qblox {self._who}, memory {self._what}: needs {need} samples, has {self._max_samples}; "
                    "use shorter or fewer envelopes"
                )
            if len(self._lines) == self._max_lines:
                raise ResourceError(
                    f"Qblox {self._who}, memory {self._what}: needs more than {self._max_lines} of them; "
                    "use fewer envelopes"
                )
            self._index[key] = len(self._lines)
            self._lines.append(np.ascontiguousarray(samples))
        return self._index[key]

    def stored(self) -> dict[str, Stored]:
        """Return everything under names, in fractions of full scale."""
        return {
            f"{self._what[0]}{k}": Stored(data=(line / 32767).tolist(), index=k) for k, line in enumerate(self._lines)
        }


def pieces(envelope: np.void, memory: NDArray[np.int16], sample_ns: int) -> list[NDArray[np.int16]]:
    """Return an envelope as samples to be played one after the other, one per nanosecond.

    Args:
        envelope: dtype ``ENVELOPE``.
        memory: Samples of all envelopes, shape ``(n_samples, 2)``.
        sample_ns: How long a sample lasts.
    """
    offset, length, hold_at, hold = (int(envelope[name]) for name in ("offset", "length", "hold_at", "hold"))
    stored = memory[offset : offset + length]
    n_chunks, rest = divmod(hold * sample_ns, _CHUNK_NS)
    if n_chunks < _MIN_CHUNKS:
        return [np.repeat(played(envelope, memory), sample_ns, axis=0)]
    value = stored[hold_at : hold_at + 1]
    head = np.concatenate([np.repeat(stored[: hold_at + 1], sample_ns, axis=0), np.repeat(value, rest, axis=0)])
    tail = np.repeat(stored[hold_at + 1 :], sample_ns, axis=0)
    chunk = np.repeat(value, _CHUNK_NS, axis=0)
    # With a chunk of their own, the ends are never shorter than an instruction.
    return [np.concatenate([head, chunk]), *[chunk] * (n_chunks - 2), np.concatenate([chunk, tail])]
