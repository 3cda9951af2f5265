"""A noisy block as jumps: what its channel does beside its unitary, as "no jump" and jump operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEGLIGIBLE_JUMP = 1e-7
"""Weight below which an operator is left out; its share goes to the others in proportion."""


@dataclass(frozen=True, slots=True, eq=False)
class JumpSet:
    """Operators of one channel; ``keep^dag keep + sum K^dag K`` is the identity, up to levels cut off."""

    keep: NDArray[np.complex128]
    """"No jump", shape ``(dim, dim)``."""
    undo: NDArray[np.complex128]
    """Its inverse."""
    operators: NDArray[np.complex128]
    """Jump operators K, shape ``(n, dim, dim)``."""
    weights: NDArray[np.complex128]
    """``K^dag K``, same shape."""

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self.keep.nbytes + self.undo.nbytes + self.operators.nbytes + self.weights.nbytes


def channel_after(superoperator: NDArray[Any], unitary: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return the channel that follows a unitary so that both together are ``superoperator`` (on row-major vectors)."""
    return np.asarray(superoperator @ np.kron(unitary, unitary.conj()).conj().T, dtype=np.complex128)


def kraus_operators(channel: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return the Kraus operators of a channel, heaviest first: eigenvectors of its Choi matrix.

    Args:
        channel: On row-major vectors of a density matrix, shape ``(dim**2, dim**2)``.
    """
    dim = round(len(channel) ** 0.5)
    choi = channel.reshape((dim,) * 4).transpose(0, 2, 1, 3).reshape(dim * dim, dim * dim)
    weights, vectors = np.linalg.eigh((choi + choi.conj().T) / 2)
    chosen = weights > NEGLIGIBLE_JUMP
    chosen[-1] = True
    scaled = vectors[:, chosen] * np.sqrt(weights[chosen])
    return np.ascontiguousarray(scaled.T[::-1]).reshape(-1, dim, dim)


def jump_set(operators: NDArray[np.complex128], kept: NDArray[np.intp]) -> JumpSet:
    """Return the jumps of Kraus operators, heaviest first, on the basis states ``kept``."""
    small = operators[:, kept][:, :, kept]
    keep = without_phase(small[0])
    jumps = np.ascontiguousarray(small[1:])
    return JumpSet(
        keep, np.asarray(np.linalg.inv(keep), dtype=np.complex128), jumps, np.conj(np.swapaxes(jumps, 1, 2)) @ jumps
    )


def without_phase(operator: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return a Kraus operator with the phase, which is free, that makes its trace positive."""
    trace = np.trace(operator)
    return operator * (np.conj(trace) / abs(trace))
