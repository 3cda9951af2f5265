"""A circuit on ordinary instruments: uploaded through VISA, played on the bench, fetched, demodulated, counted."""

import uuid

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from scipy.stats import fisher_exact

from qctrl.access import ProviderService
from qctrl.errors import (
    UnsupportedInstructionError,
)
from qctrl.execution import JobSpec, Work
from qctrl.primitives import SamplerV2
from qctrl.signal import Player
from tests.integration.rack_bench import RackBench, assert_dac_plays
from tests.integration.rack_stand import Stand

pytest.importorskip("pyvisa_py")

SHOTS = 3000
FALSE_ALARM = 1e-6


@pytest.fixture(scope="module")
def bench(home):
    found = RackBench(home)
    yield found
    found.close()


@pytest.fixture(scope="module")
def service(bench):
    with ProviderService(config=bench.path) as found:
        yield found


@pytest.fixture(scope="module")
def native(home):
    with ProviderService() as found:
        yield found.backend("pair2", seed=3)


def bell():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def spec_of(backend, program, shots=40, **options):
    work = Work(program, None, shots, **options)
    return JobSpec(uuid.uuid4().hex, backend.setup.device, backend.setup, (work,))


def counts(backend, circuit, shots=SHOTS):
    return SamplerV2(backend).run([circuit], shots=shots).result()[0].data.meas.get_counts()


def assert_same_distribution(first, second):
    """Fisher's exact test of every outcome against all others; false alarm at most 1e-6 in all."""
    n_first, n_second = sum(first.values()), sum(second.values())
    outcomes = set(first) | set(second)
    for outcome in outcomes:
        a, b = first.get(outcome, 0), second.get(outcome, 0)
        p = fisher_exact([[a, n_first - a], [b, n_second - b]]).pvalue
        assert p > FALSE_ALARM / len(outcomes), (outcome, first, second)


def test_bell_pair_agrees_with_the_native_path(service, native, bench):
    backend = service.backend("pair2")
    circuit = transpile(bell(), backend, seed_transpiler=1)
    found = counts(backend, circuit)
    assert sum(found.values()) == SHOTS
    assert_same_distribution(found, counts(native, circuit))
    # And it can fail: a rack that played nothing would give 00 only.
    with pytest.raises(AssertionError):
        assert_same_distribution(found, {"00": SHOTS})


def test_ghz_state_on_five_qubits_agrees_with_the_native_path(home, tmp_path):
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure_all()
    bench = RackBench(tmp_path, "chain5")
    try:
        with ProviderService(config=bench.path) as boxes, ProviderService() as firmware:
            played, expected = boxes.backend("chain5"), firmware.backend("chain5", seed=4)
            circuit = transpile(circuit, played, initial_layout=[1, 2, 3], seed_transpiler=1)
            found = counts(played, circuit)
            assert_same_distribution(found, counts(expected, circuit))
            assert min(found["000"], found["111"]) > SHOTS / 3
            program = played.compile(circuit).program
            again = played.runner.submit(spec_of(played, program)).result(60).works[0].statistics["chunks"][0]
            assert (again["uploaded_bytes"], again["uploaded_segments"]) == (0, 0)
            assert_dac_plays(bench, program, played.setup)
    finally:
        bench.close()


def test_what_reaches_the_dac_is_what_the_program_says(service, bench):
    backend = service.backend("pair2")
    circuit = transpile(bell(), backend, seed_transpiler=1)
    program = backend.compile(circuit).program
    backend.runner.submit(spec_of(backend, program)).result(60)
    assert_dac_plays(bench, program, backend.setup)
    player = Player(program, backend.setup)
    assert all(np.abs(player.render(port.name)).max() > 0 for port in backend.setup.ports if port.kind == "iq_drive")


def test_second_run_of_a_program_uploads_nothing(service):
    backend = service.backend("pair2")
    circuit = transpile(bell(), backend, seed_transpiler=1)
    statistics = []
    for _ in range(2):
        result = backend.runner.submit(spec_of(backend, backend.compile(circuit).program)).result(60)
        statistics.append(result.works[0].statistics["chunks"][0])
    assert statistics[1]["uploaded_bytes"] == statistics[1]["uploaded_segments"] == 0
    assert statistics[1]["segments_held"] > 0


@pytest.fixture(scope="module")
def stand(home, service, tmp_path_factory):
    backend = service.backend("pair2")
    program = backend.compile(transpile(bell(), backend, seed_transpiler=1)).program
    found = Stand(tmp_path_factory.mktemp("stand"), backend.setup, program)
    yield found
    found.close()


def test_what_a_rack_without_firmware_cannot_do_is_no_operation_of_its_target(service):
    backend = service.backend("pair2")
    assert {"if_else", "while_loop", "reset"}.isdisjoint(backend.target.operation_names)
    circuit = QuantumCircuit(2, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(1)
    circuit.measure(1, 0)
    with pytest.raises(UnsupportedInstructionError, match="if_else"):
        SamplerV2(backend).run([circuit])


def test_program_that_decides_is_refused_before_anything_is_uploaded(stand, native):
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    held = len(stand.bench.instruments["awg1"].waveforms)
    program = native.compile(circuit).program
    stand.driver.configure(native.setup)
    with pytest.raises(UnsupportedInstructionError, match="decides on bits or computes with them while it runs"):
        stand.driver.load(program, None)
    assert len(stand.bench.instruments["awg1"].waveforms) == held


@pytest.mark.parametrize("mode", ["bits+iq", "iq_mean", "trace", "trace_mean"])
def test_captures_come_in_every_mode(stand, mode):
    (block,) = stand.play(capture_mode=mode)
    assert block.bits.shape == (1, 20, 1)
    shape = {"bits+iq": (1, 20, 2), "iq_mean": (1, 2)}.get(mode)
    if shape:
        assert block.iq.shape == shape
    else:
        assert block.traces.shape == ((1, 20, 2, 1000) if mode == "trace" else (1, 2, 1000))
