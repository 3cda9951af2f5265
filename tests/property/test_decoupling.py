"""Decoupling fills windows as the definitions say, moves nothing else, and leaves every circuit what it was."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit

from qctrl.compiler import CompileOptions, Decoupling, compile_circuit
from qctrl.units import gain_word
from tests.property.test_compiled_unitaries import CALIBRATION as CROSS
from tests.property.test_compiled_unitaries import SETUP as CROSS_SETUP
from tests.property.test_compiled_unitaries import assert_same
from tests.property.test_compiled_unitaries import native as cross_native
from tests.property.test_compiler_circuits import build, gates, run
from tests.reference import decouple as reference
from tests.reference import ideal_qubits
from tests.reference.lower import lower as reference_lower
from tests.reference.schedule import ceil_to
from tests.unit.compiler import trio

CALIBRATION, SETUP = trio.calibration(), trio.setup()
decouplings = st.builds(
    Decoupling, st.sampled_from(["XX", "XpXm", "XY4"]), st.sampled_from(["middle", "edges"]), st.booleans()
)
methods = st.sampled_from(["alap", "asap"])
waits = st.tuples(st.just("delay"), st.integers(0, 2), st.integers(0, 2000))
steps_of = st.lists(st.one_of(waits, gates), max_size=20)


def is_straight(step):
    return step[0] != "reset" or step[1] == 2


def plays_of(circuit, **options):
    made = compile_circuit(circuit, CALIBRATION, SETUP, options=CompileOptions(**options))
    return made, run(made.program, np.zeros(1, dtype=np.int64), [0] * 40)


@given(steps=st.lists(st.one_of(waits, gates.filter(is_straight)), max_size=20), decoupling=decouplings)
@settings(deadline=None, max_examples=40)
def test_windows_are_filled_as_the_definitions_say(steps, decoupling):
    circuit = build(steps)
    made, (plays, captures, now) = plays_of(circuit, decoupling=decoupling)
    wanted = reference.shot(reference_lower(circuit, 1e-9), CALIBRATION, decoupling)
    assert plays == sorted(
        (p.port, p.start, ceil_to(p.length, 4), round(p.frequency_hz), gain_word(p.amplitude), p.phase)
        for p in wanted.plays
    )
    assert captures == sorted((c.start, c.length, round(c.frequency_hz), c.clbit) for c in wanted.captures)
    assert now == wanted.now
    assert made.text().endswith(f"in {len(wanted.added)} windows")


@given(steps=steps_of, decoupling=decouplings, method=methods)
@settings(deadline=None, max_examples=30)
def test_nothing_else_moves(steps, decoupling, method):
    circuit = build(steps)
    _, (plain, captures, now) = plays_of(circuit, method=method)
    _, (filled, captures_too, now_too) = plays_of(circuit, method=method, decoupling=decoupling)
    assert (captures, now) == (captures_too, now_too)
    assert set(plain) <= set(filled)
    spans = sorted((port, start, start + length) for port, start, length, *_ in filled if port.endswith("drive"))
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in pairwise(spans))


@given(
    steps=st.lists(st.one_of(waits, gates.filter(lambda step: step[0] not in ("reset", "measure"))), max_size=20),
    decoupling=decouplings,
    method=methods,
)
@settings(deadline=None, max_examples=30)
def test_the_unitary_stays(steps, decoupling, method):
    circuit = build(steps)
    plain, filled = (
        ideal_qubits.unitary(plays_of(circuit, method=method, decoupling=each)[0], CALIBRATION, [0])
        for each in (None, decoupling)
    )
    at = np.unravel_index(np.argmax(np.abs(plain)), plain.shape)
    assert filled * (plain[at] / filled[at]) == pytest.approx(plain, abs=1e-9)


@given(steps=st.lists(st.one_of(waits, cross_native()), max_size=15), decoupling=decouplings, method=methods)
@settings(deadline=None, max_examples=30)
def test_the_unitary_stays_beside_cross_resonance_tones(steps, decoupling, method):
    """A target's frames on its neighbours' drives are busy with it."""
    circuit = QuantumCircuit(3)
    for name, where, value in steps:
        arguments = () if value is None else (value,)
        getattr(circuit, name)(*((value, where) if name == "delay" else (*arguments, *where)))
    made = compile_circuit(circuit, CROSS, CROSS_SETUP, options=CompileOptions(method, decoupling))
    assert_same(circuit, made)


@st.composite
def dynamic(draw):
    """A circuit with nested decisions and loops, and long waits in them."""
    circuit = QuantumCircuit(3, 4)
    pieces = st.lists(st.one_of(waits, gates.filter(lambda step: step[0] != "barrier")), max_size=5)

    def append_pieces():
        piece = build(draw(pieces))
        for each in piece.data:
            circuit.append(each.operation, map(piece.qubits.index, each.qubits), map(piece.clbits.index, each.clbits))

    def append(depth):
        append_pieces()
        if depth == 0:
            return
        kind = draw(st.sampled_from(["if", "else", "for", "none"]))
        if kind == "for":
            with circuit.for_loop(range(draw(st.sampled_from([2, 18])))):
                append(depth - 1)
        elif kind != "none":
            with circuit.if_test((draw(st.integers(0, 3)), 1)) as otherwise:
                append(depth - 1)
            if kind == "else":
                with otherwise:
                    append(depth - 1)
        append_pieces()

    append(2)
    circuit.measure([0, 1, 2], [0, 1, 2])
    return circuit


@given(circuit=dynamic(), decoupling=decouplings, method=methods, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_dynamic_circuits_measure_what_they_measured(circuit, decoupling, method, seed):
    """The same random numbers give the same records, with equal probabilities at every measurement."""
    seen = []
    for each in (None, decoupling):
        made = compile_circuit(circuit, CALIBRATION, SETUP, options=CompileOptions(method, each))
        rng, chances = np.random.default_rng(seed), []

        def choose(chance, rng=rng, chances=chances):
            chances.append(chance)
            return int(rng.random() < chance)

        seen.append((ideal_qubits.shot(made, CALIBRATION, [0], choose), chances))
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] == pytest.approx(seen[1][1], abs=1e-9)
