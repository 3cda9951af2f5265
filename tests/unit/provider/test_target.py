from __future__ import annotations

import math
import pickle
from pathlib import Path

import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.classical import expr, types
from qiskit.circuit.random import random_circuit

from qctrl.calibration import load, loads
from qctrl.provider.isa import check_isa
from qctrl.provider.target import build_target
from tests.unit.compiler import cross

FOLDER = Path(__file__).parents[3] / "calibrations"
CHAIN = (FOLDER / "chain5" / "nominal.yaml").read_text()
LEVELS = [0, 1, 2, 3]
CONTROL_FLOW = [
    "if_else",
    "while_loop",
    "for_loop",
    "switch_case",
    "break_loop",
    "continue_loop",
    "box",
    "store",
]


def changed(*pairs: tuple[str, str]):
    text = CHAIN
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return build_target(loads(text))


def ghz(size: int) -> QuantumCircuit:
    circuit = QuantumCircuit(size)
    circuit.h(0)
    for index in range(size - 1):
        circuit.cx(index, index + 1)
    circuit.measure_all()
    return circuit


def used(circuit: QuantumCircuit) -> set[tuple[int, ...]]:
    return {
        tuple(circuit.find_bit(qubit).index for qubit in entry.qubits)
        for entry in circuit.data
        if entry.operation.name not in ("barrier", "delay")
    }


def test_target_states_the_grid_and_every_operation():
    target = changed()
    assert (target.num_qubits, target.dt, target.granularity, target.min_length) == (5, 1e-9, 1, 1)
    assert (target.pulse_alignment, target.acquire_alignment) == (1, 1)
    played = ["rz", "sx", "x", "cz", "measure", "reset", "delay"]
    assert list(target.operation_names) == [*played, *CONTROL_FLOW]
    assert target.concurrent_measurements == [[0], [1], [2], [3], [4]]
    assert target["rz"][0,].duration == 0.0
    assert target["rz"][0,].error == 0.0
    assert target["sx"][0,].duration == 24e-9
    assert target["cz"][1, 0].duration == target["cz"][0, 1].duration == 64e-9
    assert target["measure"][4,].duration == 1.2e-6  # with 200 ns of ring-down
    assert target["reset"][4,].duration == 1424e-9
    assert target["delay"] == dict.fromkeys([(i,) for i in range(5)])


def test_every_duration_is_a_multiple_of_dt_and_of_the_grid():
    target = changed(("granularity: 1", "granularity: 16"), ("pulse_alignment: 1", "pulse_alignment: 8"))
    for name in target.operation_names:
        for properties in target[name].values():
            if properties is not None:
                count = properties.duration / target.dt
                assert count == pytest.approx(round(count), abs=1e-9)
                assert round(count) % 16 == 0


def test_qubit_properties_are_measured_or_absent():
    target = changed(
        ("    anharmonicity", "    t1: 4.5e-5\n    t2_star: 2.0e-5\n    t2_echo: 3.8e-5\n    anharmonicity"),
        ("    index: 4", "    index: 4\n    operational: false"),
    )
    first, dead = target.qubit_properties[0], target.qubit_properties[4]
    assert (first.t1, first.t2, first.frequency) == (4.5e-5, 3.8e-5, 4.82e9)
    assert (dead.t1, dead.t2, dead.frequency) == (None, None, None)
    assert target["sx"][0,].error == pytest.approx(2.993e-4, rel=1e-3)
    assert target["sx"][1,].error is None


def test_dead_qubit_keeps_its_index_and_has_no_instructions():
    target = changed(("    index: 2", "    index: 2\n    operational: false"))
    assert target.num_qubits == 5
    assert all((2,) not in target[name] for name in target.operation_names if name != "cz")
    assert set(target["cz"]) == {(0, 1), (1, 0), (3, 4), (4, 3)}


def test_absent_x_is_not_invented():
    lines = [line for line in CHAIN.splitlines() if not line.startswith("      x:")]
    target = build_target(loads("\n".join(lines)))
    assert "x" not in target.operation_names
    assert "reset" not in target.operation_names, "an active reset plays x"
    circuit = QuantumCircuit(1)
    circuit.x(0)
    assert transpile(circuit, target=target).count_ops()["sx"] == 2


def test_one_way_gate_stays_one_way():
    target = changed(("kind: flux_cz", "kind: flux_cz\n        symmetric: false"))
    assert (0, 1) in target["cz"]
    assert (1, 0) not in target["cz"]


def test_equal_calibrations_give_equal_targets():
    calibration = load(FOLDER / "chain5" / "nominal.yaml")
    first, second = build_target(calibration), build_target(calibration)
    assert str(first) == str(second)
    assert list(first.operation_names) == list(second.operation_names)
    copied = pickle.loads(pickle.dumps(first))
    assert list(copied["cz"]) == list(first["cz"])


@pytest.mark.parametrize("level", LEVELS)
def test_circuits_transpile_at_every_level(level):
    target = changed()
    circuit = random_circuit(5, 4, measure=True, reset=True, seed=11)
    result = transpile(circuit, target=target, optimization_level=level, seed_transpiler=5)
    for entry in result.data:
        qubits = tuple(result.find_bit(qubit).index for qubit in entry.qubits)
        if entry.operation.name != "barrier":
            assert target.instruction_supported(entry.operation.name, qubits)


@pytest.mark.parametrize("level", LEVELS)
def test_transpiler_routes_around_a_dead_qubit(level):
    target = changed(("    index: 0", "    index: 0\n    operational: false"))
    options = {"initial_layout": [1, 2, 3, 4]} if level == 0 else {}
    result = transpile(ghz(4), target=target, optimization_level=level, seed_transpiler=5, **options)
    assert all(0 not in qubits for qubits in used(result))


@pytest.mark.parametrize("level", LEVELS)
def test_transpiler_routes_around_a_missing_edge(level):
    target = changed(("  q1-q2:\n", "  q1-q2:\n    operational: false\n"))
    options = {"initial_layout": [2, 3, 4]} if level == 0 else {}
    result = transpile(ghz(3), target=target, optimization_level=level, seed_transpiler=5, **options)
    assert {(1, 2), (2, 1)}.isdisjoint(used(result))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("granularity", [1, 16])
def test_alap_scheduling_ends_on_whole_ticks(level, granularity):
    grid = [
        (f"{name}: 1", f"{name}: {granularity}") for name in ("granularity", "pulse_alignment", "acquire_alignment")
    ]
    target = changed(*grid)
    result = transpile(ghz(5), target=target, optimization_level=level, scheduling_method="alap", seed_transpiler=5)
    duration = result.estimate_duration(target, unit="dt")
    assert duration == round(duration)
    starts = result.op_start_times
    assert all(start % granularity == 0 for start in starts)


@pytest.mark.parametrize("level", LEVELS)
def test_circuits_with_control_flow_transpile(level):
    target = changed()
    circuit = QuantumCircuit(3, 3)
    count = circuit.add_var("count", expr.lift(0, types.Uint(8)))
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)) as else_:
        circuit.cx(0, 2)
    with else_:
        circuit.cx(1, 2)
    with circuit.while_loop(expr.less(count, 3)):
        circuit.store(count, expr.add(count, 1))
        circuit.h(2)
        circuit.measure(2, 1)
        with circuit.if_test((1, 1)):
            circuit.break_loop()
        circuit.continue_loop()
    with circuit.for_loop(range(3)) as value:
        circuit.rx(value * 0.1, 0)
    with circuit.switch(circuit.cregs[0]) as case, case(1):
        circuit.y(0)
    with circuit.box():
        circuit.swap(0, 1)
    found = transpile(circuit, target=target, optimization_level=level, seed_transpiler=1)
    check_isa(found, target, device="chain5")


def test_cross_resonance_gates_stand_in_their_own_direction_unless_symmetric():
    target = build_target(cross.calibration())
    assert set(target["ecr"]) == {(1, 0), (1, 2)}
    assert set(target["cx"]) == {(2, 1)}
    assert set(target["rzx"]) == {(1, 2)}
    assert set(target["rzz"]) == {(0, 1), (1, 0), (2, 1)}
    assert set(target["cz"]) == {(0, 1), (1, 0)}


def test_durations_and_errors_of_cross_resonance_gates_are_those_of_all_that_they_play():
    calibration = cross.edited(("        echo: false\n", "        echo: false\n        error: 0.0125\n"))
    target = build_target(calibration)
    assert target["ecr"][1, 0].duration == pytest.approx((80 + 56 + 80) * 1e-9)
    assert target["ecr"][1, 2].duration == pytest.approx((4 + 120 + 56 + 8) * 1e-9)
    assert (
        target["rzz"][0, 1].duration == target["rzz"][1, 0].duration == pytest.approx((28 + 72 + 24 + 72 + 28) * 1e-9)
    )
    assert target["rx"][0,].duration == 32e-9
    assert target["ecr"][1, 2].error == 0.0125
    shorter, longer = target["ecr"][1, 0].error, target["rzz"][0, 1].error
    assert 0.008 < shorter < longer < 0.01, "the coherence limit grows with the duration"


def test_bounds_of_angles_are_those_that_hold_everywhere():
    target = build_target(cross.calibration())
    assert not target.gate_has_angle_bounds("ecr")
    half = math.pi / 2
    for name, qubits, angle, is_within in (
        ("rzz", (0, 1), half, True),
        ("rzz", (0, 1), half + 0.01, False),
        ("rzz", (0, 1), -0.01, False),  # its own bounds hold it, those of the other edge do not
        ("rzx", (1, 2), math.pi, True),
        ("rzx", (1, 2), -half - 0.01, False),
        ("rx", (2,), -math.pi, True),
        ("rx", (2,), 3.2, False),
    ):
        assert target.gate_has_angle_bounds(name)
        assert target.supported_angle_bound(name, [angle]) == is_within, (name, qubits, angle)


def test_rx_is_there_only_if_every_live_qubit_has_it():
    text = cross.TEXT
    without = text[: text.rindex("      rx:")] + text[text.index("    readout:\n      frequency: 7.2e9") :]
    assert "rx" not in build_target(loads(without)).operation_names
    dead = without.replace("    index: 2", "    index: 2\n    operational: false")
    assert set(build_target(loads(dead))["rx"]) == {(0,), (1,)}


def test_targets_without_fractional_gates_bound_no_angle():
    assert not changed().has_angle_bounds()


def test_gates_by_any_angle_can_be_left_out():
    calibration = cross.calibration()
    with_them, without = build_target(calibration), build_target(calibration, has_fractional=False)
    assert set(with_them.operation_names) - set(without.operation_names) == {"rx", "rzx", "rzz"}
    assert not without.has_angle_bounds()
    assert "if_else" in without.operation_names
