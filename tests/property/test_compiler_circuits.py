"""Random circuits: the packed program plays what the definitions say; binding equals compiling the bound circuit."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qctrl.compiler import compile_circuit, lower, schedule
from qctrl.errors import CompileError
from qctrl.protocol import EventOp, FlowOp, Program, RowField
from qctrl.units import gain_word, tuning_word_to_hz
from tests.reference import schedule as reference
from tests.reference.lower import lower as reference_lower
from tests.unit.compiler import cross, trio

N_QUBITS, N_CLBITS = 3, 4
LATENCY_TICKS = 100
CALIBRATION, SETUP = trio.calibration(), trio.setup()
CROSS, CROSS_SETUP = cross.calibration(), cross.setup()

angles = st.floats(-20, 20)
qubits = st.integers(0, N_QUBITS - 1)
gates = st.one_of(
    st.tuples(st.just("rz"), qubits, angles),
    st.tuples(st.just("sx"), qubits),
    st.tuples(st.just("x"), st.integers(0, 1)),
    st.tuples(st.just("cz"), st.sampled_from([(0, 1), (1, 0), (1, 2)])),
    st.tuples(st.just("delay"), qubits, st.integers(0, 100)),
    st.tuples(st.just("measure"), qubits, st.integers(0, N_CLBITS - 1)),
    st.tuples(st.just("barrier"), st.sets(qubits, min_size=1).map(sorted)),
    st.tuples(st.just("reset"), qubits),
)
scaled = st.sampled_from(
    [("rx", (0,)), ("rx", (1,)), ("rx", (2,)), ("rzx", (1, 2)), ("rzz", (0, 1)), ("rzz", (1, 0)), ("rzz", (2, 1))]
)
cross_gates = st.one_of(
    gates.filter(lambda step: step != ("cz", (1, 2))),
    st.sampled_from([("x", 2), ("ecr", (1, 0)), ("ecr", (1, 2)), ("cx", (2, 1))]),
    st.tuples(scaled, st.floats(0, 1.5)).map(lambda step: (*step[0], step[1])),
)
"""Of the device with cross-resonance, coupler and fractional gates."""


def build(steps, angle=lambda value: value) -> QuantumCircuit:
    circuit = QuantumCircuit(N_QUBITS, N_CLBITS)
    for name, *rest in steps:
        match name:
            case "rz":
                circuit.rz(angle(rest[1]), rest[0])
            case "cz" | "ecr" | "cx":
                getattr(circuit, name)(*rest[0])
            case "rx" | "rzx" | "rzz":
                getattr(circuit, name)(angle(rest[1]), *rest[0])
            case "delay":
                circuit.delay(rest[1], rest[0])
            case "barrier":
                circuit.barrier(rest[0])
            case _:
                getattr(circuit, name)(*rest)
    return circuit


def run(program: Program, words, reset_bits, setup=SETUP):
    """Execute flow and registers; return plays and captures in absolute ticks."""
    registers = np.zeros(len(program.frames), dtype=np.int64)
    reads = iter(reset_bits)
    plays, captures = [], []
    at = now = 0
    while (step := program.flow[at])["op"] != FlowOp.END:
        at += 1
        if step["op"] == FlowOp.JUMP:
            at = int(step["target"])
        elif step["op"] == FlowOp.BRANCH_BIT:
            at = int(step["target"]) if next(reads) == (int(step["flags"]) & 1) else at
        else:
            for event in program.block_events(int(step["operand"])):
                frame, start = int(event["frame"]), now + int(event["start_ticks"])
                phase = int(event["phase"]) + int(words[event["phase_row"]])
                port = setup.ports[int(program.frames[frame]["port"])]
                hz = round(port.lo_hz + tuning_word_to_hz(int(program.frames[frame]["ftw"]), program.tick_s))
                length = int(event["length_ticks"])
                if event["op"] == EventOp.SHIFT_PHASE:
                    registers[frame] += phase
                elif event["op"] == EventOp.PLAY:
                    phase = (phase + int(registers[frame])) % 2**32
                    gain = int(words[event["value_row"]]) if event["row_field"] == RowField.GAIN else int(event["gain"])
                    plays.append((port.name, start, length, hz, (gain + 2**31) % 2**32 - 2**31, phase))
                else:
                    capture = program.captures[int(event["target"])]
                    captures.append((start, length, hz, int(capture["clbit"])))
            now += int(program.blocks["length_ticks"][int(step["operand"])])
    return sorted(plays), sorted(captures), now


def expected(circuit, reset_bits, calibration=CALIBRATION):
    shot = reference.shot(reference_lower(circuit, 1e-9), calibration, N_CLBITS, LATENCY_TICKS, reset_bits)
    plays = [
        (p.port, p.start, reference.ceil_to(p.length, 4), round(p.frequency_hz), gain_word(p.amplitude), p.phase)
        for p in shot.plays
    ]
    captures = [(c.start, c.length, round(c.frequency_hz), c.clbit) for c in shot.captures]
    return sorted(plays), sorted(captures), shot.now


MANY_RESETS = [
    ("rz", 0, 0.5),
    ("sx", 0),
    ("reset", 0),
    ("reset", 1),
    ("rz", 1, 0.25),
    ("sx", 1),
    ("reset", 1),
    ("reset", 1),
    ("cz", (0, 1)),
    ("reset", 2),
    ("sx", 0),
]


@given(steps=st.lists(gates, max_size=25), bits=st.lists(st.integers(0, 1), min_size=25, max_size=25))
@example(steps=MANY_RESETS, bits=[1] * 25)
@example(steps=MANY_RESETS, bits=[0, 1] * 12)
@settings(deadline=None, max_examples=60)
def test_a_shot_plays_what_the_definitions_say(steps, bits):
    circuit = build(steps)
    compiled = compile_circuit(circuit, CALIBRATION, SETUP)
    words = np.zeros(1, dtype=np.int64)
    assert run(compiled.program, words, bits) == expected(circuit, bits)


@given(steps=st.lists(cross_gates, max_size=20), bits=st.lists(st.integers(0, 1), min_size=20, max_size=20))
@settings(deadline=None, max_examples=60)
def test_cross_resonance_coupler_and_fractional_gates_play_what_the_definitions_say(steps, bits):
    circuit = build(steps)
    compiled = compile_circuit(circuit, CROSS, CROSS_SETUP)
    words = np.zeros(1, dtype=np.int64)
    assert run(compiled.program, words, bits, CROSS_SETUP) == expected(circuit, bits, CROSS)


@given(
    steps=st.lists(cross_gates, max_size=20),
    forms=st.lists(st.integers(0, 3), min_size=20, max_size=20),
    values=st.tuples(st.floats(0, 1.25), st.floats(0.1, 0.9)),
    bits=st.lists(st.integers(0, 1), min_size=20, max_size=20),
)
@settings(deadline=None, max_examples=60)
def test_bound_angles_of_gates_play_what_the_definitions_say(steps, forms, values, bits):
    a, b = Parameter("a"), Parameter("b")
    form = iter(forms)

    def angle(value):
        return [value, a, b * value, (a * b).sin() + 0.25][next(form)]

    circuit = build(steps, angle)
    by_parameter = {a: values[0], b: values[1]}
    used = {parameter: by_parameter[parameter] for parameter in circuit.parameters}
    compiled = compile_circuit(circuit, CROSS, CROSS_SETUP)
    words = compiled.bind(list(used.values())).words[0].astype(np.int64)
    bound = circuit.assign_parameters(used)
    fixed = compile_circuit(bound, CROSS, CROSS_SETUP)
    played = run(compiled.program, words, bits, CROSS_SETUP)
    assert played == run(fixed.program, np.zeros(1, dtype=np.int64), bits, CROSS_SETUP)
    assert played == expected(bound, bits, CROSS)


def expressions(a, b):
    """Return functions of a number that are linear, affine and neither, in one and two parameters."""
    return [
        lambda x: a,
        lambda x: a + x,
        lambda x: x * b - 0.25,
        lambda x: (a * b).sin() + x,
        lambda x: x - (a / 3) ** 2,
        lambda x: abs(b) - a,
        lambda x: (b.cos() * x / 4).exp(),
    ]


@given(
    steps=st.lists(gates, max_size=25),
    forms=st.lists(st.integers(0, 7), min_size=25, max_size=25),
    values=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
    bits=st.lists(st.integers(0, 1), min_size=25, max_size=25),
)
@settings(deadline=None, max_examples=60)
def test_binding_equals_compiling_the_bound_circuit(steps, forms, values, bits):
    a, b = Parameter("a"), Parameter("b")
    form = iter(forms)

    def angle(value):
        choice = next(form)
        return value if choice == 7 else expressions(a, b)[choice](value)

    circuit = build(steps, angle)
    by_parameter = {a: values[0], b: values[1]}
    used = {parameter: by_parameter[parameter] for parameter in circuit.parameters}
    compiled = compile_circuit(circuit, CALIBRATION, SETUP)
    words = compiled.bind(list(used.values())).words[0].astype(np.int64)
    bound = compile_circuit(circuit.assign_parameters(used), CALIBRATION, SETUP)
    assert run(compiled.program, words, bits) == run(bound.program, np.zeros(1, dtype=np.int64), bits)


@given(steps=st.lists(gates, max_size=25))
@settings(deadline=None, max_examples=40)
def test_equal_circuits_give_equal_bytes_that_read_back(steps):
    first = compile_circuit(build(steps), CALIBRATION, SETUP).to_bytes()
    assert compile_circuit(build(steps), CALIBRATION, SETUP).to_bytes() == first
    assert Program.from_bytes(first).to_bytes() == first


@given(steps=st.lists(gates, max_size=25), grid=st.sampled_from([1, 4, 8]))
@settings(deadline=None, max_examples=40)
def test_plays_on_one_frame_never_overlap_and_lie_on_the_grid(steps, grid):
    calibration = trio.edited(("pulse_alignment: 4", f"pulse_alignment: {grid}"))
    pulses = schedule(lower(build(steps), calibration), calibration)
    pulses.verify()
    padded = [port == "q2.drive" for port in pulses.ports]
    aligned = [play for play in pulses.plays if not padded[pulses.frames["port"][play["frame"]]]]
    assert all(play["start_ticks"] % max(grid, 4) == 0 for play in aligned)
    for frame in range(len(pulses.frames)):
        mine = pulses.plays[pulses.plays["frame"] == frame]
        for block in np.unique(mine["block"]):
            inside = np.sort(mine[mine["block"] == block], order="start_ticks")
            ends = inside["start_ticks"] + inside["length_ticks"]
            assert np.all(ends[:-1] <= inside["start_ticks"][1:])


@given(value=st.sampled_from([float("nan"), float("inf"), -float("inf")]), position=st.integers(0, 1))
def test_values_that_are_not_finite_are_never_bound(value, position):
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    circuit.rz(a + b, 0)
    circuit.sx(0)
    values = [0.5, 0.5]
    values[position] = value
    with pytest.raises(CompileError, match=f"parameter {'ab'[position]} is .*bind a finite number"):
        compile_circuit(circuit, CALIBRATION, SETUP).bind(values)
