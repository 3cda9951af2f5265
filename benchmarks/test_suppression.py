"""What decoupling adds to compiling, and what a random twirl adds to binding; ``pytest benchmarks -k suppression``."""

import numpy as np
import pytest
from qiskit import transpile
from qiskit.circuit.library import efficient_su2

from benchmarks.devices import brick, line
from qctrl.compiler import CompileOptions, Decoupling, compile_circuit
from qctrl.primitives.twirling import twirled
from qctrl.provider.target import build_target

N_DRAWS = 32


@pytest.mark.parametrize("sequence", [None, "XX", "XY4"])
def test_compile_with_and_without_decoupling(benchmark, sequence):
    device, circuit = line(20), brick(20, 200)
    options = CompileOptions(decoupling=None if sequence is None else Decoupling(sequence))
    compile_circuit(circuit, *device, options=options)
    benchmark(compile_circuit, circuit, *device, options=options)


def test_bind_32_twirls_of_an_efficient_su2(benchmark):
    """Per round: 32 draws of Paulis, their angles and their words; the program is compiled before."""
    calibration, setup = line(5)
    circuit = transpile(efficient_su2(5, reps=3), target=build_target(calibration), optimization_level=1)
    circuit.measure_all()
    made = twirled(circuit, gates=True, measurements=True)
    compiled = compile_circuit(made.circuit, calibration, setup)
    values = np.zeros((1, circuit.num_parameters))
    rng = np.random.default_rng(1)

    def bind():
        return compiled.bind(made.draw(values, N_DRAWS, rng).values)

    bind()
    benchmark(bind)
