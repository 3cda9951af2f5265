"""Markovian noise: decay from each level to the one below, and pure dephasing; no thermal excitation.

Jump operators are ``sqrt(G1) |0><1|``, ``sqrt(G2) |1><2|`` (apart, so that they do not carry coherence from 1-2 to 0-1)
and ``sqrt(2 gphi) n``: the coherence of levels m and n decays at ``(Gm + Gn) / 2 + gphi (m - n)^2``. Their dissipator
commutes with every diagonal Hamiltonian, so idling is exact; over a driven sample it is split symmetrically, with a
relative error of the noise of order ``(|E| dt)^2 / 12``.

Superoperators act on row-major vectors of the density matrix: ``rho -> A rho B^dag`` is ``kron(A, conj(B))``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_sim.physics.propagators import Controls, ordered_product, run_exponentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.device import Transmon

_EQUAL_RATES = 1e-9


def local_superoperator(qubit: Transmon, levels: int, time_s: float) -> NDArray[Any]:
    """Return the noise of one transmon over a time, shape ``(levels**2, levels**2)``."""
    decay = np.array(qubit.decay_per_s[:levels])
    level = np.arange(levels)
    rates = (decay[:, None] + decay[None, :]) / 2 + qubit.dephasing_per_s * (level[:, None] - level[None, :]) ** 2
    result = np.diag(np.exp(-rates * time_s).ravel())
    stay = np.exp(-decay * time_s)
    population = level * (levels + 1)
    result[population[0], population[1]] = 1 - stay[1]
    if levels > 2:
        passed = _passed_through(decay[2], decay[1], time_s)
        result[population[1], population[2]] = passed
        result[population[0], population[2]] = 1 - stay[2] - passed
    return result


def block_superoperator(controls: Controls, qubits: Sequence[Transmon | None], levels: int) -> NDArray[Any]:
    """Return the noisy propagator of a cluster of one or two transmons, shape ``(dim**2, dim**2)``.

    Args:
        controls: Controls of the cluster.
        qubits: Its transmons; None where the noise of a transmon is off.
        levels: Levels per transmon.
    """
    if controls.n_qubits == 1 and not controls.driven:
        steps = run_exponentials(controls, levels, controls.counts)
        noise = _cluster_noise(qubits, levels, controls.duration_s)
        return ordered_product(_conjugation(steps)) @ noise
    noise = _cluster_noise(qubits, levels, controls.dt_s)
    single = _conjugation(run_exponentials(controls, levels, np.ones_like(controls.counts))) @ noise
    powers = [np.linalg.matrix_power(step, int(count)) for step, count in zip(single, controls.counts, strict=True)]
    half = _cluster_noise(qubits, levels, controls.dt_s / 2)
    return half @ ordered_product(np.stack(powers)) @ np.linalg.inv(half)


def _cluster_noise(qubits: Sequence[Transmon | None], levels: int, time_s: float) -> NDArray[Any]:
    factors = [np.eye(levels**2) if qubit is None else local_superoperator(qubit, levels, time_s) for qubit in qubits]
    if len(factors) == 1:
        return factors[0]
    d = levels
    joint = np.kron(factors[0], factors[1]).reshape((d,) * 8)
    return joint.transpose(0, 2, 1, 3, 4, 6, 5, 7).reshape(d**4, d**4)


def _conjugation(unitaries: NDArray[np.complex128]) -> NDArray[Any]:
    n_runs, dim, _ = unitaries.shape
    joint = np.einsum("rij,rkl->rikjl", unitaries, np.conj(unitaries))
    return joint.reshape(n_runs, dim**2, dim**2)


def _passed_through(rate_2: float, rate_1: float, time_s: float) -> float:
    """Return the probability to stand in level 1 after a time that began in level 2."""
    if abs(rate_1 - rate_2) < _EQUAL_RATES * rate_1:
        return rate_2 * time_s * np.exp(-rate_1 * time_s)
    return rate_2 / (rate_1 - rate_2) * (np.exp(-rate_2 * time_s) - np.exp(-rate_1 * time_s))
