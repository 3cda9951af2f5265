"""Each kernel is compiled for one signature, once for all processes: hidden compilation costs more than the work."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SCRIPT = """
import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, Parameter
from qctrl.compiler import _bind_kernels, _capi_kernels, _kernels, _pack_kernels, compile_circuit, make_gate
from qctrl.pulse import constant, play, set_frequency, shift_phase
from tests.unit.compiler import trio
a = Parameter("a")
steps = lambda a: [
    set_frequency("q0.drive", 5e9 + a), shift_phase("q0.drive", a), play("q0.drive", constant(24e-9, a))]
gates = {("mine", (0,)): make_gate("mine", [0], [a], steps)}
def custom(circuit):
    circuit.append(Instruction("mine", 1, 0, [a]), [0])
for build in (lambda c: None, lambda c: c.rz(Parameter("a"), 0), lambda c: c.sx(0), lambda c: c.reset([0, 1, 2]),
              custom):
    circuit = QuantumCircuit(3, 1)
    build(circuit)
    circuit.barrier()
    circuit.measure(0, 0)
    compiled = compile_circuit(circuit, trio.calibration(), trio.setup(), gates)
    compiled.bind([[0.5] * len(compiled.parameters)] * 2)
    frozen = np.full((2, len(compiled.parameters)), 0.5)
    frozen.flags.writeable = False
    compiled.bind(frozen)
    compiled.bind(np.full((2, 2 * len(compiled.parameters)), 0.5)[:, ::2])
called = [
    _capi_kernels.read_instructions, _kernels.count_actions, _kernels.schedule_blocks, _pack_kernels.pack_events,
    _bind_kernels.bind_rows,
]
print([(len(kernel.signatures), sum(kernel.stats.cache_misses.values())) for kernel in called])
"""


def run() -> list[tuple[int, int]]:
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )
    return ast.literal_eval(found.stdout)


def test_every_kernel_has_one_signature_and_a_second_process_compiles_none():
    first, second = run(), run()
    assert [signatures for signatures, _ in first] == [1] * len(first)
    assert second == [(1, 0)] * len(first)
