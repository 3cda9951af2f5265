"""Fidelity of channels against known cases."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import Operator, average_gate_fidelity, random_unitary

from qctrl.routines import fidelity


def unitary_channel(unitary: np.ndarray, keep: float = 1.0) -> np.ndarray:
    d = len(unitary)
    n = d.bit_length() - 1
    kept = fidelity.computational(n)
    out = np.zeros((d, d, 3**n, 3**n), complex)
    for i in range(d):
        for j in range(d):
            block = keep * np.outer(unitary[:, i], unitary[:, j].conj())
            out[i, j][np.ix_(kept, kept)] = block
    return out


@pytest.mark.parametrize("n", [1, 2])
def test_fidelity_of_unitaries_agrees_with_qiskit(n: int) -> None:
    made, ideal = random_unitary(2**n, seed=1).data, random_unitary(2**n, seed=2).data
    ours = fidelity.average_fidelity(unitary_channel(made), ideal)
    assert ours == pytest.approx(average_gate_fidelity(Operator(made), Operator(ideal)), abs=1e-12)


def test_lost_population_is_leakage_and_lowers_the_fidelity() -> None:
    channel = unitary_channel(fidelity.X, keep=0.9)
    assert fidelity.leakage(channel) == pytest.approx(0.1)
    assert fidelity.average_fidelity(channel, fidelity.X) == pytest.approx(0.9)


def test_phases_of_a_cz_with_local_rotations() -> None:
    gate = np.diag(np.exp(1j * np.array([0.0, 0.4, -0.3, 0.1 + 2.9])))
    first, second, both = fidelity.cz_phases(unitary_channel(gate))
    assert (first, second) == pytest.approx((-0.3, 0.4))
    assert both == pytest.approx(2.9)
