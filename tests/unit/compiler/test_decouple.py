"""Which windows are filled, and what a program says of it."""

import math

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qctrl.compiler import CompileCache, CompileOptions, Decoupling, compile_circuit
from tests.unit.compiler import trio

CALIBRATION, SETUP = trio.calibration(), trio.setup()
XX = CompileOptions(decoupling=Decoupling())


def compiled(circuit, calibration=CALIBRATION, options=XX, **more):
    return compile_circuit(circuit, calibration, trio.setup(calibration), options=options, **more)


def plays(compiled, port):
    """Return block, start and phase in turns of what a port plays."""
    program = compiled.program
    number = [each.name for each in compiled.setup.ports].index(port)
    return [
        (block, int(event["start_ticks"]), int(event["phase"]) / 2**32)
        for block in range(len(program.blocks))
        for event in program.block_events(block)
        if program.frames[event["frame"]]["port"] == number and event["op"] == 0
    ]


def ramsey(ticks, qubit=0):
    circuit = QuantumCircuit(3, 3)
    circuit.sx(qubit)
    circuit.delay(ticks, qubit)
    circuit.sx(qubit)
    return circuit


@pytest.mark.parametrize(
    ("sequence", "starts", "turns"),
    [
        ("XX", [68, 176], [0, 0]),
        ("XpXm", [68, 176], [0, 0.5]),
        ("XY4", [40, 92, 152, 204], [0, 0.75, 0, 0.75]),
    ],
)
def test_pulses_stand_in_the_middle_of_equal_parts_on_the_grid(sequence, starts, turns):
    made = compiled(ramsey(212), options=CompileOptions(decoupling=Decoupling(sequence)))
    # The own phase of this device's x is 0.25 rad.
    own = 0.25 / (2 * math.pi)
    found = plays(made, "q0.drive")
    assert [start for _, start, _ in found] == [4, *starts, 240]
    # rz adds to the phase, so a turn about Y is a phase of -1/4.
    assert [turn for *_, turn in found[1:-1]] == pytest.approx([(turn + own) % 1 for turn in turns], abs=1e-9)


@pytest.mark.parametrize(("slack", "starts"), [("middle", [64, 176]), ("edges", [64, 172])])
def test_slack_that_the_grid_leaves_goes_where_it_is_told(slack, starts):
    made = compiled(ramsey(216), options=CompileOptions(decoupling=Decoupling(slack=slack)))
    assert [start for _, start, _ in plays(made, "q0.drive")][1:-1] == starts


def test_windows_that_are_too_short_are_left():
    assert len(plays(compiled(ramsey(92)), "q0.drive")) == 2
    assert len(plays(compiled(ramsey(96)), "q0.drive")) == 4


def test_neighbours_get_their_pulses_half_a_part_later():
    circuit = QuantumCircuit(2)
    circuit.sx([0, 1])
    circuit.barrier()
    circuit.delay(1000, [0, 1])
    circuit.barrier()
    circuit.sx([0, 1])
    made = compiled(circuit)
    # Qubit 1 turns by two sx of 28 ticks; its second turn ends with the window.
    assert [start for _, start, _ in plays(made, "q0.drive")] == [4, 28 + 236, 28 + 740, 1032]
    assert [start for _, start, _ in plays(made, "q1.drive")] == [0, 28 + 444, 28 + 472, 28 + 944, 28 + 972, 1028]


def test_qubits_in_their_ground_state_are_left_on_request():
    circuit = QuantumCircuit(2)
    circuit.delay(1000, 0)
    circuit.x(0)
    circuit.delay(1000, 0)
    circuit.sx(0)
    circuit.delay(1000, 0)
    circuit.cz(0, 1)
    assert len(plays(compiled(circuit), "q0.drive")) == 8
    skipping = CompileOptions(decoupling=Decoupling(skips_reset=True))
    assert len(plays(compiled(circuit, options=skipping), "q0.drive")) == 4


def test_a_reset_ends_what_is_worth_protecting():
    circuit = QuantumCircuit(3)
    circuit.sx(2)
    circuit.delay(1000, 2)
    circuit.reset(2)
    circuit.delay(1000, 2)
    circuit.sx(2)
    # On qubit 2 a half turn is two sx.
    assert len(plays(compiled(circuit), "q2.drive")) == 6
    skipping = CompileOptions(decoupling=Decoupling(skips_reset=True))
    assert len(plays(compiled(circuit, options=skipping), "q2.drive")) == 2


def test_measured_and_forgotten_qubits_are_left():
    circuit = QuantumCircuit(2, 2)
    circuit.sx([0, 1])
    circuit.cz(0, 1)
    circuit.measure(0, 0)
    circuit.delay(1000, 0)
    circuit.x(0)
    circuit.delay(1000, 0)
    circuit.barrier()
    circuit.delay(1000, 1)
    made = compiled(circuit, options=CompileOptions("asap", Decoupling()))
    assert len(plays(made, "q1.drive")) == 1
    assert len(plays(made, "q0.drive")) == 2


def test_spectators_of_a_measurement_and_of_a_decision_are_protected():
    circuit = QuantumCircuit(2, 2)
    circuit.sx(1)
    circuit.barrier()
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.delay(600, 0)
        circuit.x(0)
    circuit.sx(1)
    made = compiled(circuit)
    blocks = [block for block, *_ in plays(made, "q1.drive")]
    # A half turn of qubit 1 is two sx: four in the block that waits for the bit, four in the branch.
    assert blocks == [0] * 5 + [1] * 4 + [2]
    assert made.program.blocks["length_ticks"].tolist()[:2] == [28 + 4 + 560 + 104, 624]
    plain = compiled(circuit, options=CompileOptions())
    assert (made.program.blocks["length_ticks"] == plain.program.blocks["length_ticks"]).all()


def test_a_loop_is_protected_as_a_whole():
    circuit = QuantumCircuit(2, 2)
    circuit.sx(1)
    with circuit.for_loop(range(20)):
        circuit.delay(1000, 0)
        circuit.x(0)
    circuit.sx(1)
    assert [block for block, *_ in plays(compiled(circuit), "q1.drive")] == [0, 1, 1, 1, 1, 2]


def test_open_phases_reach_the_pulses():
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    circuit.rz(Parameter("a"), 0)
    circuit.delay(1000, 0)
    circuit.sx(0)
    events = compiled(circuit).program.events
    assert events["phase_row"].tolist() == [0, 1, 1, 1]


def test_the_listing_and_the_cache_tell_programs_apart():
    cache, circuit = CompileCache(), ramsey(1000)
    plain = compiled(circuit, options=CompileOptions(), cache=cache)
    options = {name: CompileOptions(decoupling=Decoupling(name)) for name in ("XX", "XY4")}
    made = {name: compiled(circuit, options=each, cache=cache) for name, each in options.items()}
    assert "note" not in plain.text()
    assert made["XX"].text().endswith("\nnote decoupling XX: 2 pulses in 1 windows")
    assert made["XY4"].text().endswith("\nnote decoupling XY4: 4 pulses in 1 windows")
    assert cache.stats().misses == 3
    assert compiled(circuit, options=options["XY4"], cache=cache).program is made["XY4"].program
