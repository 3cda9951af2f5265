"""Processes and detectors reconstructed as a laboratory would, against the errors that the calibrations state."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit.library import CZGate, ECRGate, SXGate, XGate
from qiskit.quantum_info import Operator, SuperOp, process_fidelity
from scipy.optimize import minimize
from scipy.stats import binomtest

from qctrl import ProviderService, SamplerV2
from qctrl.provider import Backend

SEED = 20261123
FALSE_ALARM = 1e-6
GATES = {"sx": SXGate(), "x": XGate(), "cz": CZGate(), "ecr": ECRGate()}


def process(backend: Backend, gate: str, qubits: tuple[int, ...]) -> SuperOp:
    """Return what a gate makes of the computational states, the lower qubit as the left digit."""
    circuit = QuantumCircuit(max(qubits) + 1)
    circuit.append(GATES[gate], qubits)
    ordered, n = sorted(qubits), len(qubits)
    kept = [sum(3 ** (n - 1 - k) * bit for k, bit in enumerate(bits)) for bits in product((0, 1), repeat=n)]
    inputs = np.zeros((4**n, 3**n, 3**n), dtype=np.complex128)
    # Column-stacking vectors: |i><j| is number i + d j.
    for number, (j, i) in enumerate(product(kept, repeat=2)):
        inputs[number, i, j] = 1
    frames = [backend.calibration.live_qubit(q).frequency.value for q in ordered]
    body = {"op": "channel", "qubits": ordered, "frames_hz": frames}
    answer, (data,) = backend.runner.debug(
        backend.setup, body, [backend.compile(circuit).to_bytes(), b"", inputs.tobytes()]
    )
    found = np.frombuffer(data, dtype=answer["dtype"]).reshape(answer["shape"])
    matrix = found[:, kept][:, :, kept].transpose(0, 2, 1).reshape(4**n, 4**n).T
    return SuperOp(matrix)


def infidelity(channel: SuperOp, gate: str, qubits: tuple[int, ...]) -> float:
    """Return one minus the average fidelity to a gate between rotations about Z, which no pulse alone decides.

    What leaks is lost: F = (d F_pro + 1 - L) / (d + 1).
    """
    n = channel.num_qubits or 0
    d = 2**n
    # Qiskit counts the gate's first qubit as the right digit.
    gate_first = Operator(GATES[gate])
    ideal = (gate_first if qubits[0] > qubits[-1] else gate_first.reverse_qargs()).data
    digits = np.array(list(product((0, 1), repeat=n)))

    def turned(angles: NDArray[np.float64]) -> NDArray[np.complex128]:
        before, after = (np.exp(1j * digits @ part) for part in np.split(angles, 2))
        return after[:, None] * ideal * before[None, :]

    def missed(angles: NDArray[np.float64]) -> float:
        unitary = turned(angles)
        return 1 - float(np.vdot(np.kron(unitary.conj(), unitary), channel.data).real) / d**2

    rng = np.random.default_rng(SEED)
    found = [minimize(missed, rng.uniform(0, 2 * np.pi, 2 * n), tol=1e-12) for _ in range(8 * n)]
    best = min(found, key=lambda result: result.fun)
    fidelity = process_fidelity(channel, Operator(turned(best.x)), require_cp=False, require_tp=False)
    # Trace of what becomes of |i><i|, whose numbers are those of the diagonal.
    diagonal = np.arange(d) * (d + 1)
    kept = float(channel.data[np.ix_(diagonal, diagonal)].sum().real) / d
    return 1 - (d * fidelity + kept) / (d + 1)


@pytest.mark.parametrize(
    ("device", "gate", "qubits"),
    [
        ("pair2", "sx", (0,)),
        ("pair2", "x", (1,)),
        ("pair2", "cz", (0, 1)),
        ("chain5", "x", (3,)),
        ("chain5", "cz", (1, 2)),
        ("heavyhex7", "sx", (5,)),
        ("heavyhex7", "ecr", (0, 1)),
        ("heavyhex7", "ecr", (6, 5)),
        ("grid20", "x", (13,)),
        ("grid20", "cz", (7, 12)),
    ],
)
def test_the_process_of_a_gate_has_the_error_that_the_calibration_states(
    service: ProviderService, device: str, gate: str, qubits: tuple[int, ...]
) -> None:
    backend = service.backend(device)
    stated = backend.target[gate][qubits].error
    found = infidelity(process(backend, gate, qubits), gate, qubits)
    print(f"{device} {gate} {qubits}: error {found:.6g}, stated {stated:.6g}")
    assert found == pytest.approx(stated, rel=0.02)


@pytest.mark.parametrize(
    ("device", "qubits"),
    [("pair2", (0, 1)), ("chain5", (0, 1, 2, 3, 4)), ("heavyhex7", (0, 3, 5)), ("grid20", (0, 7, 19))],
)
def test_detectors_are_what_the_calibration_states(
    service: ProviderService, device: str, qubits: tuple[int, ...]
) -> None:
    """Each qubit by itself, in 0 and in 1; exact binomial tests of 20 000 shots, the stated 500 000 taken for exact."""
    backend, shots = service.backend(device, seed=SEED), 20_000
    circuits: list[QuantumCircuit] = []
    for qubit, state in product(qubits, (0, 1)):
        circuit = QuantumCircuit(qubit + 1, 1)
        if state:
            circuit.x(qubit)
        circuit.measure(qubit, 0)
        circuits.append(circuit)
    results = SamplerV2(backend).run(circuits, shots=shots).result()
    for (qubit, state), result in zip(product(qubits, (0, 1)), results, strict=True):
        readout = backend.calibration.live_qubit(qubit).readout
        assert readout is not None
        assert readout.assignment is not None
        wrong = readout.assignment.value[1 - state][state]
        seen = int(np.count_nonzero(result.data.c.array != state))
        p_value = binomtest(seen, shots, wrong).pvalue
        print(f"{device} q{qubit} in {state}: {seen / shots:.5f} wrong, stated {wrong:.5f}, p {p_value:.2g}")
        assert p_value > FALSE_ALARM / len(circuits)
