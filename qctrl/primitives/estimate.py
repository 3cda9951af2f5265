"""From measured bits to expectation values and their standard errors."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qctrl.primitives.plan import Plan, Readout
from qctrl.primitives.readings import reading_slopes, reading_values

_TABLE_BITS: Final = 10
"""Up to so many bits, all points share one table of every outcome; beyond, each has one of those that it saw."""

_CHANCE: Final = 0.05
"""How often draws that do not differ are taken for such that do."""

Estimate: TypeAlias = Callable[[Plan, Sequence[NDArray[np.uint8]]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Makes expectation values and standard errors of words."""


def estimate(plan: Plan, words: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return expectation values and their standard errors, of the plan's shape.

    Terms of one basis come from the same shots, so their covariances are in the standard error; bases are
    independent. The variance of a shot is taken with one more shot at each end of its range, because a value that was
    never seen is not impossible (Laplace's rule of succession). Uncertain assignment matrices add their share.

    Args:
        plan: What was measured.
        words: For each measurement ``(points, shots, nbytes)``: the measured bits as ``BitArray`` packs them, the
            basis's first qubit least significant.
    """
    evs = plan.constants.copy()
    variances = np.zeros(evs.size)
    slopes = {qubit: np.zeros((2, evs.size)) for qubit, one in plan.mitigation.assignments.items() if one.unc > 0}
    for readout in plan.readouts:
        basis = plan.measurements[readout.measurement].basis
        qubits = [qubit for qubit, _ in basis]
        measured = words[readout.measurement][readout.positions]
        for points, outcomes, shares in histograms(measured, len(qubits)):
            outputs = readout.outputs[points]
            sums = readout.weights @ reading_values(readout.terms, qubits, outcomes, plan.mitigation)
            evs[outputs] += shares @ sums.T
            variances[outputs] += shot_variances(readout, sums, shares, measured.shape[1])
            for qubit, slope in slopes.items():
                for number, values in enumerate(
                    reading_slopes(readout.terms, qubits, outcomes, plan.mitigation, qubit)
                ):
                    slope[number, outputs] += shares @ (readout.weights @ values).T
    for qubit, slope in slopes.items():
        variances += (slope**2).sum(axis=0) * plan.mitigation.assignments[qubit].unc ** 2
    return evs.reshape(plan.shape), np.sqrt(variances).reshape(plan.shape)


def estimate_in_groups(
    plan: Plan, words: Sequence[NDArray[np.uint8]], draws: Sequence[int], how: Estimate = estimate
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return expectation values and standard errors of twirled shots.

    Shots of one draw share its Paulis, so they may be off together, and the error that all shots show would be too
    small. The draws are put into groups; where the groups differ by more than their shots explain in one case of 20,
    that counts. The larger of both would count chance as well: a fifth too much variance with eight draws.

    Args:
        plan: What was measured.
        words: As for :func:`estimate`; the shots of one draw stand behind one another.
        draws: Draws of each measurement; 1 for one that was not twirled.
        how: What makes values and standard errors of words.
    """
    evs, stds = how(plan, words)
    n_groups = min(draws, default=1)
    if n_groups < 2:
        return evs, stds
    cuts = [
        [round(group * n_draws / n_groups) * -(-word.shape[1] // n_draws) for group in range(n_groups + 1)]
        for word, n_draws in zip(words, draws, strict=True)
    ]
    groups = [
        how(plan, [word[:, cut[group] : cut[group + 1]] for word, cut in zip(words, cuts, strict=True)])[0]
        for group in range(n_groups)
    ]
    spread = np.std(groups, axis=0, ddof=1) / np.sqrt(n_groups)
    return evs, np.where(spread > math.sqrt(_limit(n_groups - 1)) * stds, spread, stds)


@functools.cache
def _limit(freedom: int) -> float:
    """Return the ratio of an observed to a true variance that chance exceeds in one case of 20."""
    from scipy.stats import chi2

    return float(chi2.isf(_CHANCE, freedom)) / freedom


def shot_variances(
    readout: Readout, sums: NDArray[np.float64], shares: NDArray[np.float64], shots: int
) -> NDArray[np.float64]:
    """Return the variance of the mean over the shots, ``(points, observables)``; see :func:`estimate`."""
    # Around the middle of the range, where squares do not cancel.
    middle = readout.ends.mean(axis=1)
    half = (readout.ends[:, 1] - readout.ends[:, 0]) / 2
    offsets = sums - middle[:, None]
    mean = shots / (shots + 2) * (shares @ offsets.T)
    square = (shots * (shares @ (offsets**2).T) + 2 * half**2) / (shots + 2)
    return np.maximum(square - mean**2, 0.0) / shots


def histograms(words: NDArray[np.uint8], n_bits: int) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.float64]]]:
    """Yield points, outcomes as 0/1 ``(n_outcomes, n_bits)``, first qubit first, and their share at each point."""
    n_points, shots, n_bytes = words.shape
    if n_bits <= _TABLE_BITS:
        numbers = words @ (1 << (8 * np.arange(n_bytes, dtype=np.int64)[::-1]))
        numbers += (np.arange(n_points, dtype=np.int64) << n_bits)[:, None]
        counts = np.bincount(numbers.reshape(-1), minlength=n_points << n_bits).reshape(n_points, 1 << n_bits)
        seen = np.flatnonzero(counts.any(axis=0))
        yield slice(None), (seen[:, None] >> np.arange(n_bits)) & 1, counts[:, seen] / shots
        return
    for point in range(n_points):
        distinct, counts = np.unique(words[point], axis=0, return_counts=True)
        bits = np.unpackbits(distinct, axis=1, bitorder="big")[:, ::-1][:, :n_bits]
        yield slice(point, point + 1), bits.astype(np.int64), counts[None] / shots
