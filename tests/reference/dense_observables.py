"""Observables as dense matrices: slow, obvious."""

import numpy as np
from qiskit.quantum_info import SparseObservable, SparsePauliOp


def matrix(term, n_qubits):
    """Return a term, letters by qubit, as a matrix."""
    label = "".join(dict(term).get(qubit, "I") for qubit in reversed(range(n_qubits)))
    return SparsePauliOp.from_sparse_observable(SparseObservable(label)).to_matrix()


def weighted(terms, weights, n_qubits):
    """Return the sum of terms with their weights."""
    return sum(weight * matrix(term, n_qubits) for term, weight in zip(terms, weights, strict=True))


def commute(terms, n_qubits):
    """Return whether all of some terms commute with each other."""
    matrices = [matrix(term, n_qubits) for term in terms]
    return all(np.allclose(one @ other, other @ one) for one in matrices for other in matrices)
