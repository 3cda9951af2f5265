"""Gates of one qubit between Paulis are rz-sx-rz-sx-rz."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, Pauli

from qctrl.primitives.euler import ANGLES_OF, dressed_angles, euler_angles, gate_matrices

angles = st.one_of(st.floats(-7, 7), st.sampled_from([0.0, np.pi / 2, np.pi, -np.pi]))
gates = st.one_of(st.tuples(st.sampled_from(["x", "sx", "id"])), st.tuples(st.sampled_from(["rz", "rx"]), angles))
bits = st.tuples(st.integers(0, 1), st.integers(0, 1))


@given(run=st.lists(gates, max_size=6), before=bits, behind=bits)
@example(run=[], before=(0, 0), behind=(0, 0))
@example(run=[("x",)], before=(1, 0), behind=(0, 1))
@example(run=[("sx",), ("sx",)], before=(1, 1), behind=(1, 0))
@example(run=[("x",), ("rz", 1.0), ("rx", 4e-9)], before=(0, 0), behind=(0, 0))
def test_a_dressed_run_is_the_run_between_the_paulis(run, before, behind):
    wanted, matrix = QuantumCircuit(1), np.eye(2, dtype=complex)
    wanted.append(Pauli(([before[1]], [before[0]])), [0])
    for name, *values in run:
        getattr(wanted, name)(*values, 0)
        matrix = gate_matrices(name, np.array(values) if values else None) @ matrix
    wanted.append(Pauli(([behind[1]], [behind[0]])), [0])
    matrix = np.reshape(matrix, (2, 2))
    made = QuantumCircuit(1)
    found = dressed_angles(euler_angles(matrix), *(np.array(each, dtype=np.uint8) for each in (before, behind)))
    for k, angle in enumerate(found):
        made.rz(angle, 0)
        if k < 2:
            made.sx(0)
    assert distance(made, wanted) < 1e-9
    assert np.all(np.abs(found) <= np.pi + 1e-12)


def distance(made, wanted):
    """Return how far two circuits are apart but for a phase, which is taken from their overlap."""
    one, other = Operator(made).data, Operator(wanted).data
    overlap = np.trace(one.conj().T @ other)
    return np.abs(one * (overlap / abs(overlap)) - other).max()


@pytest.mark.parametrize("name", sorted(ANGLES_OF))
def test_matrices_are_those_of_qiskit(name):
    circuit, values = QuantumCircuit(1), [0.3] * ANGLES_OF[name]
    getattr(circuit, name)(*values, 0)
    found = gate_matrices(name, np.array(values) if values else None)
    assert Operator(np.reshape(found, (2, 2))) == Operator(circuit)
