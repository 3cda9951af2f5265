"""Readout mitigation that takes part in no model: what the readout leaves of every parity is measured in the same job.

With measurements twirled, misreading multiplies the mean of every product of Z by a factor of its own, whatever the
errors of the qubits have to do with one another (van den Berg, Minev, Temme, Phys. Rev. A 105, 032620, eq. 5). Qubits
prepared in 0 show the factors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qctrl.errors import CalibrationError
from qctrl.primitives.estimate import histograms, shot_variances
from qctrl.primitives.observables import Term
from qctrl.primitives.plan import Plan

Parity: TypeAlias = tuple[int, ...]
"""Qubits whose Z are multiplied, ascending."""

_LEAST_CONTRAST, _LEAST_SIGNIFICANCE = 0.1, 10.0
_SIGNS: Final = {"0": 1, "+": 1, "r": 1, "1": -1, "-": -1, "l": -1}


def measured_sets(plans: Sequence[Plan]) -> list[tuple[int, ...]]:
    """Return the distinct sets of qubits that the bases of a job measure, in order of first use."""
    return list(dict.fromkeys(tuple(q for q, _ in each.basis) for plan in plans for each in plan.measurements))


def reference_circuit(qubits: Sequence[int]) -> QuantumCircuit:
    """Return a circuit that reads qubits in their ground state, bit ``k`` the ``k``-th of them."""
    circuit = QuantumCircuit(max(qubits) + 1, len(qubits))
    circuit.measure(list(qubits), range(len(qubits)))
    return circuit


def reference_shots(plans: Sequence[Plan], qubits: tuple[int, ...]) -> int:
    """Return how many shots show the factors of some qubits: as many as the largest measurement of them has.

    Near contrast 1 the factors are then known far better than the values that they correct.
    """
    shots = [each.shots for plan in plans for each in plan.measurements if tuple(q for q, _ in each.basis) == qubits]
    return max(shots)


def parities(term: Term) -> dict[Parity, float]:
    """Return a term as a sum of products of Z on its measured qubits; projectors are ``(1 +- Z) / 2``."""
    fixed = [qubit for qubit, letter in term if letter not in _SIGNS]
    free = [(qubit, _SIGNS[letter]) for qubit, letter in term if letter in _SIGNS]
    found: dict[Parity, float] = {}
    for size in range(len(free) + 1):
        for chosen in combinations(free, size):
            key = tuple(sorted([*fixed, *(qubit for qubit, _ in chosen)]))
            found[key] = math.prod(sign for _, sign in chosen) / 2 ** len(free)
    return found


def estimate_correlated(
    plan: Plan, words: Sequence[NDArray[np.uint8]], references: dict[tuple[int, ...], NDArray[np.uint8]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return expectation values and standard errors, every parity divided by what the readout leaves of it.

    Standard errors hold the shots of the bases and those of the reference, with their covariances.

    Args:
        plan: What was measured.
        words: For each measurement ``(points, shots, nbytes)``, as for ``estimate``.
        references: By qubits, the words of their reference circuit, ``(1, shots, nbytes)``.

    Raises:
        CalibrationError: The readout leaves so little of a parity that nothing can be said.
    """
    evs, variances = plan.constants.copy(), np.zeros(plan.constants.size)
    slopes: dict[tuple[int, ...], dict[Parity, NDArray[np.float64]]] = {qubits: {} for qubits in references}
    for readout in plan.readouts:
        qubits = tuple(qubit for qubit, _ in plan.measurements[readout.measurement].basis)
        sums_of = [parities(term) for term in readout.terms]
        known = sorted({parity for each in sums_of for parity in each})
        weights = readout.weights @ np.array([[each.get(parity, 0.0) for parity in known] for each in sums_of])
        factors, _ = _factors(known, qubits, references[qubits])
        measured = words[readout.measurement][readout.positions]
        for points, outcomes, shares in histograms(measured, len(qubits)):
            outputs = readout.outputs[points]
            signs = _signs(known, qubits, outcomes)
            sums = (weights / factors) @ signs
            evs[outputs] += shares @ sums.T
            variances[outputs] += shot_variances(readout, sums, shares, measured.shape[1])
            means = shares @ signs.T
            for column, parity in enumerate(known):
                slope = slopes[qubits].setdefault(parity, np.zeros(evs.size))
                slope[outputs] -= means[:, column, None] * weights[None, :, column] / factors[column] ** 2
    for qubits, of_parity in slopes.items():
        if of_parity:
            _, covariance = _factors(list(of_parity), qubits, references[qubits])
            stacked = np.stack(list(of_parity.values()))
            variances += np.einsum("io,ij,jo->o", stacked, covariance, stacked)
    return evs.reshape(plan.shape), np.sqrt(variances).reshape(plan.shape)


def _factors(
    known: Sequence[Parity], qubits: tuple[int, ...], reference: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what the readout leaves of each parity, and the covariance of these means."""
    ((_, outcomes, shares),) = histograms(reference, len(qubits))
    signs, shots = _signs(known, qubits, outcomes), reference.shape[1]
    means = signs @ shares[0]
    covariance = ((signs * shares[0]) @ signs.T - np.outer(means, means)) / shots
    errors = np.sqrt(np.diag(covariance) + 1 / shots**2)
    for parity, mean, error in zip(known, means.tolist(), errors.tolist(), strict=True):
        if mean < _LEAST_CONTRAST or mean < _LEAST_SIGNIFICANCE * error:
            raise CalibrationError(
                f"the readout leaves {mean:.3g} +- {error:.2g} of the parity of qubits {parity}, too little to correct "
                "it; ask for a better precision, or set resilience.measure_mitigation='local'"
            )
    return means, covariance


def _signs(known: Sequence[Parity], qubits: tuple[int, ...], outcomes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the products of Z at each outcome, ``(n_parities, n_outcomes)``."""
    column = {qubit: index for index, qubit in enumerate(qubits)}
    found = np.ones((len(known), len(outcomes)))
    for row, parity in enumerate(known):
        for qubit in parity:
            found[row] *= 1 - 2 * outcomes[:, column[qubit]]
    return found
