"""Whatever is edited, a cached compilation gives the program that an uncached one gives."""

import dataclasses
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Instruction, Parameter

from qctrl import pulse
from qctrl.calibration import Calibration, Document
from qctrl.compiler import CompileCache, CompileOptions, cache, compile_circuit, make_gate
from qctrl.errors import QctrlError
from tests.unit.compiler import trio

CALIBRATION, SETUP = trio.calibration(), trio.setup()
A, B = Parameter("a"), Parameter("b")
EXPRESSIONS = [A, B, A + 1.0, A * B, A - 0.5, 2 * A]

qubits = st.integers(0, 2)
gates = st.one_of(
    st.tuples(st.just("rz"), qubits, st.one_of(st.floats(-20, 20), st.sampled_from(EXPRESSIONS))),
    st.tuples(st.just("sx"), qubits),
    st.tuples(st.just("cz"), st.sampled_from([(0, 1), (1, 2)])),
    st.tuples(st.just("delay"), qubits, st.integers(0, 20)),
    st.tuples(st.just("measure"), qubits, st.integers(0, 2)),
    st.tuples(st.just("barrier"), st.sets(qubits, min_size=1).map(sorted)),
    st.tuples(st.just("reset"), qubits),
    st.tuples(st.just("if"), qubits, st.integers(0, 2)),
    st.tuples(st.just("box"), qubits, st.sampled_from([20, 24, 28, None])),
    st.tuples(st.just("mine"), st.sampled_from([0.1, -0.2, A, A / 2]), st.sampled_from([16e-9, 32e-9])),
)
circuits = st.tuples(st.lists(gates, max_size=12), st.sampled_from(["c", "d"]), st.sampled_from([3, 4]))


def build(content):
    steps, register, n_clbits = content
    circuit = QuantumCircuit(3)
    circuit.add_register(ClassicalRegister(n_clbits, register))
    for name, *rest in steps:
        match name:
            case "rz" | "delay":
                getattr(circuit, name)(rest[1], rest[0])
            case "cz":
                circuit.cz(*rest[0])
            case "mine":
                circuit.append(Instruction("mine", 1, 0, list(rest)), [0])
            case "box":
                with circuit.box(duration=rest[1], unit="dt"):
                    circuit.sx(rest[0])
            case "if":
                with circuit.if_test((circuit.clbits[rest[1]], True)):
                    circuit.sx(rest[0])
            case _:
                getattr(circuit, name)(*rest)
    return circuit


def gate(scale=1.0):
    amplitude, duration = Parameter("amplitude"), Parameter("duration")

    def pulses(a, d):
        return [pulse.play("q0.drive", pulse.constant(d, a * scale)), pulse.shift_phase("q0.drive", 0.25)]

    return {("mine", (0,)): make_gate("mine", [0], [amplitude, duration], pulses)}


GATES = gate()


def outcome(circuit, calibration=CALIBRATION, setup=SETUP, gates=GATES, **options):
    """Return everything that a compilation gives, or how it fails."""
    try:
        made = compile_circuit(circuit, calibration, setup, gates, **options)
    except QctrlError as error:
        return type(error), str(error)
    assert made.setup is setup
    bounds = [(each.port, each.fixed.tolist(), each.share.tolist(), each.limits) for each in made.bounds]
    words = made.bind(np.full((2, len(made.parameters)), 0.125)).to_bytes()
    return (
        made.to_bytes(),
        made.hash,
        made.interface,
        repr(made.expressions),
        made.rows.tobytes(),
        repr(made.values),
        bounds,
        words,
    )


@given(base=circuits, edited=circuits, method=st.sampled_from(["alap", "asap"]))
@settings(deadline=None, max_examples=60)
def test_another_circuit_or_method(base, edited, method):
    known = CompileCache()
    outcome(build(base), cache=known)
    assert outcome(build(edited), options=CompileOptions(method=method), cache=known) == outcome(
        build(edited), options=CompileOptions(method=method)
    )
    for _ in range(2):
        assert outcome(build(base), cache=known) == outcome(build(base))


@given(content=circuits, chosen=gates, place=st.integers(0, 12))
@settings(deadline=None, max_examples=100)
def test_one_instruction_is_edited(content, chosen, place):
    known, (steps, *rest) = CompileCache(), content
    edited = ([*steps[:place], chosen, *steps[place + 1 :]], *rest)
    outcome(build(content), cache=known)
    assert outcome(build(edited), cache=known) == outcome(build(edited))


def test_a_circuit_changed_in_place_is_compiled_anew():
    known, circuit = CompileCache(), QuantumCircuit(3, 1)
    for _ in range(3):
        assert outcome(circuit, cache=known) == outcome(circuit)
        circuit.sx(0)
        circuit.rz(0.5, 0)
    assert known.stats().hits == 0


def leaves(node, path=()):
    """Yield the paths of all numbers in a document."""
    if isinstance(node, dict | list | tuple):
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in pairs:
            yield from leaves(value, (*path, key))
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path


def scaled(node, path, factor):
    if not path:
        return type(node)(node * factor)
    key, *rest = path
    if isinstance(node, dict):
        return {**node, key: scaled(node[key], rest, factor)}
    return [scaled(each, rest, factor) if index == key else each for index, each in enumerate(node)]


DOCUMENT = CALIBRATION.document.model_dump(mode="json", by_alias=True, exclude_none=True)
EVERYTHING = build(
    (
        [
            ("sx", 0),
            ("rz", 0, A),
            ("cz", (0, 1)),
            ("cz", (1, 2)),
            ("delay", 1, 40),
            *(("sx", qubit) for qubit in range(3)),
            *(("measure", qubit, qubit) for qubit in range(3)),
            ("reset", 0),
            ("reset", 1),
            ("reset", 2),
            ("if", 1, 0),
            ("mine", A, 16e-9),
        ],
        "c",
        3,
    )
)


@pytest.mark.parametrize("path", list(leaves(DOCUMENT)), ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("factor", [2, 0.5])
def test_any_number_of_the_calibration(path, factor):
    try:
        calibration = Calibration.from_document(Document.model_validate(scaled(DOCUMENT, path, factor)))
        setup = trio.setup(calibration)
    except (QctrlError, ValueError):
        return  # refused before there is anything to compile
    known = CompileCache()
    outcome(EVERYTHING, cache=known)
    assert outcome(EVERYTHING, calibration, setup, cache=known) == outcome(EVERYTHING, calibration, setup)
    assert known.stats().hits == 0 or calibration.hash == CALIBRATION.hash


PORT_EDITS = [
    {name: edit}
    for name, edit in {
        "granularity_ticks": 8,
        "sample_ticks": 2,
        "full_scale_v": 0.5,
        "max_amplitude": 0.5,
        "dac_bits": 14,
        "lo_hz": 4.9e9,
        "delay_ticks": 4,
        "iir": ((0.01, 1e-7),),
        "fir": (1.0, 0.01),
    }.items()
]


@pytest.mark.parametrize("edit", PORT_EDITS, ids=lambda edit: next(iter(edit)))
def test_any_field_of_a_port(edit):
    setup = trio.setup(q0__drive=edit)
    known = CompileCache()
    outcome(EVERYTHING, cache=known)
    assert outcome(EVERYTHING, setup=setup, cache=known) == outcome(EVERYTHING, setup=setup)
    assert known.stats().hits == 0


@pytest.mark.parametrize(
    "change", [{"bit_latency_ticks": 40}, {"shot_grid_ticks": 400}, {"device": "other"}, {"tick_den": 2 * 10**9}]
)
def test_any_clock_of_the_rack(change):
    setup = dataclasses.replace(SETUP, **change)
    known = CompileCache()
    outcome(EVERYTHING, cache=known)
    assert outcome(EVERYTHING, setup=setup, cache=known) == outcome(EVERYTHING, setup=setup)
    assert known.stats().hits == 0


def test_the_program_that_is_edited_has_everything():
    made = compile_circuit(EVERYTHING, CALIBRATION, SETUP, GATES)
    assert made.program.has_branches
    assert made.values
    assert len(made.program.captures) > 3
    assert made.interface.structure


def test_an_equal_setup_is_another_object():
    known, other = CompileCache(), trio.setup()
    outcome(EVERYTHING, cache=known)
    assert outcome(EVERYTHING, setup=other, cache=known) == outcome(EVERYTHING, setup=other)
    assert known.stats().hits == 1


def test_the_label_of_the_calibration_is_that_of_the_caller():
    known, calibration = CompileCache(), trio.edited(("id: ", "id: new-"))
    assert calibration.hash == CALIBRATION.hash
    outcome(EVERYTHING, cache=known)
    assert outcome(EVERYTHING, calibration, cache=known) == outcome(EVERYTHING, calibration)


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.0 + 2**-40])
def test_pulses_of_a_custom_gate(scale):
    known, other = CompileCache(), gate(scale)
    outcome(EVERYTHING, cache=known)
    assert outcome(EVERYTHING, gates=other, cache=known) == outcome(EVERYTHING, gates=other)
    assert known.stats().hits == (scale == 1.0)


def test_the_version_of_the_compiler():
    known = CompileCache()
    outcome(EVERYTHING, cache=known)
    with mock.patch.object(cache, "__version__", "another"):
        assert outcome(EVERYTHING, cache=known) == outcome(EVERYTHING)
    assert (known.stats().hits, known.stats().misses) == (0, 2)


def test_zeros_of_either_sign_are_one_number():
    known = CompileCache()
    for zero in (0.0, -0.0):
        circuit = build(([("mine", zero, 16e-9), ("rz", 0, A * zero), ("sx", 0)], "c", 3))
        assert outcome(circuit, cache=known) == outcome(circuit)
