"""Gates of one qubit as rz-sx-rz-sx-rz, whole arrays at once."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_FIXED: Final[Mapping[str, NDArray[np.complex128]]] = MappingProxyType(
    {
        "id": np.eye(2, dtype=np.complex128),
        "x": np.array([[0, 1], [1, 0]], dtype=np.complex128),
        "sx": np.array([[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]]),
    }
)
ANGLES_OF: Final[Mapping[str, int]] = MappingProxyType({"id": 0, "x": 0, "sx": 0, "rz": 1, "rx": 1})
"""Gates that are understood, and how many angles they take."""


def gate_matrices(name: str, angle_rad: NDArray[np.float64] | None) -> NDArray[np.complex128]:
    """Return the matrix of a gate, ``(2, 2)``, or one for every angle, ``(n_angles, 2, 2)``.

    Args:
        name: One of ``ANGLES_OF``.
        angle_rad: Angles of ``rz`` or ``rx``, ``(n_angles,)``.
    """
    if angle_rad is None:
        return _FIXED[name]
    found = np.zeros((len(angle_rad), 2, 2), dtype=np.complex128)
    if name == "rz":
        found[:, 0, 0], found[:, 1, 1] = np.exp(-0.5j * angle_rad), np.exp(0.5j * angle_rad)
    else:
        found[:, 0, 0] = found[:, 1, 1] = np.cos(angle_rad / 2)
        found[:, 0, 1] = found[:, 1, 0] = -1j * np.sin(angle_rad / 2)
    return found


def euler_angles(matrices: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return angles (phi, theta, lambda) with ``U = rz(phi) ry(theta) rz(lambda)`` up to a phase.

    Args:
        matrices: Unitaries, ``(..., 2, 2)``.

    Returns:
        Angles in rad, ``(..., 3)``.
    """
    u00, u01, u10, u11 = (matrices[..., i, j] for i in (0, 1) for j in (0, 1))
    theta = 2 * np.arctan2(np.abs(u10), np.abs(u00))
    total, difference = np.angle(u11 * u00.conj()), np.angle(-u10 * u01.conj())
    phi, lam = (total + difference) / 2, (total - difference) / 2
    # Half of an angle is known up to half a turn; where both columns have two entries, they must agree.
    wrong = np.where((np.exp(-1j * phi) * u10 * u00.conj()).real < 0, math.pi, 0.0)
    return np.stack([phi + wrong, theta, lam + wrong], axis=-1)


def dressed_angles(
    angles: NDArray[np.float64], before: NDArray[np.uint8], behind: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return the angles of rz-sx-rz-sx-rz that are a gate between two Paulis.

    From ``X rz(a) = rz(-a) X`` and ``X ry(b) = ry(pi - b) Z``; and ``rz(phi) ry(theta) rz(lambda)`` is, up to a phase,
    ``rz(phi + pi) sx rz(theta + pi) sx rz(lambda)`` (McKay et al., Phys. Rev. A 96, 022330, eq. 7).

    Args:
        angles: Of the gate, (phi, theta, lambda) in rad, ``(..., 3)``.
        before: Exponents of X and Z of the Pauli that acts first, ``(..., 2)``.
        behind: Of the one that acts last.

    Returns:
        Angles of the three rz in the order in which they act, ``(..., 3)``.
    """
    phi, theta, lam = angles[..., 0], angles[..., 1], angles[..., 2]
    lam = np.where(before[..., 0], math.pi - lam, lam) + math.pi * (before[..., 1] + behind[..., 0])
    theta = theta + math.pi * before[..., 0]
    theta = np.where(behind[..., 0], math.pi - theta, theta)
    phi = np.where(behind[..., 0], -phi, phi) + math.pi * behind[..., 1]
    made = np.stack([lam, theta + math.pi, phi + math.pi], axis=-1)
    return np.remainder(made + math.pi, 2 * math.pi) - math.pi
