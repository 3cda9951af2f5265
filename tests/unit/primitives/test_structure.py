"""Splitting a pub by the parameters that change what is played when."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qctrl.errors import TimingError
from qctrl.primitives.structure import split_by_structure

A, T = Parameter("a"), Parameter("t")


def lengths(circuit):
    return [each.operation.duration for each in circuit.data if each.name == "delay"]


def test_without_structure_the_circuit_stays_as_it_is():
    circuit = QuantumCircuit(1)
    circuit.rz(A, 0)
    values = np.array([[0.5], [0.25]])
    [(same, all_values, rows)] = split_by_structure(circuit, values, ())
    assert same is circuit
    assert all_values is values
    assert rows == [0, 1]
    assert split_by_structure(circuit, values[:0], ()) == []


def test_one_circuit_per_distinct_length():
    circuit = QuantumCircuit(1)
    circuit.rz(A, 0)
    circuit.delay(T * 2, 0, "dt")
    circuit.rz(T, 0)
    values = np.array([[0.1, 8], [0.2, 4], [0.3, 8.0000000001], [0.4, 8]])
    parts = split_by_structure(circuit, values, {T})
    assert [(lengths(part), others.ravel().tolist(), rows) for part, others, rows in parts] == [
        ([16], [0.1, 0.4], [0, 3]),
        ([8], [0.2], [1]),
        ([16], [0.3], [2]),
    ]
    assert all(list(part.parameters) == [A] for part, _, _ in parts)


def test_delays_in_bodies_are_bound_too_and_keep_what_a_loop_gives():
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(3)) as step:
        circuit.delay(T + step, 0, "dt")
        with circuit.if_test((0, True)):
            circuit.delay(T, 0, "dt")
    [(bound, _, _)] = split_by_structure(circuit, np.array([[20.0]]), {T, step})
    assert not bound.parameters
    body = bound.data[0].operation.blocks[0]
    assert body.data[0].operation.duration.parameters == {step}
    assert lengths(body.data[1].operation.blocks[0]) == [20]
    assert body.assign_parameters({step: 2}).data[0].operation.duration == 22


@pytest.mark.parametrize(
    ("value", "message"),
    [(2.5, "2.5 dt with t = 2.5; the nearest are 2 and 3 dt"), (np.nan, "binding 0: parameter t is nan")],
)
def test_a_length_between_two_ticks_is_refused(value, message):
    circuit = QuantumCircuit(1)
    circuit.delay(T, 0, "dt")
    with pytest.raises(TimingError, match=message):
        split_by_structure(circuit, np.array([[value]]), {T})
