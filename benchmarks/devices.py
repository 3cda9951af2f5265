"""Calibrations of any size, and circuits on them."""

from __future__ import annotations

from functools import cache

import numpy as np
from qiskit import QuantumCircuit

from qctrl.calibration import Calibration, Document
from qctrl.protocol import Port, Setup

LO_HZ = {"drive": 5.0e9, "flux": 0.0, "readout": 7.1e9, "acquire": 7.1e9}
KINDS = {"drive": "iq_drive", "flux": "flux", "readout": "iq_readout", "acquire": "acquire"}
PER_FEEDLINE = 8


def _qubit(index: int) -> dict[str, object]:
    """Return a qubit with a pulse of its own."""
    feedline, sigma = index // PER_FEEDLINE, 5.0e-9 + 1e-12 * (index % 997)
    drag = {"shape": "drag", "duration": 2.4e-8, "sigma": sigma, "beta": 4.1e-10}
    return {
        "index": index,
        "frequency": 4.9e9 + 1e5 * (index % 1000),
        "t1": 4.5e-5,
        "t2_echo": 3.8e-5,
        "ports": {
            "drive": f"q{index}.drive",
            "flux": f"q{index}.flux",
            "readout": f"f{feedline}.readout",
            "acquire": f"f{feedline}.acquire",
        },
        "gates": {
            "rz": {"kind": "virtual_z"},
            "sx": {"kind": "pulse", "waveform": {**drag, "amp": 0.11}},
            "x": {"kind": "pulse", "waveform": {**drag, "amp": 0.22}},
        },
        "readout": {
            "frequency": 7.0e9 + 2e7 * (index % PER_FEEDLINE),
            "waveform": {"shape": "square", "duration": 4.0e-7, "amp": 0.06, "rise": 2.0e-8},
            "acquisition": {"delay": 1.6e-7, "duration": 4.0e-7},
            "discriminator": {"kind": "linear", "angle": 1.2, "threshold": 0.02},
        },
    }


def _edge(first: int, second: int) -> dict[str, object]:
    waveform = {"shape": "flat_top_cosine", "duration": 4.0e-8, "rise": 8.0e-9, "amp": 0.28}
    virtual_z = {f"q{first}": 1.3, f"q{second}": -0.4}
    gate = {"kind": "flux_cz", "actuate": f"q{first}.flux", "waveform": waveform, "virtual_z": virtual_z}
    return {"gates": {"cz": gate}}


@cache
def line(n_qubits: int) -> tuple[Calibration, Setup]:
    """Return a chain of qubits with flux CZ between neighbours, and its rack; one tick is 1 ns."""
    document = {
        "schema": "qctrl.calibration/1",
        "device": {"name": f"line{n_qubits}"},
        "id": "bench",
        "timing": {"dt": 1.0e-9, "granularity": 4, "min_length": 4, "pulse_alignment": 4, "acquire_alignment": 8},
        "qubits": {f"q{index}": _qubit(index) for index in range(n_qubits)},
        "edges": {f"q{index}-q{index + 1}": _edge(index, index + 1) for index in range(n_qubits - 1)},
    }
    calibration = Calibration.from_document(Document.model_validate(document))
    names = [f"q{index}.{kind}" for index in range(n_qubits) for kind in ("drive", "flux")]
    n_feedlines = -(-n_qubits // PER_FEEDLINE)
    names += [f"f{feedline}.{kind}" for feedline in range(n_feedlines) for kind in ("readout", "acquire")]
    ports = tuple(_port(name) for name in names)
    setup = Setup(f"line{n_qubits}", 1, 10**9, 10, 100, calibration.hash.hex(), ports)
    setup.verify()
    return calibration, setup


def _port(name: str) -> Port:
    kind = name.partition(".")[2]
    return Port(name, KINDS[kind], 1, 4, 1.0, 1.0, 16, LO_HZ[kind])  # pyright: ignore[reportArgumentType]


def brick(n_qubits: int, n_layers: int, seed: int = 2, angles: object = None) -> QuantumCircuit:
    """Return layers of rz and sx on every qubit and cz in brick order, then measurements.

    Args:
        n_qubits: Qubits of a line.
        n_layers: Layers.
        seed: Of the random angles.
        angles: Parameters; those of layer k stand on qubit k modulo ``n_qubits``.
    """
    rng, circuit = np.random.default_rng(seed), QuantumCircuit(n_qubits, n_qubits)
    for layer in range(n_layers):
        for qubit in range(n_qubits):
            is_open = angles is not None and qubit == layer % n_qubits
            circuit.rz(angles[layer] if is_open else rng.uniform(-3, 3), qubit)  # type: ignore[index]
            circuit.sx(qubit)
        for qubit in range(layer % 2, n_qubits - 1, 2):
            circuit.cz(qubit, qubit + 1)
    circuit.barrier()
    circuit.measure(range(n_qubits), range(n_qubits))
    return circuit


def virtual_z_chain(n_gates: int = 1000) -> QuantumCircuit:
    """Return sx gates on one qubit, each behind a random multiple of a quarter turn, then a measurement."""
    rng, circuit = np.random.default_rng(1), QuantumCircuit(2, 1)
    for quarter in rng.integers(4, size=n_gates).tolist():
        if quarter:
            circuit.rz(quarter * np.pi / 2, 0)
        circuit.sx(0)
    circuit.measure(0, 0)
    return circuit


def pulse_gates(circuit: QuantumCircuit) -> int:
    """Return how many gates of a circuit play something."""
    return sum(count for name, count in circuit.count_ops().items() if name in {"sx", "x", "cz", "measure"})
