"""How long shots take, against the interpreter of one shot."""

import itertools
from unittest import mock

import pytest
from hypothesis import given, settings
from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr, types

from qctrl.compiler import compile_circuit
from qctrl.execution.shot_time import shot_time
from tests.property.test_flow_matches_reference import BLOCKS, N_BITS, programs
from tests.reference import flow as reference
from tests.unit.compiler import trio
from tests.unit.firmware_sim import toys

LIMIT = 10_000
CALIBRATION, SETUP = trio.calibration(), trio.setup()


def ticks_of(program, setup, reads, limit=LIMIT):
    """Return how long a shot takes whose captures read some bits, then 0; ``None`` if it does not end."""
    script = itertools.chain(reads, itertools.repeat(0))
    plays = lambda block: [next(script) for _ in reference.captures_of(program, block)]  # noqa: E731
    shot = reference.run(program, setup, plays, limit)
    return shot.tick if shot.ended else None


@given(rows=programs)
@settings(deadline=None, max_examples=40)
def test_no_shot_of_a_bounded_program_takes_longer(rows):
    program, setup = toys.program(BLOCKS, [*rows, toys.END], n_clbits=N_BITS, n_captures=2), toys.setup()
    with mock.patch("qctrl.execution.shot_time._MOST_STEPS", 500):
        found = shot_time(program, setup)
    for reads in itertools.product((0, 1), repeat=4) if found.is_bounded else ():
        ticks = ticks_of(program, setup, reads)
        assert ticks is not None, "a bounded program of so few instructions ends soon"
        assert ticks <= found.ticks


def dynamic(kind):
    circuit = QuantumCircuit(3, 3)
    circuit.measure(0, 0)
    if kind == "if":
        with circuit.if_test((0, 1)) as otherwise:
            circuit.x(1)
        with otherwise:
            circuit.delay(400, 1, "ns")
        with circuit.if_test((0, 0)):
            circuit.delay(300, 1, "ns")
    elif kind == "for":
        with circuit.for_loop(range(75)):
            circuit.x(1)
            circuit.measure(1, 1)
            with circuit.if_test((1, 1)):
                circuit.x(0)
    elif kind == "variable":
        var = circuit.add_var("v", expr.lift(0, types.Uint(8)))
        with circuit.while_loop(expr.less(var, expr.lift(9, types.Uint(8)))):
            circuit.x(1)
            circuit.store(var, expr.add(var, expr.lift(2, types.Uint(8))))
    return circuit


@pytest.mark.parametrize("kind", ["line", "if", "for", "variable"])
def test_what_is_bounded_is_the_longest_shot(kind):
    """Whatever the bits are in the first shots of the search, the longest of them is the estimate."""
    program = compile_circuit(dynamic(kind), CALIBRATION, SETUP).program
    found = shot_time(program, SETUP)
    reads = [[bit] * 100 for bit in (0, 1)]
    assert found.is_bounded
    assert found.ticks == max(ticks_of(program, SETUP, each) for each in reads)


def test_a_loop_that_a_measured_bit_ends_is_counted_once():
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.while_loop((0, 1)):
        circuit.x(0)
        circuit.measure(0, 0)
    program = compile_circuit(circuit, CALIBRATION, SETUP).program
    found = shot_time(program, SETUP)
    assert not found.is_bounded
    assert found.ticks == ticks_of(program, SETUP, [1, 0])


def test_what_takes_too_many_steps_is_counted_block_by_block(monkeypatch):
    monkeypatch.setattr("qctrl.execution.shot_time._MOST_STEPS", 500)
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(1000)):
        circuit.x(0)
    program = compile_circuit(circuit, CALIBRATION, SETUP).program
    found = shot_time(program, SETUP)
    assert (found.ticks, found.is_bounded) == (int(program.blocks["length_ticks"].sum()), False)
