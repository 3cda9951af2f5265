"""A circuit on ordinary instruments: uploaded through VISA, played on the bench, fetched, demodulated, counted."""

import dataclasses
import uuid

import msgspec
import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from scipy.stats import fisher_exact

from firmware_sim.scpi.control import inject
from qctrl.access import ProviderService
from qctrl.config import load_rack
from qctrl.errors import (
    ConfigError,
    InstrumentError,
    InstrumentFault,
    InstrumentTimeoutError,
    ResourceError,
    UnsupportedInstructionError,
)
from qctrl.execution import JobSpec, Work
from qctrl.instruments import open_boxes
from qctrl.primitives import SamplerV2
from qctrl.protocol import Run, SimOptions
from qctrl.signal import Player
from tests.integration.rack_bench import RackBench

pytest.importorskip("pyvisa_py")

SHOTS = 3000
FALSE_ALARM = 1e-6


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Keep leases and jobs of these tests apart."""
    folder = tmp_path_factory.mktemp("boxes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QCTRL_LEASES", str(folder / "leases"))
        patch.setenv("QCTRL_JOBS", str(folder / "jobs.sqlite"))
        yield folder


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
    return JobSpec(uuid.uuid4().hex, "pair2", backend.setup, (work,))


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
    finally:
        bench.close()


def test_what_reaches_the_dac_is_what_the_program_says(service, bench):
    backend = service.backend("pair2")
    circuit = transpile(bell(), backend, seed_transpiler=1)
    program = backend.compile(circuit).program
    backend.runner.submit(spec_of(backend, program)).result(60)
    player = Player(program, backend.setup)
    for port in backend.setup.ports:
        if port.kind == "acquire":
            continue
        expected = player.render(port.name)
        played = bench.emulated.bench.lines[port.name]
        lsb = 2.0 ** (1 - port.dac_bits)
        for part in (np.real, np.imag):
            assert np.abs(part(played[: len(expected)]) - part(expected)).max() <= lsb, port.name
        assert np.abs(expected).max() > 0 or port.kind == "flux"


def test_second_run_of_a_program_uploads_nothing(service):
    backend = service.backend("pair2")
    circuit = transpile(bell(), backend, seed_transpiler=1)
    statistics = []
    for _ in range(2):
        result = backend.runner.submit(spec_of(backend, backend.compile(circuit).program)).result(60)
        statistics.append(result.works[0].statistics["chunks"][0])
    assert statistics[1]["uploaded_bytes"] == statistics[1]["uploaded_segments"] == 0
    assert statistics[1]["segments_held"] > 0


# Faults: whatever happens, outputs end safe, the error says what it was, and the next run works.

FAULTS = [
    ("awg1", "push_error", (-222, "Data out of range"), InstrumentFault, "awg1 at .* reports -222, Data out of range"),
    ("awg2", "stuck_state", 2, InstrumentError, "awg2 at .* does not wait for its trigger .* run state 2"),
    ("awg1", "stuck_state", 1, InstrumentError, "awg1 has not played its 20 shots although all were recorded"),
    ("awg2", "misses_triggers", True, InstrumentError, "awg2 has not played its 20 shots .* missed the trigger"),
    ("awg1", "misses_records", True, InstrumentTimeoutError, "digitizer has 0 of 20 records, 1 s after"),
    ("digitizer", "frames_short", 1, InstrumentTimeoutError, "digitizer has 19 of 20 records"),
    ("lo_drive", "reference_locked", False, InstrumentError, "lo_drive is not locked to its reference clock"),
    ("awg2", "reference_locked", False, InstrumentError, "awg2 is not locked"),
    ("digitizer", "corrupts", True, InstrumentError, "channel 1 is overdriven in frame 1, sample 0"),
    ("awg1", "drop_at", 300, InstrumentError, "awg1 at"),
]
CURES = {"stuck_state": None, "misses_triggers": False, "frames_short": 0, "reference_locked": True, "corrupts": False}


class Stand:
    """A second bench, driven without a runner."""

    def __init__(self, folder, setup, program):
        self.bench = RackBench(folder)
        self.driver = open_boxes(load_rack(self.bench.path), "pair2", run_slack_s=1.0)
        self.setup, self.program = setup, program
        self.epoch = self.driver.connect().epoch + 1

    def play(self, **changes):
        run = Run(
            uuid.uuid4().hex, self.epoch, self.setup.hash.hex(), self.program.hash.hex(), "", 0, 1, 0, 20, 0, **changes
        )
        self.driver.configure(self.setup)
        self.driver.load(self.program, None)
        self.driver.start(run)
        blocks, found = [], None
        while found is None or found.progress.state == "running" or found.results is not None:
            found = self.driver.fetch(run.run_id, len(blocks), 0.2)
            blocks += [] if found.results is None else [found.results]
        return blocks

    def inject(self, name, fault, value):
        if fault == "misses_records":
            # The cable between the trigger's marker and the digitizer is loose.
            for waveform in self.bench.instruments[name].waveforms.values():
                waveform.markers[:] = 0
        else:
            inject(self.bench.emulated, name, fault, value)

    def assert_safe(self):
        instruments = self.bench.instruments
        for name in ("awg1", "awg2"):
            assert not any(channel.on for channel in instruments[name].channels.values()), name
            assert instruments[name].state == 0
        assert not instruments["lo_drive"].on
        assert not instruments["lo_readout"].on
        assert not instruments["digitizer"].running
        assert instruments["bias"].on  # a flux bias is held


@pytest.fixture(scope="module")
def stand(home, service, tmp_path_factory):
    backend = service.backend("pair2")
    program = backend.compile(transpile(bell(), backend, seed_transpiler=1)).program
    found = Stand(tmp_path_factory.mktemp("stand"), backend.setup, program)
    yield found
    found.driver.close()
    found.bench.close()


@pytest.mark.parametrize(("name", "fault", "value", "error", "text"), FAULTS)
def test_fault_ends_safe_and_the_next_run_works(stand, name, fault, value, error, text):
    assert stand.play()[0].bits.shape == (1, 20, 1)
    stand.inject(name, fault, value)
    with pytest.raises(error, match=text):
        stand.play()
    assert stand.driver.health().state == "failed"
    if fault in CURES:
        stand.inject(name, fault, CURES[fault])
    stand.assert_safe()
    if fault == "misses_records":
        stand.driver.connect()
    assert stand.play()[0].bits.shape == (1, 20, 1)


def test_power_cycle_between_two_runs_leads_to_a_new_upload(stand):
    stand.play()
    inject(stand.bench.emulated, "awg1", "power_cycle", True)
    (block,) = stand.play()
    assert block.statistics["uploaded_segments"] > 0
    assert block.statistics["segments_held"] > 0  # the other generator kept its own


def test_abort_and_safe_state_may_come_at_any_time_and_twice(stand):
    stand.play()
    stand.driver.abort()
    stand.driver.safe_state()
    stand.assert_safe()
    with pytest.raises(InstrumentError, match="there is no run 'r' on this rack"):
        stand.driver.fetch("r", 0, 0.1)


def test_second_owner_of_the_rack_is_refused(stand):
    second = stand.bench.driver()
    with pytest.raises(InstrumentError, match=r"awg1 at .* is in use by process \d+; end it first, nothing was sent"):
        second.connect()
    second.close()
    assert stand.play()


def test_switches_of_the_emulator_are_refused(stand):
    with pytest.raises(InstrumentError, match="is real: it cannot take the emulator's switches"):
        stand.play(sim=SimOptions(seed=1))


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


def test_wiring_beyond_a_generator_is_refused_before_anything_is_sent(stand):
    ports = tuple(
        msgspec.structs.replace(port, full_scale_v=4.0) if port.name == "q0.drive" else port
        for port in stand.setup.ports
    )
    before = [channel.vpp for channel in stand.bench.instruments["awg1"].channels.values()]
    with pytest.raises(ResourceError, match="amplitude of channel 1 of 8 V peak to peak is beyond its limit of 5 V"):
        stand.driver.configure(dataclasses.replace(stand.setup, ports=ports))
    assert [channel.vpp for channel in stand.bench.instruments["awg1"].channels.values()] == before
    unwired = (*stand.setup.ports, msgspec.structs.replace(stand.setup.ports[0], name="q9.drive"))
    with pytest.raises(ConfigError, match=r"port q9\.drive is on no box"):
        stand.driver.configure(dataclasses.replace(stand.setup, ports=unwired))
    assert stand.play()


@pytest.mark.parametrize("mode", ["bits+iq", "iq_mean", "trace", "trace_mean"])
def test_captures_come_in_every_mode(stand, mode):
    (block,) = stand.play(capture_mode=mode)
    assert block.bits.shape == (1, 20, 1)
    shape = {"bits+iq": (1, 20, 2), "iq_mean": (1, 2)}.get(mode)
    if shape:
        assert block.iq.shape == shape
    else:
        assert block.traces.shape == ((1, 20, 2, 1000) if mode == "trace" else (1, 2, 1000))
