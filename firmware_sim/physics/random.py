"""Counter-based randomness: a draw depends on what it is for, never on how the work was divided.

Philox4x64-10 with the counter (draw block, binding, shot, stream). Draw blocks count up within a shot along its path.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_sim.physics import _kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MOST_JUMPS = 3
"""Changes of level in one window; more happen once in a million windows."""


_START_STREAM = 3
"""Fourth word of the counter for levels at the start of a shot."""


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

    def levels(self, qubit: int, shares: Sequence[float]) -> NDArray[np.int64]:
        """Return the level in which each shot finds a qubit as it begins, shape ``(n_shots,)``.

        Args:
            qubit: Chip index, which is the draw block.
            shares: Populations of its levels, normalised here.
        """
        if not any(shares[1:]):
            return np.zeros(len(self.shots), dtype=np.int64)
        # The angle of a complex Gaussian is uniform.
        place = np.angle(self.normals(qubit, 1, _START_STREAM)[:, 0]) / (2 * np.pi) + 0.5
        return np.searchsorted(np.cumsum(shares)[:-1] / sum(shares), place, side="right")

    def column_outcomes(
        self, block: int, probabilities: NDArray[np.float64], column: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return a basis state per shot, drawn from the probabilities of its column, shape ``(n_shots,)``.

        Args:
            block: Draw block; the same draw as that of ``outcomes``.
            probabilities: Shape ``(n_states, n_columns)``, normalised here.
            column: Column of each shot.
        """
        from firmware_sim.physics import _chain_kernels

        cumulative = np.cumsum(probabilities.T, axis=1)
        cumulative /= cumulative[:, -1:]
        found = np.empty(len(self.shots), dtype=np.int64)
        _chain_kernels.draw_column_outcomes(self._header(block), self.shots, column, cumulative, found)
        return found

    def jump_header(
        self, threshold: NDArray[np.float64], drawn: NDArray[np.uint64], leaked: NDArray[np.bool_]
    ) -> tuple[Any, ...]:
        """Return what the tree's kernels must know of shots; the arrays given are theirs to write."""
        after = np.empty(len(self.shots), dtype=np.int64)
        return self.key, np.uint64(self.binding), self.shots, threshold, drawn, leaked, after

    def thresholds(self, threshold: NDArray[np.float64], drawn: NDArray[np.uint64], leaked: NDArray[np.bool_]) -> None:
        """Give every shot its first threshold."""
        from firmware_sim.physics import _chain_kernels

        _chain_kernels.draw_thresholds(self.jump_header(threshold, drawn, leaked))

    def windows(
        self, block: int, hazards: tuple[NDArray[np.float64], NDArray[np.float64]], levels: NDArray[np.uint8]
    ) -> tuple[tuple[NDArray[np.int64], NDArray[np.uint8]], NDArray[np.complex128]]:
        """Return the jumps of each qubit, sample and level after it, and the normals of its noise.

        Shapes are ``(n_shots, n_qubits, 3)`` twice and, as of ``normals(block, n_qubits)``, ``(n_shots, n_qubits)``.

        Args:
            block: Draw block of the first qubit; each qubit takes one.
            hazards: Expected jumps out of each level up to each sample, shape ``(n_qubits, n_levels, n_samples + 1)``,
                and the share that leads up, shape ``(n_qubits, n_levels)``.
            levels: Levels at the start, shape ``(n_shots, n_qubits)``; sample ``n_samples`` means no jump.
        """
        shape = (*levels.shape, _MOST_JUMPS)
        jumps = (np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.uint8))
        normals = np.empty(levels.shape, dtype=np.complex128)
        _kernels.draw_windows(self._header(block), self.shots, hazards, levels, jumps, normals)
        return jumps, normals

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


def header_of(draws: Sequence[Draws]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the keys, shape ``(n, 2)``, and the numbers of some bindings, shape ``(n,)``."""
    return np.array([each.key for each in draws]), np.array([each.binding for each in draws], dtype=np.uint64)


def levels_of(
    header: tuple[NDArray[np.uint64], NDArray[np.uint64]], shots: NDArray[np.uint64], probabilities: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Return the levels that each shot of some bindings finds, shape ``(n_bindings, n_shots, n_qubits)``.

    Takes the first draw block of a shot; the same draws as of ``Draws.outcomes``.

    Args:
        header: See :func:`header_of`.
        shots: Absolute shot indices, shape ``(n_shots,)``.
        probabilities: Of the levels of each qubit, normalised here, shape ``(n_bindings, levels, levels, ..)``.
    """
    from firmware_sim.physics import _bit_kernels
    from firmware_sim.physics.cores import share

    shape = probabilities.shape[1:]
    cumulative = np.cumsum(probabilities.reshape(len(probabilities), -1), axis=1)
    cumulative /= cumulative[:, -1:]
    digits = np.indices(shape).reshape(len(shape), -1).T.astype(np.uint8, order="C")
    levels = np.empty((len(probabilities), len(shots), len(shape)), dtype=np.uint8)

    def draw(part: slice) -> None:
        mine = (header[0][part], header[1][part], np.uint64(0))
        _bit_kernels.draw_levels(mine, shots, cumulative[part], digits, levels[part])

    share(len(levels), draw)
    return levels
