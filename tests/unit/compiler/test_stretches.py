"""What stretches become: shortest code, equal shares, and boxes that last exactly as long as they say."""

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Annotation, Duration
from qiskit.circuit.classical import expr

from qctrl.compiler import CompileOptions, compile_circuit, lower
from qctrl.compiler.timed_boxes import fill_boxes
from qctrl.errors import TimingError
from qctrl.ir import Opcode, gate_text
from tests.unit.compiler import trio

CALIBRATION = trio.calibration()


def delays(circuit, calibration=CALIBRATION, *, is_late=True):
    """Return the ticks of all delays, in order; a box waits before its contents, and behind them."""
    rows = fill_boxes(lower(circuit, calibration), calibration, is_late=is_late).instructions
    return rows["ticks"][rows["opcode"] == Opcode.DELAY].tolist()


def test_without_need_a_stretch_is_nothing():
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    circuit.delay(circuit.add_stretch("a"), 0)
    circuit.sx(0)
    assert delays(circuit) == [0]


def test_an_echo_is_spread_over_the_time_there_is():
    circuit = QuantumCircuit(2)
    a = circuit.add_stretch("a")
    circuit.barrier()
    circuit.delay(1000, 1)
    circuit.delay(a, 0)
    circuit.x(0)
    circuit.delay(expr.mul(2.0, a), 0)
    circuit.x(0)
    circuit.delay(a, 0)
    circuit.barrier()
    # (1000 - 48) / 4 = 238, which rounds down by the running sum: 236 (2 left), 476 + 2 -> 476 (2 left), 238 + 2.
    assert delays(circuit) == [1000, 236, 476, 240]


def test_stretches_share_equally_until_one_is_stuck():
    circuit = QuantumCircuit(2)
    a, b, c = (circuit.add_stretch(name) for name in "abc")
    circuit.delay(300, 1)
    circuit.delay(a, 0)
    circuit.delay(b, 0)
    circuit.barrier()
    circuit.delay(900, 1)
    circuit.delay(b, 0)
    circuit.delay(c, 0)
    # a and b: 150 each; then c takes what b leaves of 900.
    assert delays(circuit) == [300, 148, 152, 900, 148, 752]


def test_a_constant_part_forces_a_stretch():
    circuit = QuantumCircuit(1)
    circuit.delay(expr.sub(circuit.add_stretch("a"), Duration.ns(100)), 0)
    assert delays(circuit) == [0]


def test_stretches_in_bodies_have_one_value_everywhere():
    circuit = QuantumCircuit(2, 1)
    a = circuit.add_stretch("a")
    circuit.delay(400, 1)
    circuit.delay(a, 0)
    with circuit.if_test((0, True)):
        circuit.delay(a, 0)
        circuit.delay(80, 1)
        own = circuit.add_stretch("own")
        circuit.delay(own, 1)
    # The branch is shortest at 80, which binds a; own has no room there.
    assert delays(circuit) == [400, 80, 80, 80, 0]


def test_a_box_lasts_exactly_so_long():
    circuit = QuantumCircuit(2)
    with circuit.box([Annotation()], duration=200, unit="ns"):
        circuit.sx(0)
        circuit.noop(1)
    assert delays(circuit) == [176, 0]
    assert delays(circuit, is_late=False) == [0, 176]
    with circuit.box(duration=expr.add(Duration.ns(40), Duration.ns(60))):
        circuit.sx(0)
        circuit.delay(circuit.add_stretch("fill"), 0)
        circuit.sx(0)
    assert delays(circuit) == [176, 0, 0, 52, 0]


def test_a_listing_shows_what_waits_for_a_box():
    circuit = QuantumCircuit(1)
    with circuit.box(duration=100, unit="dt"):
        circuit.sx(0)
    assert gate_text(lower(circuit, CALIBRATION)).count("delay q0 0 ticks or as a box of 100 ticks needs") == 2


def test_boxes_in_boxes():
    circuit = QuantumCircuit(2)
    with circuit.box(duration=400, unit="dt"):
        circuit.noop(0, 1)
        circuit.delay(circuit.add_stretch("a"), 0)
        with circuit.box(duration=100, unit="dt"):
            circuit.sx(0)
    assert delays(circuit) == [0, 300, 76, 0, 0]


def test_a_box_as_long_as_a_stretch():
    circuit = QuantumCircuit(2)
    a = circuit.add_stretch("a")
    circuit.delay(202, 1)
    with circuit.box(duration=a):
        circuit.sx(0)
    assert delays(circuit) == [202, 200 - 24, 0]


def test_a_box_beside_a_delay_off_the_grid_lasts_as_long_as_it_says():
    circuit = QuantumCircuit(1)
    circuit.delay(3, 0)
    with circuit.box(duration=28, unit="dt"):
        circuit.sx(0)
        circuit.delay(2, 0)
    circuit.delay(3, 0)
    # Late, the box ends 4 before the end of the block, and its sx another 4; soon, the box begins at 4, the sx too.
    assert delays(circuit) == [3, 0, 2, 0, 3]
    assert delays(circuit, is_late=False) == [3, 0, 2, 2, 3]


def test_a_stretch_leaves_room_for_the_wait_behind_a_delay_off_the_grid():
    circuit = QuantumCircuit(1)
    with circuit.box(duration=100, unit="dt"):
        circuit.delay(3, 0)
        circuit.sx(0)
        circuit.delay(circuit.add_stretch("a"), 0)
    # 3, a wait of 1, 24 and 72.
    assert delays(circuit) == [1, 3, 72, 0]
    assert delays(circuit, is_late=False) == [0, 3, 72, 0]


def test_a_box_in_a_body_is_named_by_the_instruction_of_the_circuit():
    circuit = QuantumCircuit(1, 1)
    circuit.sx(0)
    with circuit.if_test((0, True)), circuit.box(duration=20, unit="ns"):
        circuit.sx(0)
    with pytest.raises(TimingError, match=r"instruction 1: if_else on qubits \(0,\): the box lasts 2e-08 s"):
        compile_circuit(circuit, CALIBRATION, trio.setup())


@pytest.mark.parametrize("stretched", [False, True])
def test_contents_that_are_too_long_are_refused_with_both_lengths(stretched):
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    with circuit.box(duration=40, unit="ns"):
        circuit.sx(0)
        circuit.sx(0)
        if stretched:
            circuit.delay(circuit.add_stretch("a"), 0)
    message = r"instruction 1: box on qubits \(0,\): the box lasts 4e-08 s, its contents need 4.8e-08 s"
    for method in ("alap", "asap"):
        with pytest.raises(TimingError, match=message):
            compile_circuit(circuit, CALIBRATION, trio.setup(), options=CompileOptions(method=method))


def test_a_box_off_the_grid_is_refused_with_its_neighbours():
    circuit = QuantumCircuit(1)
    with circuit.box(duration=102, unit="ns"):
        circuit.sx(0)
    with pytest.raises(TimingError, match=r"instruction 0: duration of 102 ns .* give 100 ns or 104 ns"):
        lower(circuit, CALIBRATION)


def test_durations_that_contradict_each_other_are_refused():
    circuit = QuantumCircuit(2)
    a = circuit.add_stretch("a")
    circuit.delay(expr.sub(a, Duration.ns(100)), 0)
    circuit.delay(expr.sub(Duration.ns(50), a), 1)
    with pytest.raises(TimingError, match="no lengths of the stretches a make every duration 0 or more"):
        lower(circuit, CALIBRATION)
