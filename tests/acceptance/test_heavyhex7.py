"""The device of fixed frequencies through the public names."""

from __future__ import annotations

import numpy as np
from qiskit import QuantumCircuit
from qiskit.transpiler import generate_preset_pass_manager

from qctrl import ProviderService, SamplerV2
from tests.acceptance.variants import frequencies, total_variation

SEED = 20261123
SHOTS = 4000


def test_a_ghz_state_of_a_hub_and_its_leaves_comes_out_by_echoed_cross_resonance(service: ProviderService) -> None:
    """Ideal but for always-on ZZ of 50 kHz and coherent errors of the gates: 4 sigma of the shots are 0.03."""
    backend = service.backend("heavyhex7", noise=False, seed=SEED)
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure_all()
    manager = generate_preset_pass_manager(1, backend=backend, initial_layout=[0, 1, 2], seed_transpiler=SEED)
    isa = manager.run(circuit)
    assert isa.count_ops()["ecr"] == 2
    result = SamplerV2(backend).run([isa], shots=SHOTS).result()
    ideal = np.zeros(8)
    ideal[[0, 7]] = 0.5
    found = frequencies(result[0].data.meas.get_counts(), 3)
    print(f"total variation {total_variation(found, ideal):.3f}")
    assert total_variation(found, ideal) < 0.08


def test_its_gates_are_directed_and_carry_measured_errors(service: ProviderService) -> None:
    target = service.backend("heavyhex7").target
    pairs = set(target.qargs_for_operation_name("ecr"))
    assert pairs == {(0, 1), (2, 1), (3, 1), (3, 5), (4, 5), (6, 5)}
    for pair in pairs:
        properties = target["ecr"][pair]
        assert 3e-3 < properties.error < 8e-3
        assert properties.duration == 4.72e-7
