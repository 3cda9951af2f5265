"""Counter-based randomness: a draw depends on what it is for, never on how the work was divided.

Philox4x64-10 with the counter (draw block, binding, shot, stream). Draw blocks count up within a shot along its path.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics import _kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stream_key(seed: int, pub_index: int, program_hash: bytes) -> NDArray[np.uint64]:
    """Return the key of all draws of a program, uint64, shape ``(2,)``."""
    digest = blake2b(digest_size=16)
    digest.update(f"{seed};{pub_index};".encode())
    digest.update(program_hash)
    return np.frombuffer(digest.digest(), dtype="<u8").astype(np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """The random numbers of a set of shots of one binding."""

    key: NDArray[np.uint64]
    """Shape ``(2,)``."""
    binding: int
    shots: NDArray[np.uint64]
    """Absolute shot indices, shape ``(n_shots,)``."""

    def outcomes(self, block: int, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return a basis state per shot, drawn from ``probabilities`` (normalised here), shape ``(n_shots,)``."""
        cumulative = np.cumsum(probabilities)
        cumulative /= cumulative[-1]
        found = np.empty(len(self.shots), dtype=np.int64)
        _kernels.draw_outcomes(self._header(block), self.shots, cumulative, found)
        return found

    def decays(
        self, block: int, rates: NDArray[np.float64], n_samples: NDArray[np.int64], levels: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the samples of the first and second decay of each qubit, shape ``(n_shots, n_qubits)`` each.

        Args:
            block: Draw block of the first qubit; each qubit takes one.
            rates: Decays per sample out of levels 0, 1, 2, shape ``(n_qubits, 3)``.
            n_samples: Window of each qubit; that many means no decay.
            levels: Levels at the start, shape ``(n_shots, n_qubits)``.
        """
        jumps = (np.empty(levels.shape, dtype=np.int64), np.empty(levels.shape, dtype=np.int64))
        _kernels.draw_decays(self._header(block), self.shots, rates, n_samples, levels, jumps)
        return jumps

    def normals(self, block: int, n_columns: int, stream: int = 0) -> NDArray[np.complex128]:
        """Return independent standard normals in both quadratures, shape ``(n_shots, n_columns)``.

        Args:
            block: Draw block of the first column; each column takes one.
            n_columns: Columns.
            stream: 0 for integrated values; traces use others, so that asking for them changes no other draw.
        """
        out = np.empty((len(self.shots), n_columns), dtype=np.complex128)
        _kernels.draw_normals(self._header(block), np.uint64(stream), self.shots, out)
        return out

    def _header(self, block: int) -> tuple[NDArray[np.uint64], np.uint64, np.uint64]:
        return self.key, np.uint64(self.binding), np.uint64(block)
