"""Our primitives on the pulse-level emulator beside Qiskit's over Aer, in the same run: the ratio is what counts.

The emulator is asked for two-level states and for what it chooses by itself; Aer gets a noise model of the device.
Only ratios of one run are comparable.
"""

import time

import numpy as np
import pytest
from qiskit import generate_preset_pass_manager
from qiskit.circuit.library import efficient_su2
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

from qctrl import EstimatorV2, ProviderService, SamplerV2

QUBITS, POINTS, SHOTS, OBSERVABLES, PRECISION = 5, 100, 1024, 50, 1 / 32
LEVELS = [2, "auto"]


@pytest.fixture(scope="module")
def service():
    with ProviderService() as service:
        yield service


def ansatz(backend, seed, *, measured):
    """Return the circuit, and what draws points for it: new ones at every call, as states of known points are kept."""
    circuit = efficient_su2(QUBITS, reps=3)
    if measured:
        circuit.measure_all()
    isa = generate_preset_pass_manager(1, backend=backend, seed_transpiler=1).run(circuit)
    rng = np.random.default_rng(seed)
    return isa, lambda: rng.uniform(0, 2 * np.pi, (POINTS, isa.num_parameters))


def aer(backend, *, noisy):
    noise = NoiseModel.from_backend(backend) if noisy else None
    return AerSimulator(noise_model=noise, seed_simulator=1, max_parallel_threads=1)


def compare(benchmark, ours, theirs, what):
    """Time ``ours`` by the benchmark, ``theirs`` beside it, and print how many times faster ours is."""
    ours()
    theirs()
    started = time.perf_counter()
    theirs()
    theirs_s = time.perf_counter() - started
    benchmark.pedantic(ours, rounds=3)
    ratio = theirs_s / benchmark.stats.stats.min
    benchmark.extra_info.update(peer_s=theirs_s, times_faster=ratio)
    print(f"{what}: peer {theirs_s:.3f} s, ours {benchmark.stats.stats.min:.3f} s, {ratio:.2f} times faster")


@pytest.mark.parametrize("levels", LEVELS)
def test_many_pubs(benchmark, service, levels):
    backend = service.backend("chain5", seed=1, levels=levels)
    isa, values = ansatz(backend, 1, measured=True)
    sampler, peer = SamplerV2(backend), BackendSamplerV2(backend=aer(backend, noisy=True))
    compare(
        benchmark,
        lambda: sampler.run([(isa, row) for row in values()], shots=SHOTS).result(),
        lambda: peer.run([(isa, row) for row in values()], shots=SHOTS).result(),
        f"{POINTS} pubs of {SHOTS} shots, levels={levels}",
    )


@pytest.mark.parametrize("levels", LEVELS)
def test_one_pub_of_many_points(benchmark, service, levels):
    backend = service.backend("chain5", seed=1, levels=levels)
    isa, values = ansatz(backend, 2, measured=True)
    sampler, peer = SamplerV2(backend), BackendSamplerV2(backend=aer(backend, noisy=True))
    compare(
        benchmark,
        lambda: sampler.run([(isa, values())], shots=SHOTS).result(),
        lambda: peer.run([(isa, values())], shots=SHOTS).result(),
        f"1 pub of {POINTS} points, levels={levels}",
    )


def observables():
    """Random Paulis of weight 1 to 3."""
    rng, paulis = np.random.default_rng(2), []
    for _ in range(OBSERVABLES):
        letters = ["I"] * QUBITS
        for qubit in rng.choice(QUBITS, size=rng.integers(1, 4), replace=False):
            letters[qubit] = rng.choice(list("XYZ"))
        paulis.append(SparsePauliOp("".join(letters)))
    return paulis


@pytest.mark.parametrize("levels", LEVELS)
def test_many_observables(benchmark, service, levels):
    backend = service.backend("chain5", seed=1, levels=levels)
    isa, values = ansatz(backend, 3, measured=False)
    wanted = [[each.apply_layout(isa.layout)] for each in observables()]
    estimator, peer = EstimatorV2(backend), BackendEstimatorV2(backend=aer(backend, noisy=False))
    compare(
        benchmark,
        lambda: estimator.run([(isa, wanted, values())], precision=PRECISION).result(),
        lambda: peer.run([(isa, wanted, values())], precision=PRECISION).result(),
        f"{OBSERVABLES} observables at {POINTS} points, levels={levels}",
    )
