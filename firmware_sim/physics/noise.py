"""Markovian noise: jumps between neighbouring levels, down and (at a temperature) up, and pure dephasing.

Jump operators are ``sqrt(G) |0><1|``, ``sqrt(G') |1><2|`` and so on (apart, so that they do not carry coherence from
one transition to another) and ``sqrt(2 gphi) n``: the coherence of levels m and n decays at
``(Gm + Gn) / 2 + gphi (m - n)^2``, with the total rates Gm and Gn out of the two levels. Their dissipator
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

_TAYLOR_ORDER = 11
"""Leaves 1e-15 of a generator scaled down to 1/16."""


def local_superoperator(qubit: Transmon, levels: int, time_s: float) -> NDArray[Any]:
    """Return the noise of one transmon over a time, shape ``(levels**2, levels**2)``."""
    rates = population_rates(qubit, levels)
    leaving = -np.diagonal(rates)
    level = np.arange(levels)
    lost = (leaving[:, None] + leaving[None, :]) / 2 + qubit.dephasing_per_s * (level[:, None] - level[None, :]) ** 2
    result = np.diag(np.exp(-lost * time_s).ravel())
    population = level * (levels + 1)
    result[np.ix_(population, population)] = _exponential(rates * time_s)
    return result


def population_rates(qubit: Transmon, levels: int) -> NDArray[np.float64]:
    """Return the generator of the populations, per second: ``dp/dt = K p``, shape ``(levels, levels)``."""
    down, up = np.array(qubit.decay_per_s[1:levels]), np.array(qubit.heating_per_s[: levels - 1])
    between = np.diag(down, 1) + np.diag(up, -1)
    return between - np.diag(between.sum(axis=0))


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


def _exponential(generator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the exponential of a generator of probabilities, by scaling and squaring."""
    halvings = max(0, int(np.ceil(np.log2(np.abs(generator).max() + 1e-300))) + 4)
    small = generator / 2**halvings
    term = result = np.eye(len(generator))
    for order in range(1, _TAYLOR_ORDER):
        term = term @ small / order
        result = result + term
    whole = np.linalg.matrix_power(result, 2**halvings)
    return whole / whole.sum(axis=0)
