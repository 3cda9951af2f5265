"""A coherent error of the emulated CZ adds up from gate to gate, and as a Pauli error does not."""

import math
import re
from pathlib import Path

import pytest
from qiskit import QuantumCircuit

from qctrl import ProviderService, SamplerV2

ROOT = Path(__file__).parents[2]
SHOTS, SEED = 4000, 5
N_GATES, OFF_RAD = 8, 0.15


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    """A device whose calibration turns qubit 0 too far by ``OFF_RAD`` behind every CZ."""
    text = (ROOT / "calibrations" / "pair2" / "working.yaml").read_text()
    at = re.search(r"virtual_z:\s+q0: \{value: (-?[0-9.]+)", text)
    text = text[: at.start(1)] + repr(float(at[1]) + OFF_RAD) + text[at.end(1) :]
    path = tmp_path_factory.mktemp("calibration") / "working.yaml"
    path.write_text(text)
    with ProviderService() as service:
        yield service.backend("pair2", calibration=path, noise=False, seed=SEED)


def test_twirling_keeps_coherent_errors_from_adding_up(backend):
    """Eight turns of 0.15 rad flip with sin(0.6)^2 = 0.32, eight random ones with 8 sin(0.075)^2 = 0.045.

    By Hoeffding's inequality a share of 4000 shots is off by more than 0.045 with a probability of 2e-7; the share of
    60 draws varies by 0.008 more, and the limit is 13 of these standard deviations away.
    """
    circuit = QuantumCircuit(2, 1)
    for k in range(2 + N_GATES):
        if k in (0, N_GATES + 1):
            circuit.rz(math.pi / 2, 0)
            circuit.sx(0)
            circuit.rz(math.pi / 2, 0)
        else:
            circuit.cz(0, 1)
    circuit.measure(0, 0)
    shares = []
    for twirling in ({}, {"enable_gates": True, "num_randomizations": 60}):
        counts = SamplerV2(backend, {"twirling": twirling}).run([circuit], shots=SHOTS).result()[0].data.c.get_counts()
        shares.append(counts.get("1", 0) / SHOTS)
    assert shares[0] > 0.25
    assert shares[1] < 0.15
