"""Random circuits with stretches and boxes compile to what the same circuits with the reference's delays compile to."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Duration
from qiskit.circuit.classical import expr

from qctrl.compiler import CompileOptions, compile_circuit
from qctrl.errors import TimingError
from tests.reference import durations as reference
from tests.reference.lower import Gate
from tests.reference.schedule import Shot
from tests.unit.compiler import trio

CALIBRATION, SETUP = trio.calibration(), trio.setup()
SHOT = Shot(CALIBRATION, 100)
NAMES = ["a", "b", "c"]
GRID = 4

qubits = st.integers(0, 2)
straight = st.one_of(
    st.tuples(st.just("sx"), qubits),
    st.tuples(st.just("cz"), st.sampled_from([(0, 1), (1, 2)])),
    st.tuples(st.just("barrier"), st.sampled_from([(0, 1), (1, 2), (0, 1, 2)])),
    st.tuples(st.just("delay"), qubits, st.integers(0, 40).map(lambda n: GRID * n)),
    st.tuples(
        st.just("stretch"), qubits, st.sampled_from(NAMES), st.sampled_from([1, 2, 0.5]), st.sampled_from([0, 0, 10])
    ),
)


def boxed(inner):
    return st.tuples(
        st.just("box"), st.sampled_from([(0, 1), (0, 1, 2)]), st.integers(0, 150), st.lists(inner, max_size=6)
    )


steps = st.lists(st.one_of(straight, straight, boxed(st.one_of(straight, boxed(straight)))), max_size=10)


def inside(step, allowed):
    """Keep what lies on the qubits of the box around it."""
    name, on, *rest = step
    on = (on,) if isinstance(on, int) else on
    if not set(on) <= set(allowed):
        return None
    if name == "box":
        return (name, on, rest[0], [kept for each in rest[1] if (kept := inside(each, on)) is not None])
    return (name, on, *rest)


def write(circuit, chosen, stretches):
    for name, on, *rest in chosen:
        match name:
            case "sx":
                circuit.sx(on[0])
            case "cz":
                circuit.cz(*on)
            case "barrier":
                circuit.barrier(on)
            case "delay":
                circuit.delay(rest[0], on[0])
            case "stretch":
                length = expr.mul(rest[1], stretches[rest[0]]) if rest[1] != 1 else stretches[rest[0]]
                circuit.delay(expr.add(length, Duration.dt(rest[2])) if rest[2] else length, on[0])
            case _:
                with circuit.box(duration=GRID * rest[0], unit="dt"):
                    circuit.noop(*on)
                    write(circuit, rest[1], stretches)


def ops_of(chosen):
    """Return the same for the reference."""
    made = []
    for name, on, *rest in chosen:
        match name:
            case "barrier":
                made.append(reference.Op(on))
            case "delay":
                made.append(reference.Op(on, Fraction(rest[0])))
            case "stretch":
                made.append(reference.Op(on, Fraction(rest[2]), ((rest[0], Fraction(rest[1])),)))
            case "box":
                made.append(reference.Box(on, GRID * rest[0], ops_of(rest[1])))
            case _:
                made.append(reference.Op(on, Fraction(SHOT.duration(Gate(name, on)))))
    return tuple(made)


def write_literal(circuit, chosen, ops, *, late):
    for step, op in zip(chosen, ops, strict=True):
        if step[0] == "box":
            _, wait, contents = op
            circuit.barrier(step[1])
            circuit.delay(wait if late else 0, step[1][0])
            circuit.barrier(step[1])
            write_literal(circuit, step[3], contents, late=late)
            circuit.barrier(step[1])
            circuit.delay(0 if late else wait, step[1][0])
            circuit.barrier(step[1])
        elif step[0] in ("delay", "stretch"):
            circuit.delay(int(op.ticks), step[1][0])
        else:
            write(circuit, [step], {})


def used(chosen):
    for step in chosen:
        if step[0] == "stretch":
            yield step[2]
        elif step[0] == "box":
            yield from used(step[3])


@given(chosen=steps)
@settings(deadline=None, max_examples=150)
def test_stretches_become_the_delays_of_the_reference(chosen):
    chosen = [inside(step, (0, 1, 2)) for step in chosen]
    circuit = QuantumCircuit(3)
    names = sorted(set(used(chosen)))
    stretches = {name: circuit.add_stretch(name) for name in names}
    write(circuit, chosen, stretches)
    ops = ops_of(chosen)
    try:
        values = reference.stretches(ops, names)
    except reference.DoesNotFitError:
        with pytest.raises(TimingError, match=r"the box lasts .* s, its contents need"):
            compile_circuit(circuit, CALIBRATION, SETUP)
        return
    for method in ("alap", "asap"):
        literal, options = QuantumCircuit(3), CompileOptions(method=method)
        write_literal(literal, chosen, reference.literal(ops, values, GRID, {}), late=method == "alap")
        made = compile_circuit(circuit, CALIBRATION, SETUP, options=options)
        assert made.to_bytes() == compile_circuit(literal, CALIBRATION, SETUP, options=options).to_bytes()
