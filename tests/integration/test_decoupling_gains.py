"""Idle qubits of a noisy chip keep what they hold when they are decoupled, in straight lines and in branches.

The false alarm probability of each test is below 1e-6: by Hoeffding's inequality a share of 4000 shots is off by more
than 0.045 with a probability of 2e-7, and what is asserted is twice as far from what physics gives.
"""

import math
from pathlib import Path

import pytest
from qiskit import QuantumCircuit

from qctrl import ProviderService, SamplerV2

SHOTS, SEED = 4000, 11
WAIT_NS = 6000
TRUTH = Path(__file__).parents[2] / "configs" / "truth" / "pair2.yaml"


def edited(folder, *changes):
    text = TRUTH.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "truth.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def detuned(tmp_path_factory):
    """60 kHz turn a qubit by more than two radians in 6 us, so that nothing is left of a phase."""
    noise = "t2_echo: 6.3e-5\n    frequency_noise: {quasi_static: 6.0e+4}"
    truth = edited(tmp_path_factory.mktemp("detuned"), ("t2_echo: 6.3e-5", noise))
    with ProviderService() as service:
        yield service.backend("pair2", truth=truth, seed=SEED)


def share(backend, circuit, sequence):
    """Return how often the first bit is 1."""
    sampler = SamplerV2(backend)
    if sequence is not None:
        sampler.options.dynamical_decoupling = {"enable": True, "sequence_type": sequence}
    counts = sampler.run([circuit], shots=SHOTS).result()[0].data.c.get_counts()
    return sum(count for bits, count in counts.items() if bits[-1] == "1") / SHOTS


def ramsey(wait):
    """Return a circuit that flips qubit 0 if its phase survives the wait."""
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)
    circuit.barrier()
    wait(circuit)
    circuit.barrier()
    circuit.sx(0)
    circuit.measure(0, 0)
    return circuit


def alone(circuit):
    circuit.delay(WAIT_NS, 0, "ns")


def beside_a_decision(circuit):
    circuit.sx(1)
    circuit.measure(1, 1)
    with circuit.if_test((1, 0)) as otherwise:
        circuit.delay(WAIT_NS, 1, "ns")
    with otherwise:
        circuit.x(1)
        circuit.delay(WAIT_NS, 1, "ns")


@pytest.mark.parametrize(("wait", "sequences"), [(alone, ["XX", "XpXm", "XY4"]), (beside_a_decision, ["XY4"])])
def test_a_detuning_that_changes_from_shot_to_shot_is_echoed(detuned, wait, sequences):
    assert share(detuned, ramsey(wait), None) < 0.65
    for sequence in sequences:
        assert share(detuned, ramsey(wait), sequence) > 0.8


def test_the_coupling_of_two_idle_neighbours_is_echoed(tmp_path):
    """Pulses at the same time on both would leave ZZ as it is."""
    changes = (("g_idle: 6.0e4", "g_idle: 2.0e6"), ("device: pair2", "device: pair2\nfrequencies: dressed"))

    def together(circuit):
        circuit.rz(math.pi / 2, 1)
        circuit.sx(1)
        circuit.barrier()
        circuit.delay(WAIT_NS, [0, 1], "ns")

    with ProviderService() as service:
        backend = service.backend("pair2", truth=edited(tmp_path, *changes), seed=SEED)
        assert share(backend, ramsey(together), None) < 0.65
        assert share(backend, ramsey(together), "XX") > 0.8
        assert share(backend, ramsey(together), "XY4") > 0.8
