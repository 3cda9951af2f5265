"""What must be measured for an estimator pub: groups, the points that need them, and shots."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qctrl.primitives.mitigation import NONE, Mitigation
from qctrl.primitives.observables import Basis, Gate, Group, Grouping, Term, group_terms, observable_terms, single_terms
from qctrl.primitives.readings import reading_values

_SLACK_SHOTS: Final = 1e-9
"""Relative; a precision of 0.1 asks for 100 shots and not, by rounding, for 101."""
_ENDLESS_SHOTS: Final = 1e18
"""Precisions and coefficients may be any numbers; their squares need not fit into a float."""
_LISTED_BITS: Final = 10
"""Up to so many measured qubits the range of a group is that of all its outcomes, beyond it is bounded by its terms."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One basis at the parameter points that need it, with the same number of shots."""

    basis: Basis
    shots: int
    """Per parameter point."""
    rows: tuple[int, ...]
    """Flat indices of the parameter points."""
    gates: tuple[Gate, ...] = ()
    """Played before the basis is measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Readout:
    """What a measurement says of some results; the points of one readout want the same observables."""

    measurement: int
    positions: NDArray[np.int64]
    """``(n_points,)``: places in the measurement's ``rows``."""
    outputs: NDArray[np.int64]
    """``(n_points, n_observables)``: flat indices of the pub's results."""
    terms: tuple[Term, ...]
    """What is read in the measured basis."""
    weights: NDArray[np.float64]
    """``(n_observables, n_terms)``: coefficient of what is read in each observable."""
    ends: NDArray[np.float64]
    """``(n_observables, 2)``: least and greatest value that one shot can give."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What must be measured for one pub."""

    shape: tuple[int, ...]
    constants: NDArray[np.float64]
    """Coefficient of the identity in each result, flat."""
    measurements: tuple[Measurement, ...]
    readouts: tuple[Readout, ...]
    mitigation: Mitigation

    @property
    def total_shots(self) -> int:
        """Shots of all measurements at all their points."""
        return sum(measurement.shots * len(measurement.rows) for measurement in self.measurements)


@dataclass(frozen=True, slots=True, eq=False)
class _Share:
    """A group at the points that want the same observables."""

    group: Group
    weights: NDArray[np.float64]
    ends: NDArray[np.float64]
    shots: int


def pauli_shots(precision: float) -> int:
    """Return the shots that one Pauli takes per parameter point."""
    return _whole_shots(1 / precision * (1 / precision))


def _whole_shots(shots: float) -> int:
    """Return at least so many shots, and one; of what no device could take, a number that is refused later."""
    return max(1, math.ceil(min(shots, _ENDLESS_SHOTS) * (1 - _SLACK_SHOTS)))


def plan_pub(pub: EstimatorPub, mitigation: Mitigation = NONE, grouping: Grouping | None = None) -> Plan:
    """Return the measurements of a pub.

    Observables and parameter points broadcast as NumPy arrays do. At each point the terms of all its observables are
    grouped together; what several points measure with equally many shots is one measurement, so it is compiled once.

    Shots are spread so that the standard error of every result is at most the pub's precision, whatever the state:
    with ``r_g`` half the range of the group's part of an observable, which bounds its standard deviation, group ``g``
    gets ``r_g * sum(r) / precision**2``, the least total that does it (Lagrange). A Pauli has ``r = 1``.

    Args:
        pub: The pub; its precision is above 0.
        mitigation: What outcomes are worth; correcting the readout widens the range of an outcome.
        grouping: Offers groups beside those that commute qubit by qubit; they are taken where that saves shots. With
            ``single_terms`` there are no others.
    """
    points = np.arange(pub.parameter_values.size).reshape(pub.parameter_values.shape)
    points, observables = np.broadcast_arrays(points, pub.observables.sparse_observables_array())
    kinds, terms = _distinct(observables)
    outputs: dict[int, list[int]] = {}
    for output, point in enumerate(points.ravel().tolist()):
        outputs.setdefault(point, []).append(output)
    wanting: dict[tuple[int, ...], list[int]] = {}
    for point in sorted(outputs):
        wanting.setdefault(tuple(kinds[output] for output in outputs[point]), []).append(point)

    planner = _Planner()
    for kind, alike in wanting.items():
        shares = _shares([terms[index] for index in kind], pub.precision or math.nan, mitigation, grouping)
        for share in shares:
            planner.add(share, alike, [outputs[point] for point in alike])
    return Plan(
        points.shape,
        np.array([terms[kind].get((), 0.0) for kind in kinds], dtype=np.float64),
        planner.measurements(),
        tuple(planner.readouts),
        mitigation,
    )


def _distinct(observables: NDArray[np.object_]) -> tuple[list[int], list[dict[Term, float]]]:
    """Return which of the distinct observables stands where, flat, and the terms of each.

    By value: a job that is read from the store must be planned as the one that was submitted.
    """
    read: dict[int, int] = {}
    known: dict[frozenset[tuple[Term, float]], int] = {}
    terms: list[dict[Term, float]] = []
    for observable in observables.ravel():
        if id(observable) in read:
            continue
        found = observable_terms(observable)
        kind = known.setdefault(frozenset(found.items()), len(terms))
        if kind == len(terms):
            terms.append(found)
        read[id(observable)] = kind
    return [read[id(observable)] for observable in observables.ravel()], terms


class _Planner:
    """Collects measurements, each basis and number of shots once."""

    def __init__(self) -> None:
        self.readouts: list[Readout] = []
        self._places: dict[tuple[Basis, tuple[Gate, ...], int], int] = {}
        self._rows: list[list[int]] = []

    def add(self, share: _Share, points: Sequence[int], outputs: Sequence[Sequence[int]]) -> None:
        group = share.group
        place = self._places.setdefault((group.basis, group.gates, share.shots), len(self._rows))
        if place == len(self._rows):
            self._rows.append([])
        rows = self._rows[place]
        self.readouts.append(
            Readout(
                measurement=place,
                positions=np.arange(len(rows), len(rows) + len(points)),
                outputs=np.array(outputs, dtype=np.int64),
                terms=tuple(reading.read for reading in group.readings),
                weights=share.weights,
                ends=share.ends,
            )
        )
        rows.extend(points)

    def measurements(self) -> tuple[Measurement, ...]:
        return tuple(
            Measurement(basis, shots, tuple(self._rows[place]), gates)
            for (basis, gates, shots), place in self._places.items()
        )


def _shares(
    observables: Sequence[Mapping[Term, float]], precision: float, mitigation: Mitigation, grouping: Grouping | None
) -> list[_Share]:
    """Return the shots of the cheapest groups on offer; of equals those with the fewest gates."""

    def spread(groups: Sequence[Group]) -> list[_Share]:
        return _spread(groups, observables, precision, mitigation)

    terms = frozenset(term for each in observables for term in each)
    if grouping is single_terms:
        return spread(single_terms(terms))
    plain = spread(group_terms(terms))
    if grouping is None:
        return plain
    best = spread(grouping(terms))
    for group in [share.group for share in best if share.group.gates]:
        others = [share.group for share in best if share.group is not group]
        without = spread([*others, *group_terms(reading.term for reading in group.readings)])
        best = min(without, best, key=_cost)
    return min(plain, best, key=_cost)


def _cost(shares: Sequence[_Share]) -> float:
    """Return the shots of some groups, more where gates of a group wash out what it says."""
    return sum(share.shots / share.group.contrast**2 for share in shares)


def _spread(
    groups: Sequence[Group], observables: Sequence[Mapping[Term, float]], precision: float, mitigation: Mitigation
) -> list[_Share]:
    weights = [
        np.array([[terms.get(each.term, 0.0) * each.sign for each in group.readings] for terms in observables])
        for group in groups
    ]
    ends = [_ends(group, weight, mitigation) for group, weight in zip(groups, weights, strict=True)]
    halves = np.array([(end[:, 1] - end[:, 0]) / 2 for end in ends]).reshape(len(groups), len(observables))
    with np.errstate(over="ignore"):
        needed = (halves / precision * (halves.sum(axis=0) / precision)).max(axis=1)
    return [
        _Share(group, weight, end, _whole_shots(shots))
        for group, weight, end, shots in zip(groups, weights, ends, needed.tolist(), strict=True)
    ]


def _ends(group: Group, weights: NDArray[np.float64], mitigation: Mitigation) -> NDArray[np.float64]:
    """Return the least and the greatest value that one shot can give of each observable."""
    terms, n_bits = [reading.read for reading in group.readings], len(group.basis)
    if n_bits <= _LISTED_BITS:
        outcomes = (np.arange(1 << n_bits)[:, None] >> np.arange(n_bits)) & 1
        sums = weights @ reading_values(terms, [qubit for qubit, _ in group.basis], outcomes, mitigation)
        return np.stack([sums.min(axis=1), sums.max(axis=1)], axis=1)
    corners = weights[:, :, None] * np.array([_range(term, mitigation) for term in terms])
    return np.stack([corners.min(axis=2).sum(axis=1), corners.max(axis=2).sum(axis=1)], axis=1)


def _range(term: Term, mitigation: Mitigation) -> tuple[float, float]:
    low = high = 1.0
    for qubit, letter in term:
        corners = [one * other for one in (low, high) for other in mitigation.values(letter, qubit).tolist()]
        low, high = min(corners), max(corners)
    return low, high
