"""Terms of observables, and which of them one measurement shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from qiskit.quantum_info import SparseObservable

Term: TypeAlias = tuple[tuple[int, str], ...]
"""Qubits with their letters, by qubit: Paulis X, Y, Z and projectors 0, 1, +, -, r, l."""
Basis: TypeAlias = tuple[tuple[int, str], ...]
"""Qubits with the Pauli X, Y or Z that is measured on them, by qubit."""
Gate: TypeAlias = tuple[str, tuple[int, ...], tuple[float, ...]]
"""Name, qubits and angles (rad) of an ISA gate."""

_BASIS_OF = {"X": "X", "+": "X", "-": "X", "Y": "Y", "r": "Y", "l": "Y", "Z": "Z", "0": "Z", "1": "Z"}


def observable_terms(observable: SparseObservable) -> dict[Term, float]:  # pyright: ignore[reportUnknownParameterType] Qiskit gives its Rust half no types
    """Return the terms of an observable with their real coefficients; the empty term is the identity."""
    terms: dict[Term, float] = {}
    for letters, qubits, coefficient in observable.to_sparse_list():
        term = tuple(sorted(zip(qubits, letters, strict=True)))
        terms[term] = terms.get(term, 0.0) + float(coefficient.real)
    return terms


@dataclass(frozen=True, slots=True)
class Reading:
    """A term, and what is read of it: a term in the measured basis, up to a sign."""

    term: Term
    read: Term
    sign: int = 1


@dataclass(frozen=True, slots=True)
class Group:
    """Terms that one measurement shows."""

    basis: Basis
    readings: tuple[Reading, ...]
    gates: tuple[Gate, ...] = ()
    """Played before the basis is measured; none if the terms commute qubit by qubit."""
    contrast: float = 1.0
    """What these gates leave of a mean, by the errors that the device gives for them."""


Grouping: TypeAlias = Callable[[frozenset[Term]], tuple[Group, ...]]
"""Puts terms into groups; the identity is in none, it needs no measurement."""


def group_terms(terms: Iterable[Term]) -> tuple[Group, ...]:
    """Group terms that commute qubit by qubit, first fit, the heaviest first; deterministic."""
    bases: list[dict[int, str]] = []
    members: list[list[Reading]] = []
    for term in sorted(terms, key=lambda term: (-len(term), term)):
        if not term:
            continue
        wanted = {qubit: _BASIS_OF[letter] for qubit, letter in term}
        for basis, group in zip(bases, members, strict=True):
            if all(basis.get(qubit, letter) == letter for qubit, letter in wanted.items()):
                basis.update(wanted)
                group.append(Reading(term, term))
                break
        else:
            bases.append(wanted)
            members.append([Reading(term, term)])
    return tuple(Group(tuple(sorted(basis.items())), tuple(group)) for basis, group in zip(bases, members, strict=True))


def single_terms(terms: Iterable[Term]) -> tuple[Group, ...]:
    """Give each term a group of its own; deterministic."""
    return tuple(group for term in sorted(terms) for group in group_terms([term]))
