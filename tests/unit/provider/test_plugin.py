"""Rounding of delays, and the scheduling stage that does it."""

from __future__ import annotations

import logging
import math
import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Delay, Duration, Parameter
from qiskit.circuit.classical import expr, types
from qiskit.transpiler import PassManager, PassManagerConfig, Target, TranspilerError

from qctrl import provider
from qctrl.errors import TimingError
from qctrl.provider import RoundDelays, build_target
from qctrl.provider.plugin import SCHEDULING_PLUGIN, SchedulingPlugin
from qctrl.provider.scheduling import METADATA_KEY, delay_grid_ticks, delay_ticks
from tests.unit.provider import aligned

TARGET = build_target(aligned.calibration())


def rounded(circuit, target=TARGET):
    return PassManager([RoundDelays(target)]).run(circuit)


def delays(circuit):
    """Return durations in dt, qubit by qubit."""
    found = [[] for _ in circuit.qubits]
    for entry in circuit.data:
        if entry.operation.name == "delay":
            assert entry.operation.unit == "dt"
            found[circuit.find_bit(entry.qubits[0]).index].append(entry.operation.duration)
    return found


def waits(*durations, unit="dt"):
    """Return one delay per qubit."""
    circuit = QuantumCircuit(len(durations))
    for qubit, duration in enumerate(durations):
        circuit.delay(duration, qubit, unit)
    return circuit


def test_the_declared_entry_point_is_the_plugin():
    declared = aligned.declared_plugins()
    assert set(declared) == {SCHEDULING_PLUGIN}
    assert declared[SCHEDULING_PLUGIN].load() is SchedulingPlugin


def test_the_backend_names_the_plugin():
    for backend in (aligned.backend(), aligned.backend(acquire=16), aligned.backend(pulse=1, acquire=1)):
        assert backend.get_scheduling_stage_plugin() == SCHEDULING_PLUGIN


def test_the_target_states_the_grids_that_the_compiler_uses():
    target = build_target(aligned.calibration("2", 16, 8))
    assert (target.granularity, target.pulse_alignment, target.acquire_alignment) == (16, 16, 16)
    target = build_target(aligned.calibration("2", 8, 16))
    assert (target.granularity, target.pulse_alignment, target.acquire_alignment) == (8, 8, 16)
    assert delay_grid_ticks(target) == 8


def test_the_stage_is_the_rounding_or_nothing():
    stage = SchedulingPlugin().pass_manager(PassManagerConfig(target=TARGET), 2)
    assert delays(stage.run(waits(13))) == [[16]]
    assert SchedulingPlugin().pass_manager(PassManagerConfig()) is None


def test_delays_round_to_nearest_and_halves_to_even():
    assert delays(rounded(waits(3, 4, 5, 12, 20))) == [[0], [0], [8], [16], [16]]
    assert delays(rounded(waits(0, 8, 1_000_000, 11, 13))) == [[0], [8], [1_000_000], [8], [16]]


@pytest.mark.parametrize(
    ("duration", "unit"), [(33.4, "ns"), (0.0334, "us"), (3.34e-5, "ms"), (3.34e-8, "s"), (33400.0, "ps")]
)
def test_every_unit_is_converted_exactly(duration, unit):
    # 66.8 ticks of 0.5 ns
    assert delay_ticks(Delay(duration, unit), Fraction(1, 2 * 10**9)) == Fraction(668, 10)
    assert delays(rounded(waits(duration, unit=unit))) == [[64]]


def test_a_half_step_written_in_decimals_is_a_tie():
    # No double is 0.006 us; read as decimals these are 0.5, 1.5 and 2.5 steps of 4 ns.
    assert delays(rounded(waits(0.002, 0.006, 0.010, unit="us"))) == [[0], [16], [16]]
    assert delays(rounded(waits(0.0020000000001, unit="us"))) == [[8]]


@pytest.mark.filterwarnings("error")
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_a_run_of_delays_is_rounded_by_its_sum(durations):
    circuit = QuantumCircuit(1)
    for index, duration in enumerate(durations):
        circuit.delay(duration, 0, "dt")
        if index % 3 == 0:
            circuit.rz(0.1, 0)
        if index % 3 == 1:
            circuit.barrier(0)
    (found,) = delays(rounded(circuit))
    assert all(value % 8 == 0 and value >= 0 for value in found)
    assert abs(sum(found) - sum(durations)) <= 4
    assert all(abs(new - old) <= 8 for new, old in zip(found, durations, strict=True))


def test_a_pulse_between_delays_ends_the_run():
    circuit = QuantumCircuit(2)
    for gate in (lambda: circuit.x(0), lambda: circuit.cz(0, 1), lambda: circuit.reset(0)):
        circuit.delay(3, 0)
        gate()
    circuit.delay(3, 0)
    assert delays(rounded(circuit))[0] == [0, 0, 0, 0]


def test_a_gate_unknown_to_the_target_is_taken_to_last():
    circuit = QuantumCircuit(1)
    circuit.delay(3, 0)
    circuit.h(0)
    circuit.delay(3, 0)
    assert delays(rounded(circuit)) == [[0, 0]]


def test_what_was_rounded_is_logged_once_and_kept_in_the_metadata(caplog):
    circuit = waits(13, 16, 30)
    circuit.name, circuit.metadata = "ramsey", {"mine": 1}
    with caplog.at_level(logging.INFO, logger="qctrl.provider.scheduling"):
        result = rounded(circuit)
    assert result.metadata == {"mine": 1, METADATA_KEY: {"count": 2, "largest_s": 1.5e-9, "grid_dt": 8}}
    assert circuit.metadata == {"mine": 1}
    assert [record.message for record in caplog.records] == [
        "circuit ramsey: 2 delays rounded to multiples of 8 dt, by at most 1.5e-09 s"
    ]


def test_nothing_rounded_says_nothing(caplog):
    circuit = waits(16, 0)
    with caplog.at_level(logging.DEBUG, logger="qctrl.provider.scheduling"):
        result = rounded(circuit)
    assert result == circuit
    assert not result.metadata
    assert not caplog.records
    assert delays(rounded(waits(8.0, unit="ns"))) == [[16]], "units are always dt"


def test_rounding_twice_changes_nothing_more():
    once = rounded(waits(13, 3, 999))
    assert rounded(once) == once
    assert rounded(once).metadata == once.metadata


def test_an_open_parameter_keeps_its_unit_and_rounds_once_bound():
    wait = Parameter("t")
    circuit = QuantumCircuit(1)
    circuit.delay(3, 0)
    circuit.delay(2 * wait, 0, "ns")
    circuit.delay(3, 0)
    result = rounded(circuit)
    operation = result.data[1].operation
    assert (operation.unit, operation.duration) == ("ns", 2 * wait)
    assert delays(rounded(result.assign_parameters([16.65]))) == [[0, 64, 0]]
    assert rounded(result.assign_parameters([16.65])).metadata[METADATA_KEY]["count"] == 1


def test_a_stretch_is_left_to_the_compiler():
    circuit = QuantumCircuit(2)
    stretch = circuit.add_stretch("gap")
    circuit.delay(stretch, 0)
    circuit.delay(expr.add(stretch, Duration.dt(3)), 0)
    circuit.delay(13, 1)
    result = rounded(circuit)
    units = [entry.operation.unit for entry in result.data]
    assert sorted(units) == ["dt", "expr", "expr"]
    assert next(entry for entry in result.data if entry.operation.unit == "dt").operation.duration == 16


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (expr.lift(Duration.ns(33.4)), 64),
        (expr.add(Duration.us(0.1), Duration.dt(3)), 200),
        (expr.sub(Duration.ns(100.0), Duration.ns(1.0)), 200),
        (expr.mul(2.0, Duration.ns(10.5)), 40),
        (expr.mul(expr.lift(2), Duration.dt(13)), 24),
        (expr.div(Duration.ns(100.0), 3.0), 64),
        (expr.mul(expr.cast(expr.lift(2), types.Float()), Duration.dt(13)), 24),
        (expr.mul(expr.div(Duration.ns(3.0), Duration.ns(2.0)), Duration.dt(100)), 152),
    ],
)
def test_constant_expressions_are_evaluated_exactly(duration, expected):
    circuit = QuantumCircuit(1)
    circuit.delay(duration, 0)
    assert delays(rounded(circuit)) == [[expected]]


@pytest.mark.parametrize(
    ("duration", "message"),
    [
        (expr.sub(Duration.ns(1.0), Duration.ns(2.0)), "negative"),
        (expr.div(Duration.ns(1.0), 0.0), "divides by zero"),
        (expr.mul(expr.cast(expr.bit_and(3, 2), types.Float()), Duration.dt(13)), "cannot be evaluated"),
        (expr.mul(expr.cast(expr.bit_not(expr.lift(3)), types.Float()), Duration.dt(13)), "cannot be evaluated"),
        (math.nan, "finite"),
        (math.inf, "finite"),
    ],
)
def test_impossible_durations_are_refused(duration, message):
    circuit = QuantumCircuit(1)
    circuit.append(Delay(duration, *(["ns"] if isinstance(duration, float) else [])), [0])
    with pytest.raises(TimingError, match=message):
        rounded(circuit)


def test_a_negative_delay_is_an_error_of_the_transpiler():
    circuit = QuantumCircuit(1)
    circuit.delay(expr.sub(Duration.dt(1), Duration.dt(2)), 0)
    with pytest.raises(TranspilerError, match=r"^delay of .* has a negative duration; give 0 or more$"):
        rounded(circuit)


def test_delays_inside_control_flow_are_rounded():
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(1, "c"))
    circuit.delay(13, 1)
    with circuit.for_loop(range(3)):
        with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
            circuit.delay(6.2, 1, "ns")
        with otherwise:
            circuit.x(0)
    with circuit.box():
        circuit.delay(5, 0)
    result = rounded(circuit)
    branch = result.data[1].operation.blocks[0].data[0].operation
    assert [entry.operation.duration for entry in branch.blocks[0].data] == [16]
    assert [entry.operation.name for entry in branch.blocks[1].data] == ["x"]
    assert [entry.operation.duration for entry in result.data[2].operation.blocks[0].data] == [8]
    assert result.metadata[METADATA_KEY]["count"] == 3


def test_control_flow_without_delays_and_timed_boxes_stay_as_they_are():
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    with circuit.box(duration=100, unit="dt"):
        circuit.delay(13, 0)
    assert rounded(circuit) == circuit
    assert not rounded(circuit).metadata


def test_control_flow_ends_a_run_and_its_bodies_know_their_qubits():
    circuit = QuantumCircuit(QuantumRegister(5), ClassicalRegister(1, "c"))
    circuit.delay(3, 4)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.delay(3, 4)
        circuit.rz(0.5, 4)
        circuit.delay(3, 4)
    circuit.delay(3, 4)
    result = rounded(circuit)
    assert [entry.operation.duration for entry in result.data if entry.operation.name == "delay"] == [0, 0]
    body = result.data[1].operation.blocks[0]
    assert [entry.operation.duration for entry in body.data if entry.operation.name == "delay"] == [0, 8]


def test_leaving_a_loop_ends_a_run():
    circuit = QuantumCircuit(1, 1)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.delay(3, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.delay(3, 0)
            circuit.break_loop()
        circuit.delay(3, 0)
        circuit.continue_loop()
    body = rounded(circuit).data[0].operation.blocks[0]
    assert [entry.operation.duration for entry in body.data if entry.operation.name == "delay"] == [0, 0]


def test_without_dt_nothing_is_rounded():
    circuit = waits(13)
    assert rounded(circuit, Target(num_qubits=1, pulse_alignment=8)) == circuit


def test_the_pass_travels_to_other_processes():
    copied = pickle.loads(pickle.dumps(RoundDelays(TARGET)))
    assert delays(PassManager([copied]).run([waits(13), waits(3)])[0]) == [[16]]


def test_the_room_loads_its_names_on_demand():
    assert {"Backend", "RoundDelays"} <= set(dir(provider))
    with pytest.raises(AttributeError, match="nonsense"):
        provider.nonsense  # noqa: B018
