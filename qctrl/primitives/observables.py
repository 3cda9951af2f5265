"""Which bases an estimator pub must measure, and what their outcomes say of its observables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparseObservable

Term: TypeAlias = tuple[tuple[int, str], ...]
"""Qubits with their letters, by qubit: Paulis X, Y, Z and projectors 0, 1, +, -, r, l."""
Basis: TypeAlias = tuple[tuple[int, str], ...]
"""Qubits with the Pauli X, Y or Z that is measured on them, by qubit."""

_BASIS_OF = {"X": "X", "+": "X", "-": "X", "Y": "Y", "r": "Y", "l": "Y", "Z": "Z", "0": "Z", "1": "Z"}
_OUTCOME_OF = {"0": 0, "1": 1, "+": 0, "-": 1, "r": 0, "l": 1}
"""Outcome that a projector keeps; projectors are read from the basis directly, not expanded."""

_COUNTED_BITS = 16
"""Up to so many bits a histogram over all outcomes is cheaper than sorting the shots."""


def observable_terms(observable: SparseObservable) -> dict[Term, float]:  # pyright: ignore[reportUnknownParameterType] Qiskit gives its Rust half no types
    """Return the terms of an observable with their real coefficients; the empty term is the identity."""
    terms: dict[Term, float] = {}
    for letters, qubits, coefficient in observable.to_sparse_list():
        term = tuple(sorted(zip(qubits, letters, strict=True)))
        terms[term] = terms.get(term, 0.0) + float(coefficient.real)
    return terms


@dataclass(frozen=True, slots=True)
class Group:
    """Terms that one basis measures."""

    basis: Basis
    terms: tuple[Term, ...]


def group_terms(terms: Iterable[Term]) -> list[Group]:
    """Group terms that commute qubit by qubit, first fit, the heaviest first; deterministic.

    The identity is in no group: it needs no measurement.
    """
    bases: list[dict[int, str]] = []
    members: list[list[Term]] = []
    for term in sorted(terms, key=lambda term: (-len(term), term)):
        if not term:
            continue
        wanted = {qubit: _BASIS_OF[letter] for qubit, letter in term}
        for basis, group in zip(bases, members, strict=True):
            if all(basis.get(qubit, letter) == letter for qubit, letter in wanted.items()):
                basis.update(wanted)
                group.append(term)
                break
        else:
            bases.append(wanted)
            members.append([term])
    return [Group(tuple(sorted(basis.items())), tuple(group)) for basis, group in zip(bases, members, strict=True)]


@dataclass(frozen=True, slots=True)
class Readout:
    """One basis at one parameter point: the terms it measures and the results that want them."""

    basis: int
    """Index into ``Plan.bases``."""
    row: int
    """Index into ``Plan.rows`` of that basis."""
    terms: tuple[Term, ...]
    outputs: tuple[int, ...]
    """Flat indices of the pub's results at this parameter point."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What must be measured for one pub."""

    shape: tuple[int, ...]
    bases: tuple[Basis, ...]
    rows: tuple[tuple[int, ...], ...]
    """For each basis, the flat indices of the parameter points to measure it at."""
    readouts: tuple[Readout, ...]
    coefficients: tuple[dict[Term, float], ...]
    """For each result, flat: the terms of its observable."""


def plan_pub(pub: EstimatorPub) -> Plan:
    """Return the bases of a pub, each with the parameter points that need it.

    Observables and parameter points broadcast as NumPy arrays do. A basis that several points need
    is listed once, so its circuit is compiled once.
    """
    points = np.arange(pub.parameter_values.size).reshape(pub.parameter_values.shape)
    points, observables = np.broadcast_arrays(points, pub.observables.sparse_observables_array())
    known: dict[int, dict[Term, float]] = {}
    coefficients = tuple(
        known.setdefault(id(each), observable_terms(each)) if id(each) not in known else known[id(each)]
        for each in observables.ravel()
    )
    outputs: dict[int, list[int]] = {}
    for output, point in enumerate(points.ravel().tolist()):
        outputs.setdefault(point, []).append(output)

    grouped: dict[frozenset[Term], list[Group]] = {}
    places: dict[Basis, int] = {}
    rows: list[list[int]] = []
    readouts: list[Readout] = []
    for point, wanting in sorted(outputs.items()):
        needed = frozenset(term for output in wanting for term in coefficients[output])
        if needed not in grouped:
            grouped[needed] = group_terms(needed)
        for group in grouped[needed]:
            place = places.setdefault(group.basis, len(rows))
            if place == len(rows):
                rows.append([])
            readouts.append(Readout(place, len(rows[place]), group.terms, tuple(wanting)))
            rows[place].append(point)
    return Plan(points.shape, tuple(places), tuple(tuple(each) for each in rows), tuple(readouts), coefficients)


def estimate(
    plan: Plan, words: Sequence[NDArray[np.uint8]], shots: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return expectation values and their standard errors, of the plan's shape.

    Terms of one basis come from the same shots, so their covariances are in the standard error;
    bases are independent.

    Args:
        plan: What was measured.
        words: For each basis ``(points, shots, nbytes)``: the measured bits as ``BitArray`` packs
            them, the basis's first qubit least significant.
        shots: Shots per basis and point.
    """
    evs = np.array([terms.get((), 0.0) for terms in plan.coefficients])
    variances = np.zeros(len(plan.coefficients))
    for readout in plan.readouts:
        qubits = [qubit for qubit, _ in plan.bases[readout.basis]]
        outcomes, weights = _distinct(words[readout.basis][readout.row], len(qubits))
        values = term_values(readout.terms, qubits, outcomes)
        outputs = list(readout.outputs)
        share = np.array([[plan.coefficients[k].get(term, 0.0) for term in readout.terms] for k in outputs])
        sums = share @ values
        means = sums @ weights
        evs[outputs] += means
        variances[outputs] += np.maximum((sums - means[:, None]) ** 2 @ weights, 0.0) / shots
    return evs.reshape(plan.shape), np.sqrt(variances).reshape(plan.shape)


def _distinct(words: NDArray[np.uint8], n_bits: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return distinct outcomes as 0/1 ``(n_outcomes, n_bits)``, first qubit first, and their weights."""
    if n_bits <= _COUNTED_BITS:
        powers = 1 << (8 * np.arange(words.shape[1], dtype=np.int64)[::-1])
        histogram = np.bincount(words @ powers)
        numbers = np.flatnonzero(histogram)
        return (numbers[:, None] >> np.arange(n_bits)) & 1, histogram[numbers] / len(words)
    distinct, counts = np.unique(words, axis=0, return_counts=True)
    bits = np.unpackbits(distinct, axis=1, bitorder="big")[:, ::-1][:, :n_bits]
    return bits.astype(np.int64), counts / len(words)


def term_values(terms: Sequence[Term], qubits: Sequence[int], outcomes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the value of each term at each outcome: a product of signs and of kept-or-not.

    Args:
        terms: Terms that the basis measures.
        qubits: Measured qubits, in the order of the outcomes' columns.
        outcomes: 0/1, ``(n_outcomes, n_qubits)``.

    Returns:
        ``(n_terms, n_outcomes)``.
    """
    column = {qubit: index for index, qubit in enumerate(qubits)}
    signs = np.zeros((len(terms), len(qubits)), dtype=np.int64)
    keeps = np.zeros((2, len(terms), len(qubits)), dtype=np.int64)
    for index, term in enumerate(terms):
        for qubit, letter in term:
            if letter in _OUTCOME_OF:
                keeps[_OUTCOME_OF[letter], index, column[qubit]] = 1
            else:
                signs[index, column[qubit]] = 1
    parity = (signs @ outcomes.T) & 1
    misses = keeps[0] @ outcomes.T + keeps[1] @ (1 - outcomes.T)
    return np.where(misses == 0, 1.0 - 2.0 * parity, 0.0)
