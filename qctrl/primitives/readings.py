"""What the terms of a basis are worth at its outcomes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qctrl.primitives.mitigation import Mitigation
from qctrl.primitives.observables import Term


def reading_values(
    terms: Sequence[Term], qubits: Sequence[int], outcomes: NDArray[np.int64], mitigation: Mitigation
) -> NDArray[np.float64]:
    """Return the value of each term at each outcome: the product of what its letters are worth.

    Args:
        terms: Terms that the basis measures.
        qubits: Measured qubits, in the order of the outcomes' columns.
        outcomes: 0/1, ``(n_outcomes, n_qubits)``.
        mitigation: What a letter is worth.

    Returns:
        ``(n_terms, n_outcomes)``.
    """
    column = {qubit: index for index, qubit in enumerate(qubits)}
    values = np.ones((len(terms), len(outcomes)))
    for index, term in enumerate(terms):
        for qubit, letter in term:
            values[index] *= mitigation.values(letter, qubit)[outcomes[:, column[qubit]]]
    return values


def reading_slopes(
    terms: Sequence[Term],
    qubits: Sequence[int],
    outcomes: NDArray[np.int64],
    mitigation: Mitigation,
    qubit: int,
) -> NDArray[np.float64]:
    """Return the derivatives of :func:`reading_values` by the two error probabilities of ``qubit``, ``(2, ...)``."""
    column = {each: index for index, each in enumerate(qubits)}
    values = np.zeros((2, len(terms), len(outcomes)))
    for index, term in enumerate(terms):
        letters = dict(term)
        if qubit not in letters:
            continue
        rest = tuple(pair for pair in term if pair[0] != qubit)
        others = reading_values([rest], qubits, outcomes, mitigation)[0]
        values[:, index] = mitigation.slopes(letters[qubit], qubit)[:, outcomes[:, column[qubit]]] * others
    return values
