"""Circuits that Qiskit made for the device, played on perfect qubits, are what Qiskit says that they are."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator

from qctrl.calibration import loads
from qctrl.compiler import compile_circuit
from qctrl.provider.target import build_target
from tests.reference import ideal_qubits
from tests.unit.compiler import cross

CALIBRATION, SETUP = cross.calibration(), cross.setup()
# Qiskit's translator is not at home on edges with several directed gates, of which one has the name of its own cx.
TARGET = build_target(loads(cross.TEXT[: cross.TEXT.index("      rzx:")]))
N_QUBITS = 3
TOLERANCE = 1e-6

angles = st.floats(-math.pi, math.pi)
qubits = st.integers(0, N_QUBITS - 1)
pairs = st.sampled_from([(0, 1), (1, 0), (1, 2), (2, 1), (0, 2)])
NATIVE = {
    "cz": [(0, 1), (1, 0)],
    "ecr": [(1, 0), (1, 2)],
    "cx": [(2, 1)],
    "rzz": [(0, 1), (1, 0), (2, 1)],
    "rzx": [(1, 2)],
    "rz": [(0,), (1,), (2,)],
    "sx": [(0,), (1,), (2,)],
    "x": [(0,), (1,), (2,)],
    "rx": [(0,), (1,), (2,)],
}
BOUNDS = {"rzz": (0, math.pi / 2), "rzx": (-math.pi / 2, math.pi / 2), "rx": (-math.pi, math.pi), "rz": (-9, 9)}


@st.composite
def native(draw):
    name = draw(st.sampled_from(sorted(NATIVE)))
    where = draw(st.sampled_from(NATIVE[name]))
    return name, where, draw(st.floats(*BOUNDS[name])) if name in BOUNDS else None


def isa(steps, angle=lambda value: value):
    circuit = QuantumCircuit(N_QUBITS)
    for name, where, value in steps:
        getattr(circuit, name)(*(() if value is None else (angle(value),)), *where)
    return circuit


def assert_same(circuit, compiled, words=(0,)):
    """Compare up to a global phase and the phases of the last frames, which no pulse and no measurement sees."""
    found = ideal_qubits.unitary(compiled, CALIBRATION, words)
    wanted = Operator(circuit.reverse_bits()).data
    left = wanted @ found.conj().T
    phases = np.angle(np.diag(left) / left[0, 0]).reshape((2,) * N_QUBITS)
    one = np.eye(N_QUBITS, dtype=int)
    local = 1.0
    for k in range(N_QUBITS):
        local = np.kron(local, np.array([1, np.exp(1j * phases[tuple(one[k])])]))
    assert np.abs(left - left[0, 0] * np.diag(local)).max() < TOLERANCE
    assert abs(left[0, 0]) == pytest.approx(1, abs=TOLERANCE)


@pytest.mark.parametrize(("name", "where"), [(name, where) for name in NATIVE for where in NATIVE[name]])
@given(before=st.tuples(*[angles] * 6), value=st.floats(0, 1), after=st.tuples(*[angles] * 6))
@settings(deadline=None, max_examples=5)
def test_each_gate_between_turned_frames(name, where, before, value, after):
    low, high = BOUNDS.get(name, (0, 0))
    around = [
        [step for k in range(3) for step in (("rz", (k,), a[2 * k]), ("sx", (k,), None), ("rz", (k,), a[2 * k + 1]))]
        for a in (before, after)
    ]
    gate = (name, where, low + (high - low) * value if name in BOUNDS else None)
    last = [("sx", (k,), None) for k in range(3)]
    circuit = isa([*around[0], gate, *around[1], *last])
    assert_same(circuit, compile_circuit(circuit, CALIBRATION, SETUP))


@given(steps=st.lists(native(), max_size=25))
@settings(deadline=None, max_examples=60)
def test_random_circuits_of_native_gates(steps):
    circuit = isa(steps)
    assert_same(circuit, compile_circuit(circuit, CALIBRATION, SETUP))


any_gate = st.one_of(
    st.tuples(st.just("h"), qubits.map(lambda k: (k,)), st.none()),
    st.tuples(st.sampled_from(["rx", "ry", "rz"]), qubits.map(lambda k: (k,)), st.floats(-7, 7)),
    st.tuples(st.sampled_from(["cx", "swap", "ecr", "cz", "iswap"]), pairs, st.none()),
    st.tuples(st.sampled_from(["rzz", "rzx", "cp"]), pairs, st.floats(-7, 7)),
)


@given(steps=st.lists(any_gate, max_size=10), level=st.integers(0, 3), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=40)
def test_random_circuits_that_qiskit_translated_and_routed(steps, level, seed):
    circuit = transpile(isa(steps), target=TARGET, optimization_level=level, seed_transpiler=seed)
    assert_same(circuit, compile_circuit(circuit, CALIBRATION, SETUP))


@given(steps=st.lists(native(), max_size=15), value=st.floats(0.1, 0.9), forms=st.lists(st.booleans(), min_size=15))
@settings(deadline=None, max_examples=40)
def test_bound_angles_are_those_of_the_bound_circuit(steps, value, forms):
    p, form = Parameter("p"), iter(forms)
    circuit = isa(steps, lambda angle: angle * p if next(form) else angle)
    compiled = compile_circuit(circuit, CALIBRATION, SETUP)
    values = [value] if circuit.parameters else []
    words = compiled.bind(values).words[0].tolist()
    bound = circuit.assign_parameters(values)
    assert_same(bound, compiled, words)
    numbers = compile_circuit(bound, CALIBRATION, SETUP)
    assert np.array_equal(
        ideal_qubits.unitary(compiled, CALIBRATION, words), ideal_qubits.unitary(numbers, CALIBRATION, [0])
    )
