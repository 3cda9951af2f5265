"""Compiling once, binding many: the two costs of a sweep."""

import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import ParameterVector

from qctrl import ProviderService
from qctrl.compiler import compile_circuit


@pytest.fixture(scope="module")
def backend():
    with ProviderService() as service:
        yield service.backend("chain5")


def fitted(circuit, backend):
    return generate_preset_pass_manager(1, backend=backend, seed_transpiler=1).run(circuit)


def ghz():
    circuit = QuantumCircuit(5)
    circuit.h(0)
    for qubit in range(4):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    return circuit


def layers(n_layers):
    angles = ParameterVector("a", 5 * n_layers)
    circuit = QuantumCircuit(5)
    for layer in range(n_layers):
        for qubit in range(5):
            circuit.ry(angles[5 * layer + qubit], qubit)
        for qubit in range(4):
            circuit.cz(qubit, qubit + 1)
    circuit.measure_all()
    return circuit


def test_compile_ghz(benchmark, backend):
    isa = fitted(ghz(), backend)
    program = benchmark(compile_circuit, isa, backend.calibration, backend.setup)
    assert len(program.program.captures) == 5


def test_compile_twenty_parametric_layers(benchmark, backend):
    isa = fitted(layers(20), backend)
    program = benchmark(compile_circuit, isa, backend.calibration, backend.setup)
    assert len(program.parameters) == 100


def test_bind_a_thousand_points_of_a_hundred_angles(benchmark, backend):
    program = backend.compile(fitted(layers(20), backend))
    values = np.linspace(0, 1, 100_000).reshape(1000, 100)
    patch = benchmark(program.bind, values)
    assert patch.n_bindings == 1000


def test_compile_ghz_again(benchmark, backend):
    isa = fitted(ghz(), backend)
    first = backend.compile(isa)
    assert benchmark(backend.compile, isa) is first


def test_pack(benchmark, backend):
    program = backend.compile(fitted(layers(20), backend))
    assert benchmark(program.to_bytes)[:4] == b"QCTL"
