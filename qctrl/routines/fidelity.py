"""Fidelity, phases and leakage of a gate from its channel.

A channel of n transmons is an array ``(2**n, 2**n, 3**n, 3**n)``: entry ``[i, j]`` is what became of the operator
``|i><j|`` of the computational states, seen over all three levels of each transmon.
"""

from __future__ import annotations

import cmath
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVELS: Final = 3

SX: Final = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2
X: Final = np.array([[0, 1], [1, 0]], dtype=complex)
CZ: Final = np.diag([1, 1, 1, -1]).astype(complex)
ECR: Final = np.array([[0, 0, 1, 1j], [0, 0, 1j, 1], [1, -1j, 0, 0], [-1j, 1, 0, 0]]) / np.sqrt(2)
"""``X RZX(pi/2)``, the control first."""
IDENTITY: Final = np.eye(2, dtype=complex)


def computational(n_qubits: int) -> NDArray[np.intp]:
    """Return where the ``2**n`` computational states lie among the ``3**n`` states."""
    bits = np.arange(2**n_qubits)[:, None] >> np.arange(n_qubits)[::-1] & 1
    return bits @ LEVELS ** np.arange(n_qubits)[::-1]


def average_fidelity(channel: NDArray[np.complex128], unitary: NDArray[np.complex128]) -> float:
    """Return the average gate fidelity of a channel to a unitary; leaked population counts as lost.

    The average over pure states of ``<psi| U+ E(psi) U |psi>``, by the second moment of the Haar measure
    (Pedersen, Moller, Molmer, Phys. Lett. A 367, 47 (2007), eq. 3, for channels that lose norm).

    Args:
        channel: Shape ``(d, d, 3**n, 3**n)``, ``d = 2**n``.
        unitary: The ideal gate, shape ``(d, d)``.
    """
    d = unitary.shape[0]
    kept = computational(d.bit_length() - 1)
    reduced = channel[:, :, kept][:, :, :, kept]
    turned = np.einsum("ka,ijkl,lb->ijab", unitary.conj(), reduced, unitary)
    coherent = np.einsum("ijij->", turned)
    diagonal = np.einsum("iijj->", turned)
    return float((coherent + diagonal).real / (d * (d + 1)))


def unitary_of(channel: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return the unitary of a noiseless channel on the computational states, up to a global phase.

    Args:
        channel: Shape ``(d, d, 3**n, 3**n)``; each operator came from a ket.
    """
    kept = computational(channel.shape[0].bit_length() - 1)
    first = channel[:, 0][:, kept][:, :, kept]
    strongest = int(np.argmax(np.real(np.diagonal(first[0]))))
    # Column j times the conjugate of one element of column 0.
    return np.asarray(
        first[:, :, strongest].T / math.sqrt(complex(first[0, strongest, strongest]).real), dtype=np.complex128
    )


def leakage(channel: NDArray[np.complex128]) -> float:
    """Return the population that leaves the computational states, averaged over them."""
    d = channel.shape[0]
    kept = computational(d.bit_length() - 1)
    populations = np.einsum("iiaa->ia", channel).real
    return float(1 - populations[:, kept].sum() / d)


def coherence_phase(channel: NDArray[np.complex128], row: int, column: int) -> float:
    """Return the phase in rad that ``|row><column|`` acquired."""
    kept = computational(channel.shape[0].bit_length() - 1)
    return cmath.phase(complex(channel[row, column, kept[row], kept[column]]))


def cz_phases(channel: NDArray[np.complex128]) -> tuple[float, float, float]:
    """Return (phase of qubit 0, phase of qubit 1, conditional phase) of a two-qubit gate, in rad.

    Qubit 0 is the left one in ``|q0 q1>``; phases are those of ``exp(i phi |1><1|)``.
    """
    first = coherence_phase(channel, 2, 0)
    second = coherence_phase(channel, 1, 0)
    both = coherence_phase(channel, 3, 0)
    return first, second, cmath.phase(cmath.exp(1j * (both - first - second)))


def phase_of(value: complex) -> float:
    """Return the phase of a matrix element in rad."""
    return cmath.phase(complex(value))
