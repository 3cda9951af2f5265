"""Grouping, bases and values of observables, against dense matrices."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparseObservable

from qctrl.errors import CompileError
from qctrl.primitives.bases import REGISTER, measured
from qctrl.primitives.observables import group_terms, observable_terms

LETTERS = "IXYZ+-rl01"
TERMS = st.dictionaries(st.integers(0, 4), st.sampled_from(LETTERS[1:]), max_size=5).map(
    lambda letters: tuple(sorted(letters.items()))
)
BASIS_OF = dict(zip("XYZ+-rl01", "XYZXXYYZZ", strict=True))


@settings(deadline=None)
@given(st.sets(TERMS, max_size=12))
def test_groups_cover_every_term_once_and_commute_qubit_by_qubit(terms):
    groups = group_terms(terms)
    assert sorted(reading.term for group in groups for reading in group.readings) == sorted(
        term for term in terms if term
    )
    for group in groups:
        basis = dict(group.basis)
        for reading in group.readings:
            assert all(basis[qubit] == BASIS_OF[letter] for qubit, letter in reading.term)
            assert (reading.read, reading.sign) == (reading.term, 1)
    assert groups == group_terms(sorted(terms, reverse=True)), "the order of the input does not matter"


def test_commuting_terms_share_one_basis():
    terms = [((0, "Z"),), ((0, "Z"), (1, "Z")), ((1, "1"),), ((2, "+"),)]
    (group,) = group_terms(terms)
    assert group.basis == ((0, "Z"), (1, "Z"), (2, "X"))


def test_terms_of_an_observable_keep_their_coefficients():
    observable = SparseObservable.from_list([("IZ", 2.0), ("II", -1.0), ("0+", 0.5)])
    assert observable_terms(observable) == {((0, "Z"),): 2.0, (): -1.0, ((0, "+"), (1, "0")): 0.5}


def test_the_register_of_the_basis_is_the_last_and_its_name_is_kept_free():
    circuit = QuantumCircuit(2, 1)
    extended = measured(circuit, ((0, "X"), (1, "Z")))
    assert [register.name for register in extended.cregs] == ["c", REGISTER]
    assert [instruction.name for instruction in extended.data] == ["rz", "sx", "barrier", "measure", "measure"]
    assert circuit.size() == 0
    entangled = measured(circuit, ((1, "Z"),), (("rz", (0,), (0.5,)), ("cz", (0, 1), ())))
    assert [instruction.name for instruction in entangled.data] == ["rz", "cz", "barrier", "measure"]
    with pytest.raises(CompileError, match="rename it"):
        measured(extended, ((0, "Z"),))
