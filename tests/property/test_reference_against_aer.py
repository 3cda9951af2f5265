"""The reference that judges compiled control flow is itself judged by Aer."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import CASE_DEFAULT
from qiskit.circuit.classical import expr
from qiskit_aer import AerSimulator

from tests.reference import dynamic_circuit
from tests.reference.chance import distribution

SHOTS, SEED, FALSE_ALARM = 4000, 11, 1e-6


def feed_forward() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 3)
    circuit.sx(0)
    circuit.rz(0.4, 0)
    circuit.sx(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)) as else_:
        circuit.rz(1.1, 1)
        circuit.sx(1)
    with else_:
        circuit.sx(1)
        circuit.rz(0.3, 1)
    circuit.sx(1)
    circuit.measure(1, 1)
    with circuit.switch(circuit.cregs[0]) as case:
        with case(1, 2):
            circuit.x(0)
        with case(CASE_DEFAULT):
            circuit.sx(0)
    circuit.measure(0, 2)
    return circuit


def loops() -> QuantumCircuit:
    """No stores or variables: Aer knows few of them, and aborts the process at others."""
    circuit = QuantumCircuit(2, 3)
    with circuit.for_loop(range(4)):
        circuit.sx(0)
        circuit.measure(0, 0)
        with circuit.if_test((0, 1)):
            circuit.break_loop()
        circuit.sx(1)
        circuit.measure(1, 2)
    low, high = circuit.clbits[0], circuit.clbits[2]
    with circuit.while_loop(expr.logic_and(low, expr.logic_not(expr.equal(circuit.cregs[0], 5)))):
        circuit.x(0)
        circuit.measure(0, 0)
    with circuit.for_loop((1, 2, 3)) as value:
        circuit.rz(0.4 * value, 1)
        circuit.sx(1)
    circuit.cz(0, 1)
    with circuit.if_test(expr.bit_xor(low, high)):
        circuit.sx(1)
    circuit.measure(1, 1)
    return circuit


@pytest.mark.parametrize("build", [feed_forward, loops])
def test_reference_and_aer_agree(build):
    circuit = build()
    expected = distribution(lambda choose: dynamic_circuit.shot(circuit, circuit.num_qubits, choose))
    counts = AerSimulator().run(circuit, shots=SHOTS, seed_simulator=SEED).result().get_counts()
    found = {tuple(int(bit) for bit in reversed(key)): count / SHOTS for key, count in counts.items()}
    assert expected is not None
    assert np.isclose(sum(expected.values()), 1)
    # Hoeffding's bound on each of the outcomes; together they raise a false alarm once in a million seeds.
    bound = math.sqrt(math.log(2 * 2**circuit.num_clbits / FALSE_ALARM) / (2 * SHOTS))
    print(f"seed {SEED}, bound {bound:.4f}, {expected}")
    for key in expected.keys() | found.keys():
        assert abs(found.get(key, 0.0) - expected.get(key, 0.0)) < bound
