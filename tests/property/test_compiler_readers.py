"""Both readers of circuits, the C API and plain Python, make the same gate program, and it is consistent."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Clbit, Duration, Gate, Instruction, Parameter, ParameterVector
from qiskit.circuit.classical import expr
from qiskit.circuit.library import GlobalPhaseGate

from qctrl.compiler import assemble, make_gate, schedule
from qctrl.compiler.fast_reader import lower_fast
from qctrl.compiler.slow_reader import lower_slowly
from qctrl.errors import CompileError
from qctrl.ir import gate_text
from qctrl.pulse import barrier, capture, constant, delay, play, shift_phase
from tests.unit.compiler import cross, trio

N_QUBITS, N_CLBITS = 3, 4
CALIBRATION, SETUP = trio.calibration(), trio.setup()
A, B, V = Parameter("a"), Parameter("2*a"), ParameterVector("v", 2)
"""One is named like an expression of the other."""

qubits = st.integers(0, N_QUBITS - 1)
delays = st.sampled_from([(0, "dt"), (100, "dt"), (20, "ns"), (0.1, "us"), (7e3, "ps")])
angles = st.one_of(
    st.floats(-20, 20),
    st.integers(-3, 3),
    st.sampled_from(
        [A, B, V[0], V[1], 2 * A, A + B, A - A, (A * B).sin() + 1, (A + V[0]) + B, A + (V[0] + B), np.float32(0.1)]
    ),
    st.just((A * 2).bind({A: 0.3})),
)
gates = st.one_of(
    st.tuples(st.just("rz"), qubits, angles),
    st.tuples(st.just("sx"), qubits),
    st.tuples(st.just("x"), st.integers(0, 1)),
    st.tuples(st.just("cz"), st.sampled_from([(0, 1), (1, 0), (1, 2)])),
    st.tuples(st.just("delay"), qubits, delays),
    st.tuples(st.just("measure"), qubits, st.integers(0, N_CLBITS - 1)),
    st.tuples(st.just("barrier"), st.lists(qubits, max_size=3, unique=True)),
    st.tuples(st.just("reset"), qubits),
    st.tuples(st.just("global_phase")),
)
scaled = st.sampled_from([("rx", (0,)), ("rx", (1,)), ("rx", (2,)), ("rzx", (1, 2)), ("rzz", (1, 0)), ("rzz", (2, 1))])
turns = st.one_of(
    st.floats(0, 1.5),
    st.sampled_from(
        [0, 1, 0.0, -0.0, A, B, V[0], 2 * A, A * B, (A * B).sin() + 1, (A * 2).bind({A: 0.3}), np.float32(0.1)]
    ),
)
cross_gates = st.one_of(
    gates.filter(lambda step: step != ("cz", (1, 2))),
    st.sampled_from([("x", 2), ("ecr", (1, 0)), ("ecr", (1, 2)), ("cx", (2, 1))]),
    st.tuples(scaled, turns).map(lambda step: (*step[0], step[1])),
)
"""Of the device with cross-resonance, coupler and fractional gates."""


def mine(angle):
    return [shift_phase("q0.drive", angle), play("q0.drive", constant(24e-9, angle / 100))]


def listen(length):
    return [delay("f0.acquire", 8e-9), capture("f0.acquire", length)]


MADE = [
    make_gate("mine", [0], [A], mine),
    make_gate("h", [1], [], lambda: [play("q1.drive", constant(24e-9, 0.1))]),
    make_gate("listen", [2], [A], listen),
    make_gate("both", [1, 0], [], lambda: [play("q0.drive", constant(24e-9, 0.1)), barrier()]),
]
CUSTOM = {(gate.name, gate.qubits): gate for gate in MADE}
"""One of a name that the standard gates know, one that captures, one of two qubits."""
MINE_A, MINE_B = ("custom", "mine", [0], [A], []), ("custom", "mine", [0], [B], [])
custom_gates = st.one_of(
    st.sampled_from([0.5, 2, A, 2 * A, A + B, (A * 2).bind({A: 0.3})]).map(lambda x: ("custom", "mine", [0], [x], [])),
    st.sampled_from([("custom", "both", [1, 0], [], []), ("h", 1)]),
    st.integers(0, N_CLBITS - 1).map(lambda clbit: ("custom", "listen", [2], [1e-7], [clbit])),
)


def build(steps) -> QuantumCircuit:
    circuit = QuantumCircuit(N_QUBITS, N_CLBITS)
    for name, *rest in steps:
        match name:
            case "rz":
                circuit.rz(rest[1], rest[0])
            case "cz" | "ecr" | "cx":
                getattr(circuit, name)(*rest[0])
            case "rx" | "rzx" | "rzz":
                getattr(circuit, name)(rest[1], *rest[0])
            case "delay":
                circuit.delay(rest[1][0], rest[0], rest[1][1])
            case "barrier":
                circuit.barrier(rest[0])
            case "global_phase":
                circuit.append(GlobalPhaseGate(0.5), [])
            case "custom":
                kind, on, arguments, clbits = rest
                circuit.append(Instruction(kind, len(on), len(clbits), arguments), on, clbits)
            case _:
                getattr(circuit, name)(*rest)
    return circuit


def same(circuit, calibration=CALIBRATION, custom=None):
    fast, slow = lower_fast(circuit, calibration, custom), lower_slowly(circuit, calibration, custom)
    assert fast is not None
    for name in ("instructions", "segments", "barrier_qubits", "flow"):
        one, two = getattr(fast, name), getattr(slow, name)
        assert one.dtype == two.dtype
        assert one.tolist() == two.tolist()
        assert not one.flags.writeable
    for name in ("sites", "expressions", "n_qubits", "interface", "angles"):
        assert getattr(fast, name) == getattr(slow, name)
    assert gate_text(fast) == gate_text(slow)
    fast.verify()
    return fast


@given(steps=st.lists(gates, max_size=30))
@example(steps=[("rz", 0, -0.0)])
@example(steps=[("reset", 0), ("reset", 1), ("reset", 0), ("sx", 0), ("reset", 2), ("reset", 0)])
@settings(deadline=None, max_examples=150)
def test_both_readers_agree_and_every_stage_keeps_its_promises(steps):
    gates = same(build(steps))
    pulses = schedule(gates, CALIBRATION)
    pulses.verify()
    assemble(pulses, SETUP).program.verify()


@given(steps=st.lists(st.one_of(gates, custom_gates), max_size=20))
@example(steps=[MINE_A, ("sx", 0), MINE_A, ("h", 1), ("reset", 0), MINE_B, ("rz", 0, A), ("x", 1)])
@settings(deadline=None, max_examples=150)
def test_both_readers_agree_on_custom_gates(steps):
    schedule(same(build(steps), custom=CUSTOM), CALIBRATION).verify()


@given(steps=st.lists(st.one_of(cross_gates, custom_gates), max_size=20))
@example(steps=[("rx", (0,), A), ("sx", 0), ("rx", (0,), A), ("rzz", (2, 1), A), ("x", 0), ("rzz", (1, 0), 0.5)])
@settings(deadline=None, max_examples=150)
def test_both_readers_agree_on_cross_resonance_and_fractional_gates(steps):
    has_own = any(step[0] in ("custom", "h") for step in steps)
    program = same(build(steps), cross.calibration(), CUSTOM if has_own else None)
    schedule(program, cross.calibration()).verify()


def test_a_custom_gate_may_bear_the_name_of_a_fractional_one():
    gate = make_gate("rx", [0], [A], lambda angle: [play("q0.drive", constant(24e-9, angle / 100))])
    circuit = QuantumCircuit(2)
    circuit.rx(0.5, [0, 1])
    program = same(circuit, cross.calibration(), {("rx", (0,)): gate})
    assert [site.custom for site in program.sites] == [gate, None]


WRONG_ANGLES = {
    "number out of bounds": lambda c: c.rzz(-0.5, 2, 1),
    "not a number": lambda c: c.rx(float("nan"), 0),
    "no angle": lambda c: c.append(Gate("rx", 1, []), [0]),
    "two angles": lambda c: c.append(Gate("rx", 1, [0.1, 0.2]), [0]),
    "reversed pair": lambda c: c.rzx(0.5, 2, 1),
    "gate that the device lacks": lambda c: c.h(0),
    "angle where there is none": lambda c: c.append(Gate("sx", 1, [0.1]), [0]),
    "delay off the grid": lambda c: c.delay(1.5, 0, "ns"),
}


@pytest.mark.parametrize("build", WRONG_ANGLES.values(), ids=WRONG_ANGLES)
def test_an_angle_that_cannot_be_played_is_left_to_the_slow_reader(build):
    circuit = QuantumCircuit(3, 1)
    circuit.rx(0.5, 0)
    build(circuit)
    assert lower_fast(circuit, cross.calibration()) is None
    with pytest.raises(CompileError):
        lower_slowly(circuit, cross.calibration())


def test_control_flow_around_fractional_gates_is_left_to_the_slow_reader():
    circuit = QuantumCircuit(3, 1)
    with circuit.if_test((0, True)):
        circuit.rx(A, 0)
    assert lower_fast(circuit, cross.calibration()) is None
    assert len(lower_slowly(circuit, cross.calibration()).angles) == 1


def test_a_gate_that_only_bears_the_name_of_a_calibrated_one_reads_alike_with_and_without_custom_gates():
    circuit = QuantumCircuit(1)
    circuit.append(Gate("sx", 1, []), [0])
    circuit.append(Gate("mine", 1, [0.5]), [0])
    assert lower_fast(circuit, CALIBRATION, CUSTOM) is None
    assert [site.name for site in lower_slowly(circuit, CALIBRATION, CUSTOM).sites] == ["sx", "mine"]


def test_a_custom_gate_in_the_place_of_a_calibrated_one_is_left_to_the_slow_reader():
    gate = make_gate("sx", [0], [], lambda: [play("q0.drive", constant(24e-9, 0.1))])
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    assert lower_fast(circuit, CALIBRATION, {("sx", (0,)): gate}) is None


WRONG = {
    "too many arguments": lambda c: c.append(Gate("mine", 1, [0.1, 0.2]), [0]),
    "argument that is not a number": lambda c: c.append(Gate("mine", 1, [float("inf")]), [0]),
    "another qubit": lambda c: c.append(Gate("mine", 1, [0.1]), [1]),
    "no bit for a capture": lambda c: c.append(Gate("listen", 1, [1e-7]), [2]),
}


@pytest.mark.parametrize("build", WRONG.values(), ids=WRONG)
def test_a_custom_gate_that_is_used_wrongly_is_left_to_the_slow_reader(build):
    circuit = QuantumCircuit(3, 1)
    circuit.sx(0)
    build(circuit)
    assert lower_fast(circuit, CALIBRATION, CUSTOM) is None
    with pytest.raises(CompileError):
        lower_slowly(circuit, CALIBRATION, CUSTOM)


@pytest.mark.parametrize("n", [100, 3000, 40_000])
def test_columns_grow_with_the_circuit(n):
    circuit = QuantumCircuit(N_QUBITS)
    for k in range(n):
        match k % 4:
            case 0:
                circuit.rz(A, k % 3)
            case 1:
                circuit.barrier()
            case 2:
                circuit.reset(0)
            case _:
                circuit.delay(20, 1, "ns")
    if n > 3000:
        fast = lower_fast(circuit, CALIBRATION)
        fast.verify()
        assert (len(fast.instructions), len(fast.barrier_qubits)) == (n, 3 * n // 4)
    else:
        same(circuit)


def test_registers_that_are_stretches_of_the_bits_or_not():
    bits = [Clbit() for _ in range(4)]
    circuit = QuantumCircuit(1)
    circuit.add_bits(bits)
    for name, chosen in (("low", [0, 1]), ("back", [3, 2]), ("all", [0, 1, 2, 3]), ("none", [])):
        circuit.add_register(ClassicalRegister(name=name, bits=[bits[k] for k in chosen]))
    circuit.measure(0, 2)
    assert same(circuit).interface.cregs == (
        ("low", (0, 1)),
        ("back", (3, 2)),
        ("all", (0, 1, 2, 3)),
        ("none", ()),
    )


UNSEEN = {
    "custom gate": lambda c: c.append(Gate("sx", 1, []), [0]),
    "long name": lambda c: c.append(Gate("a_gate_with_a_very_long_name", 1, []), [0]),
    "angle that is not a number": lambda c: c.rz(float("nan"), 0),
    "angle beyond all phases": lambda c: c.rz(1e9, 0),
    "open delay": lambda c: c.delay(Parameter("t"), 0),
    "delay off the grid": lambda c: c.delay(1.5, 0, "ns"),
    "gate that the device lacks": lambda c: c.h(0),
    "pair that the device lacks": lambda c: c.cz(0, 2),
    "three qubits": lambda c: c.ccx(0, 1, 2),
    "matrix": lambda c: c.unitary([[1, 0], [0, 1]], [0]),
    "control flow": lambda c: c.if_test((0, True), QuantumCircuit(1), [0], []),
    "store": lambda c: c.store(c.clbits[0], True),
    "variable": lambda c: c.add_var("v", expr.lift(False)),
    "delay as an expression": lambda c: c.delay(expr.lift(Duration.ns(100)), 0),
}


@pytest.mark.parametrize("build", UNSEEN.values(), ids=UNSEEN)
def test_what_the_c_api_cannot_show_is_left_to_the_slow_reader(build):
    circuit = QuantumCircuit(3, 1)
    circuit.sx(0)
    build(circuit)
    assert lower_fast(circuit, CALIBRATION) is None
    # With custom gates more is shown, but nothing else is read.
    assert lower_fast(circuit, CALIBRATION, {("mine", (0,)): MADE[0]}) is None
