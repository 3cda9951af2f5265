"""Dynamic circuits through the whole stack, on a device without noise."""

import math

import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import CASE_DEFAULT
from qiskit.circuit.classical import expr, types

from qctrl import ProviderService, SamplerV2
from tests.reference import dynamic_circuit
from tests.reference.chance import distribution

SHOTS, SEED, FALSE_ALARM = 3000, 5, 1e-6
COHERENT_ERROR = 0.02
"""What imperfect pulses may add to a probability; a wrong branch or phase adds far more."""


@pytest.fixture(scope="module")
def backend():
    with ProviderService() as service:
        yield service.backend("pair2", noise=False, seed=SEED)


def counted() -> QuantumCircuit:
    """Flip, count and decide; every outcome is certain."""
    circuit = QuantumCircuit(2, 4)
    rounds = circuit.add_var("rounds", expr.lift(0, types.Uint(8)))
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)) as else_:
        circuit.x(1)
    with else_:
        circuit.x(0)
    with circuit.while_loop(expr.less(rounds, 5)):
        circuit.store(rounds, expr.add(rounds, 1))
        circuit.x(1)
        circuit.measure(1, 1)
        with circuit.if_test(expr.equal(rounds, 4)):
            circuit.break_loop()
    with circuit.for_loop(range(20)):
        circuit.x(0)
        circuit.measure(0, 2)
    circuit.store(circuit.clbits[3], expr.index(rounds, 2))
    with circuit.switch(circuit.cregs[0]) as case:
        with case(0, 15):
            circuit.x(0)
        with case(CASE_DEFAULT):
            circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def virtual_z() -> QuantumCircuit:
    """Phases that differ from branch to branch and add up from round to round, seen by a final sx."""
    circuit = QuantumCircuit(2, 3)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.h(1)
    with circuit.if_test((0, 1)) as else_:
        circuit.rz(0.9, 1)
        circuit.cz(0, 1)
    with else_:
        circuit.rz(-0.4, 1)
    with circuit.for_loop(range(18)):
        circuit.rz(0.1, 1)
        circuit.barrier()
    circuit.h(1)
    circuit.measure(1, 1)
    with circuit.if_test(expr.bit_xor(circuit.clbits[0], circuit.clbits[1])):
        circuit.h(0)
    circuit.reset(1)
    circuit.x(1)
    circuit.measure(0, 2)
    circuit.measure(1, 1)
    return circuit


@pytest.mark.parametrize("build", [counted, virtual_z])
def test_counts_are_those_of_perfect_qubits(backend, build):
    circuit = transpile(build(), backend, optimization_level=0, initial_layout=[0, 1])
    expected = distribution(lambda choose: dynamic_circuit.shot(circuit, 2, choose))
    counts = SamplerV2(backend).run([circuit], shots=SHOTS).result()[0].data.c.get_counts()
    found = {tuple(int(bit) for bit in reversed(key)): count / SHOTS for key, count in counts.items()}
    # Hoeffding's bound on each outcome; together they raise a false alarm once in a million seeds.
    bound = COHERENT_ERROR + math.sqrt(math.log(2 * 2**circuit.num_clbits / FALSE_ALARM) / (2 * SHOTS))
    print(f"seed {SEED}, bound {bound:.4f}, expected {expected}, found {found}")
    for key in expected.keys() | found.keys():
        assert abs(found.get(key, 0.0) - expected.get(key, 0.0)) < bound
