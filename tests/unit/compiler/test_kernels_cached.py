"""Each kernel is compiled for one signature: a read-only or strided array would cost another compilation."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SCRIPT = """
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qctrl.compiler import _kernels, compile_circuit
from tests.unit.compiler import trio
for build in (lambda c: None, lambda c: c.rz(Parameter("a"), 0), lambda c: c.sx(0), lambda c: c.reset([0, 1, 2])):
    circuit = QuantumCircuit(3, 1)
    build(circuit)
    circuit.barrier()
    circuit.measure(0, 0)
    compiled = compile_circuit(circuit, trio.calibration(), trio.setup())
    compiled.bind([[0.5] * len(compiled.parameters)] * 2)
print([len(kernel.signatures) for kernel in (_kernels.place_alap, _kernels.fold_phases, _kernels.sum_rows)])
"""


def test_every_kernel_has_one_signature():
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )
    assert found.stdout.strip() == "[1, 1, 1]"
