"""What the stack adds above the emulator: pubs, jobs, results, and the first Bell pair of a process."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit.library import efficient_su2

from qctrl import ProviderService, SamplerV2
from qctrl.readout import to_data_bin, to_kerneled_bin

SHOTS, QUBITS, PUBS, PUB_SHOTS = 1_000_000, 20, 100, 1024
BELL = """
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qctrl import ProviderService, SamplerV2
with ProviderService() as service:
    backend = service.backend("pair2", seed=1)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    isa = generate_preset_pass_manager(1, backend=backend).run(circuit)
    SamplerV2(backend).run([isa], shots=1000).result()
"""


@pytest.fixture(scope="module")
def backend():
    with ProviderService() as service:
        yield service.backend("chain5", seed=1)


@pytest.mark.parametrize("order", ["in order", "shuffled"])
def test_registers_of_many_shots(benchmark, order):
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 256, (1, SHOTS, 3), dtype=np.uint8)
    clbits = tuple(range(QUBITS)) if order == "in order" else tuple(rng.permutation(QUBITS).tolist())
    benchmark.pedantic(lambda: to_data_bin(bits, [("meas", clbits)], ()), rounds=20, warmup_rounds=1)


@pytest.mark.parametrize("order", ["in order", "shuffled"])
def test_points_of_many_shots(benchmark, order):
    rng = np.random.default_rng(1)
    iq = np.ones((1, SHOTS, QUBITS), dtype=np.complex64)
    places = range(QUBITS) if order == "in order" else rng.permutation(QUBITS).tolist()
    columns = dict(enumerate(places))
    registers = [("meas", tuple(range(QUBITS)))]
    benchmark.pedantic(lambda: to_kerneled_bin(iq, registers, (), columns), rounds=10, warmup_rounds=1)


def test_first_shot_of_a_job(benchmark, backend):
    """From ``run`` to the result of one shot of one qubit, over the wire, stored."""
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    sampler = SamplerV2(backend)
    benchmark.pedantic(lambda: sampler.run([circuit], shots=1).result(), rounds=40, warmup_rounds=2)


def ansatz(backend):
    circuit = efficient_su2(5, reps=3)
    circuit.measure_all()
    isa = generate_preset_pass_manager(1, backend=backend, seed_transpiler=1).run(circuit)
    return isa, np.random.default_rng(1).uniform(0, 6, (PUBS, isa.num_parameters))


def jobs_of(kind, sampler, isa, values):
    """Return what submits the jobs of a kind and gives them back, ended."""
    runs = {
        "pubs of one circuit": [[(isa, row) for row in values]],
        "pubs of circuits of their own": [[isa.assign_parameters(row) for row in values]],
        "points of one pub": [[(isa, values)]],
        "jobs of one pub": [[(isa, row)] for row in values],
    }[kind]

    def submit():
        jobs = [sampler.run(pubs, shots=PUB_SHOTS) for pubs in runs]
        for job in jobs:
            job.result()
        return jobs

    return submit


def emulator_s(jobs):
    """Return the time that the emulator says it played; pubs that are played together share a run."""
    works = [work for job in jobs for work in job.metrics()["qctrl"]["statistics"]]
    return sum({chunk["elapsed_s"] for work in works for chunk in work["chunks"]})


@pytest.mark.parametrize(
    "kind", ["pubs of one circuit", "pubs of circuits of their own", "points of one pub", "jobs of one pub"]
)
def test_overhead_of_a_pub(benchmark, backend, kind):
    """Time of 100 pubs of 5 qubits above what the emulator plays, and processor time of this process."""
    submit = jobs_of(kind, SamplerV2(backend), *ansatz(backend))
    above, spent = [], []

    def measured():
        started, before = time.perf_counter(), time.process_time()
        jobs = submit()
        wall_s = time.perf_counter() - started
        spent.append((time.process_time() - before) / PUBS)
        above.append((wall_s - emulator_s(jobs)) / PUBS)

    benchmark.pedantic(measured, rounds=4, warmup_rounds=1)
    benchmark.extra_info.update(overhead_ms_per_pub=1e3 * min(above), own_ms_per_pub=1e3 * min(spent))
    print(f"{kind}: {1e3 * min(above):.3f} ms per pub above the emulator, {1e3 * min(spent):.3f} ms of this process")


def test_first_bell_pair_of_a_process(benchmark, tmp_path):
    """Interpreter, imports, emulator, transpiler, compiler, wire and store; kernels are in their cache."""
    words = [sys.executable, "-c", BELL]
    environment = {**os.environ, "QCTRL_JOBS": str(tmp_path / "jobs.sqlite")}
    benchmark.pedantic(lambda: subprocess.run(words, check=True, env=environment), rounds=3, warmup_rounds=1)
