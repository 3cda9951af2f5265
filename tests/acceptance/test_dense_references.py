"""Counts through the whole stack against dense integrations of the same samples, and against Aer."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

from firmware_sim.config import Truth, load_truth
from qctrl import ProviderService, SamplerV2
from qctrl.protocol import EventOp
from qctrl.provider import Backend
from tests.acceptance.variants import ROOT, assert_counts_match, bit_probabilities, frequencies, total_variation
from tests.reference import dense_dynamics

SEED = 20261123
SHOTS = 20_000


def ghz(n_qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n_qubits)
    circuit.h(0)
    for qubit in range(n_qubits - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    return circuit


def isa(backend: Backend, circuit: QuantumCircuit) -> QuantumCircuit:
    layout = list(range(circuit.num_qubits))
    return generate_preset_pass_manager(1, backend=backend, initial_layout=layout).run(circuit)


def played(backend: Backend, circuit: QuantumCircuit, truth: Truth) -> dict[str, np.ndarray]:
    """What the DACs of the truth's ports put out before the first capture."""
    compiled = backend.compile(circuit)
    events = compiled.program.events
    end = int(events["start_ticks"][events["op"] == EventOp.CAPTURE].min())
    ports = [q.drive_port for q in truth.qubits.values()] + [q.flux_port for q in truth.qubits.values() if q.flux_port]
    ports += [edge.coupler.port for edge in truth.edges.values() if edge.coupler]
    return {port: compiled.samples(port)[:end] for port in ports}


def lo_hz(backend: Backend) -> float:
    return next(port.lo_hz for port in backend.setup.ports if port.kind == "iq_drive")


def first_qubits(truth: Truth, n_qubits: int) -> Truth:
    """The truth with all later qubits, and what couples to them, taken away."""
    kept = list(truth.qubits)[:n_qubits]
    edges = {name: edge for name, edge in truth.edges.items() if set(name.split("-")) <= set(kept)}
    return truth.model_copy(update={"qubits": {name: truth.qubits[name] for name in kept}, "edges": edges})


@pytest.mark.parametrize(("device", "n_qubits"), [("pair2", 2), ("chain5", 3)])
def test_noiseless_counts_follow_the_dense_state_vector(service: ProviderService, device: str, n_qubits: int) -> None:
    backend = service.backend(device, noise=False, seed=SEED)
    circuit = isa(backend, ghz(n_qubits))
    truth = first_qubits(load_truth(ROOT / "configs" / "truth" / f"{device}.yaml"), n_qubits)
    ground = np.zeros(3**n_qubits, complex)
    ground[0] = 1
    ket = dense_dynamics.evolve_ket(truth, played(backend, circuit, truth), ground, lo_hz=lo_hz(backend))
    counts = SamplerV2(backend).run([circuit], shots=SHOTS).result()[0].data.meas.get_counts()
    assert_counts_match(counts, bit_probabilities(np.abs(ket) ** 2, n_qubits))


@pytest.mark.parametrize(("device", "n_qubits"), [("pair2", 2), ("chain5", 3)])
def test_noisy_counts_follow_the_dense_density_matrix(service: ProviderService, device: str, n_qubits: int) -> None:
    backend = service.backend(device, seed=SEED)
    circuit = isa(backend, ghz(n_qubits))
    truth = first_qubits(load_truth(ROOT / "configs" / "truth" / f"{device}.yaml"), n_qubits)
    ground = np.zeros((3**n_qubits, 3**n_qubits), complex)
    ground[0, 0] = 1
    rho = dense_dynamics.evolve_density(truth, played(backend, circuit, truth), ground, lo_hz=lo_hz(backend))
    expected = bit_probabilities(np.diag(rho).real, n_qubits)
    # The assignment matrix is known to 2e-4 from 500 000 shots, far below the 3.5e-3 that these shots resolve.
    for qubit in range(n_qubits):
        readout = backend.calibration.live_qubit(qubit).readout
        assert readout is not None
        assert readout.assignment is not None
        cube = expected.reshape(2 ** (n_qubits - 1 - qubit), 2, 2**qubit)
        expected = np.einsum("ij,ajb->aib", np.array(readout.assignment.value), cube).reshape(-1)
    counts = SamplerV2(backend).run([circuit], shots=SHOTS).result()[0].data.meas.get_counts()
    assert_counts_match(counts, expected)


@pytest.mark.parametrize(("device", "n_qubits"), [("pair2", 2), ("chain5", 5)])
def test_a_million_shots_lie_within_two_percent_of_aer(service: ProviderService, device: str, n_qubits: int) -> None:
    backend = service.backend(device, seed=SEED)
    circuit = isa(backend, ghz(n_qubits))
    counts = SamplerV2(backend).run([circuit], shots=1_000_000).result()[0].data.meas.get_counts()
    simulator = AerSimulator(noise_model=quoted_noise(backend), seed_simulator=SEED)
    peer = simulator.run(circuit, shots=1_000_000).result().get_counts()
    distance = total_variation(frequencies(counts, n_qubits), frequencies(peer, n_qubits))
    print(f"{device}: total variation to Aer {distance:.4f}")
    assert distance < 0.02


def quoted_noise(backend: Backend) -> NoiseModel:
    """Noise of the calibration's own gate errors and assignment matrices."""
    model = NoiseModel(basis_gates=["rz", "sx", "x", "cz"])
    target = backend.target
    for gate, n_qubits in (("sx", 1), ("x", 1), ("cz", 2)):
        for qubits, properties in target[gate].items():
            # Average gate infidelity r of depolarising with parameter p in dimension d is p (d - 1) / d.
            parameter = properties.error * 2**n_qubits / (2**n_qubits - 1)
            model.add_quantum_error(depolarizing_error(parameter, n_qubits), gate, qubits)
    for qubit in backend.calibration.live_qubits:
        readout = backend.calibration.live_qubit(qubit).readout
        assert readout is not None
        assert readout.assignment is not None
        model.add_readout_error(ReadoutError(np.transpose(readout.assignment.value)), [qubit])
    return model
