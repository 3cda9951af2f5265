"""Exact zero-order-hold propagators of a few transmons in the frame that all share.

    H = sum_i [delta_i n_i + alpha_i / 2 n_i (n_i - 1) + 1/2 (E_i* a_i^dag + h.c.)] + sum_e g_e (a_i^dag a_j + h.c.)

Each control is constant over a sample, so a propagator is a product of matrix exponentials. Runs of equal samples are
one exponential. Without a drive H conserves the total excitation and is diagonalised sector by sector.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """Controls of a cluster of qubits over a time, as runs of equal samples."""

    counts: NDArray[np.int64]
    """Samples in each run, shape ``(n_runs,)``."""
    detuning_rad_s: NDArray[np.float64]
    """Qubit minus frame, shape ``(n_runs, n_qubits)``."""
    drive_rad_s: NDArray[np.complex128]
    """E, shape ``(n_runs, n_qubits)``."""
    coupling_rad_s: NDArray[np.float64]
    """g, shape ``(n_runs, n_pairs)``."""
    pairs: tuple[tuple[int, int], ...]
    """Positions in the cluster of each coupling's qubits."""
    anharmonicity_rad_s: NDArray[np.float64]
    """Shape ``(n_qubits,)``."""
    dt_s: float

    @property
    def driven(self) -> bool:
        """Whether any sample drives."""
        return bool(np.any(self.drive_rad_s))

    @property
    def n_qubits(self) -> int:
        """Qubits in the cluster."""
        return self.detuning_rad_s.shape[1]

    @property
    def duration_s(self) -> float:
        """Length of all runs."""
        return float(self.counts.sum()) * self.dt_s


@lru_cache
def occupations(levels: int, n_qubits: int) -> NDArray[np.int64]:
    """Return the level of each qubit in each basis state, shape ``(n_qubits, levels ** n_qubits)``."""
    return np.indices((levels,) * n_qubits).reshape(n_qubits, -1)


@lru_cache
def lowering(levels: int, n_qubits: int, position: int) -> NDArray[Any]:
    """Return the lowering operator of one qubit of a cluster, a full matrix."""
    ladder = np.diag(np.sqrt(np.arange(1.0, levels)), 1)
    return np.kron(np.kron(np.eye(levels**position), ladder), np.eye(levels ** (n_qubits - 1 - position)))


def hamiltonians(controls: Controls, levels: int) -> NDArray[np.complex128]:
    """Return H of each run in rad/s, shape ``(n_runs, dim, dim)``."""
    n_qubits = controls.n_qubits
    occupation = occupations(levels, n_qubits).astype(np.float64)
    diagonal = controls.detuning_rad_s @ occupation
    diagonal = diagonal + controls.anharmonicity_rad_s @ (occupation * (occupation - 1) / 2)
    dim = occupation.shape[1]
    result = np.zeros((len(diagonal), dim, dim), dtype=np.complex128)
    result[:, np.arange(dim), np.arange(dim)] = diagonal
    for column, (first, second) in enumerate(controls.pairs):
        exchange = lowering(levels, n_qubits, first).T @ lowering(levels, n_qubits, second)
        result += controls.coupling_rad_s[:, column, None, None] * (exchange + exchange.T)
    for position in range(n_qubits):
        drive = controls.drive_rad_s[:, position, None, None]
        if np.any(drive):
            lower = lowering(levels, n_qubits, position)
            result += 0.5 * (np.conj(drive) * lower.T + drive * lower)
    return result


def run_exponentials(controls: Controls, levels: int, counts: NDArray[np.int64]) -> NDArray[np.complex128]:
    """Return ``exp(-i H_r dt counts_r)`` of each run, shape ``(n_runs, dim, dim)``."""
    h = hamiltonians(controls, levels)
    angle = counts * controls.dt_s
    if controls.driven:
        return _exponentials(h, angle)
    result = np.zeros_like(h)
    total = occupations(levels, controls.n_qubits).sum(axis=0)
    for excitation in range(int(total.max()) + 1):
        sector = np.flatnonzero(total == excitation)
        rows = np.ix_(np.arange(len(h)), sector, sector)
        result[rows] = _exponentials(h[rows].real, angle)
    return result


def unitary(controls: Controls, levels: int) -> NDArray[np.complex128]:
    """Return the propagator over all runs, shape ``(dim, dim)``."""
    return ordered_product(run_exponentials(controls, levels, controls.counts))


def ordered_product(factors: NDArray[Any]) -> NDArray[Any]:
    """Return the product of matrices in time order: the first factor acts first."""
    while len(factors) > 1:
        paired = factors[1::2] @ factors[: len(factors) - 1 : 2]
        factors = paired if len(factors) % 2 == 0 else np.concatenate([paired, factors[-1:]])
    return factors[0]


def runs(columns: Sequence[NDArray[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return starts and lengths of the runs over which no column changes; all of one length, at least 1."""
    changes = [np.flatnonzero(column[1:] != column[:-1]) + 1 for column in columns]
    starts = np.unique(np.concatenate([[0], *changes]))
    return starts, np.diff(np.append(starts, len(columns[0])))


def edge_ratio(
    whole: NDArray[np.complex128], parts: Callable[[NDArray[np.complex128]], NDArray[np.complex128]]
) -> NDArray[np.complex128]:
    """Return ``whole (parts)^-1``: what a weak coupling adds to the product of its two sides.

    Args:
        whole: Propagator of the merged cluster.
        parts: Applies the product of the two sides' propagators to a matrix of the cluster.
    """
    return whole @ parts(np.eye(len(whole), dtype=np.complex128)).conj().T


def _exponentials(h: NDArray[Any], angle: NDArray[Any]) -> NDArray[np.complex128]:
    values, vectors = np.linalg.eigh(h)
    phases = np.exp(-1j * values * angle[:, None])
    return (vectors * phases[:, None, :]) @ np.conj(np.swapaxes(vectors, 1, 2))
