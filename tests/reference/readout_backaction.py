"""A qubit and its resonator as one quantum system: photons counted in a Fock space, the master equation spelled out.

Independent of ``firmware_sim.physics``: no classical fields, no coherent states but the first, no dispersive formulae.
The coherence of levels m and n is a block of the density matrix of its own, as long as nothing moves the qubit.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm


def coherence(pieces, detunings_rad_s, kappa_rad_s, *, start=0j, photons=14):
    """Trace over the resonator of the block |m><n| of the density matrix, from 1 on.

    Args:
        pieces: ``sqrt(kappa) b``, in the convention exp(-i w t), and for how many seconds it is held.
        detunings_rad_s: Of the resonator against the frame, with the qubit in levels m and n.
        kappa_rad_s: Rate at which photons leave.
        start: Coherent field at the start.
        photons: Size of the Fock space.
    """
    number = np.arange(photons)
    lower = np.diag(np.sqrt(number[1:]), 1).astype(complex)
    raised, one = lower.T, np.eye(photons)
    ket = np.cumprod(np.concatenate([[1.0], start / np.sqrt(number[1:])])) * np.exp(-(abs(start) ** 2) / 2)
    block = np.outer(ket, ket.conj()).ravel()
    for drive, time_s in pieces:
        m, n = (d * np.diag(number) + 1j * (drive * raised - np.conj(drive) * lower) for d in detunings_rad_s)
        loss = np.kron(lower, lower) - (np.kron(raised @ lower, one) + np.kron(one, raised @ lower)) / 2
        block = expm(time_s * (-1j * (np.kron(m, one) - np.kron(one, n.T)) + kappa_rad_s * loss)) @ block
    return np.trace(block.reshape(photons, photons))
