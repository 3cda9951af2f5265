"""grid20, as a user meets it: the shipped numbers are what the physics shows, and states of many qubits come out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager
from scipy.stats import binom

from qctrl import ProviderService, SamplerV2
from qctrl.calibration import find_device, load
from qctrl.config import find_rack, load_rack
from qctrl.execution import LocalRunner
from qctrl.provider import Backend
from qctrl.routines.bench import Bench
from qctrl.routines.tune_cz import characterise_cz
from qctrl.routines.tune_qubit import characterise

FALSE_ALARM = 1e-6
SNAKE = [0, 1, 2, 3, 4, 9, 8, 7, 6, 5, 10, 11, 12, 13, 14, 19, 18, 17, 16, 15]
"""Neighbours follow each other."""


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    patch = pytest.MonkeyPatch()
    patch.setenv("QCTRL_JOBS", str(tmp_path_factory.mktemp("jobs") / "jobs.sqlite"))
    with ProviderService() as service:
        yield service.backend("grid20", seed=5)
    patch.undo()


@pytest.fixture
def bench() -> Iterator[Bench]:
    rack = load_rack(find_rack())
    runner = LocalRunner(rack, "grid20")
    yield Bench(load(find_device("grid20")).document, rack.wiring("grid20"), runner, 1, "2026-01-01T00:00:00Z")
    runner.close()


def ghz(n_qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n_qubits)
    circuit.h(0)
    for qubit in range(n_qubits - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    return circuit


def counted(backend: Backend, circuit: QuantumCircuit, shots: int) -> dict[str, int]:
    """Counts of a circuit on the first qubits of the snake."""
    layout = SNAKE[: circuit.num_qubits]
    manager = generate_preset_pass_manager(1, backend=backend, initial_layout=layout, seed_transpiler=1)
    isa = manager.run(circuit)
    assert "swap" not in isa.count_ops()
    assert isa.count_ops()["cz"] == circuit.count_ops().get("cx", 0)
    return SamplerV2(backend).run([isa], shots=shots).result()[0].data.meas.get_counts()


@pytest.mark.parametrize(
    ("qubits", "edges"), [(("q0",), ()), (("q7", "q12"), ("q7-q12",)), (("q13", "q18", "q19"), ("q18-q19",))]
)
def test_the_shipped_errors_are_what_the_physics_shows(bench: Bench, qubits, edges):
    for name in qubits:
        known = bench.document.qubits[name]
        again = bench.changed(bench.apart([name], lambda part, index=known.index: characterise(part, index)))
        found = again.document.qubits[name]
        for gate in ("sx", "x"):
            assert found.gates[gate].error.value == pytest.approx(known.gates[gate].error.value, rel=2e-3)
        assert (found.t1.value, found.t2_echo.value) == pytest.approx((known.t1.value, known.t2_echo.value), rel=2e-3)
    for name in edges:
        values = bench.apart(name.split("-"), lambda part, name=name: characterise_cz(part, name))
        found, known = (each.document.edges[name].gates["cz"] for each in (bench.changed(values), bench))
        assert found.error.value == pytest.approx(known.error.value, rel=2e-3)
        assert found.leakage.value == pytest.approx(known.leakage.value, rel=2e-3)


def test_every_gate_of_grid20_is_as_good_as_its_coherence_allows():
    calibration = load(find_device("grid20"))
    assert (len(calibration.live_qubits), len(calibration.live_edges)) == (20, 31)
    assert calibration.warnings == ()
    for edge in calibration.document.edges.values():
        assert 2e-4 < edge.gates["cz"].error.value < 3e-3
        assert edge.gates["cz"].leakage.value < 3e-4
    for qubit in calibration.document.qubits.values():
        assert 5e-5 < qubit.gates["x"].error.value < 1e-3
        assert min(qubit.readout.assignment.value[k][k] for k in (0, 1)) > 0.97


@pytest.mark.parametrize("n_qubits", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_a_ghz_state_has_the_fidelity_that_the_calibration_promises(backend: Backend, n_qubits):
    """Each string is at least as likely as if any error destroyed it, and no more likely than half."""
    shots, calibration = 1000, load(find_device("grid20"))
    qubits = [calibration.live_qubit(index) for index in SNAKE[:n_qubits]]
    counts = counted(backend, ghz(n_qubits), shots)
    duration_s = 1.1e-7 * n_qubits
    promised = 1.0
    for first, second in pairwise(SNAKE[:n_qubits]):
        promised *= 1 - calibration.gate("cz", (first, second)).error.value
    for qubit in qubits:
        promised *= (1 - qubit.gates["sx"].error.value) ** 3 * math.exp(-duration_s / qubit.t1.value / 2)
    for bit in (0, 1):
        read = math.prod(qubit.readout.assignment.value[bit][bit] for qubit in qubits)
        seen = counts.get(str(bit) * n_qubits, 0)
        low, high = binom.ppf([FALSE_ALARM, 1 - FALSE_ALARM], shots, [promised * read / 2, 0.5])
        assert low <= seen <= high
