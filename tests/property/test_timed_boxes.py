"""Random circuits with timed boxes, on and off the grid, play what the reference places, late and soon."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit

from qctrl.compiler import CompileOptions, compile_circuit, lower, schedule
from qctrl.errors import TimingError
from tests.reference import boxes as reference
from tests.reference.lower import Gate
from tests.reference.schedule import Shot
from tests.unit.compiler import trio

CALIBRATION, SETUP = trio.calibration(), trio.setup()
SHOT = Shot(CALIBRATION, 100)

qubits = st.integers(0, 2).map(lambda qubit: (qubit,))
straight = st.one_of(
    st.tuples(st.sampled_from(["sx", "sx", "measure"]), qubits),
    st.tuples(st.just("cz"), st.sampled_from([(0, 1), (1, 2)])),
    st.tuples(st.just("barrier"), st.sampled_from([(0, 1), (1, 2), (0, 1, 2)])),
    st.tuples(st.just("delay"), qubits, st.integers(0, 40)),
)


def boxed(inner):
    lengths = st.integers(0, 60) | st.integers(130, 400)
    on = st.sampled_from([(0, 1), (0, 1, 2), (1,)])
    return st.tuples(st.just("box"), on, lengths.map(lambda n: 4 * n), st.lists(inner, max_size=5))


steps = st.lists(st.one_of(straight, boxed(st.one_of(straight, boxed(straight)))), max_size=8)


def inside(chosen, allowed):
    """Keep what lies on the qubits of the box around it."""
    kept = [step for step in chosen if set(step[1]) <= set(allowed)]
    return [(*step[:3], inside(step[3], step[1])) if step[0] == "box" else step for step in kept]


def write(circuit, chosen):
    for name, on, *rest in chosen:
        match name:
            case "box":
                with circuit.box(duration=rest[0], unit="dt"):
                    circuit.noop(*on)
                    write(circuit, rest[1])
            case "delay":
                circuit.delay(rest[0], on[0])
            case "measure":
                circuit.measure(on[0], on[0])
            case _:
                getattr(circuit, name)(*([on] if name == "barrier" else on))


def ops_of(chosen):
    made = []
    for name, on, *rest in chosen:
        gate = Gate(name, on, rest[0] if name == "delay" else None)
        if name == "box":
            made.append(reference.Box(on, rest[0], ops_of(rest[1])))
        else:
            made.append(reference.Op(name, on, SHOT.duration(gate), SHOT.alignment(gate)))
    return made


def played(placed):
    shot = Shot(CALIBRATION, 100)
    for op, start in placed:
        shot.play(Gate(op.name, op.qubits, clbit=op.qubits[0]), start)
    return sorted((play.port, play.start, play.length) for play in shot.plays)


@pytest.mark.parametrize("method", ["alap", "asap"])
@given(chosen=steps)
@settings(deadline=None, max_examples=150)
def test_boxes_last_as_long_as_they_say(method, chosen):
    chosen = inside(chosen, (0, 1, 2))
    circuit = QuantumCircuit(3, 3)
    write(circuit, chosen)
    try:
        placed = reference.place(ops_of(chosen), 3, SHOT.grid, late=method == "alap")
    except reference.DoesNotFitError:
        with pytest.raises(TimingError, match=r"instruction \d: box on qubits .*: the box lasts .* s, its contents"):
            compile_circuit(circuit, CALIBRATION, SETUP, options=CompileOptions(method=method))
        return
    pulses = schedule(lower(circuit, CALIBRATION), CALIBRATION, method=method)
    ports = [pulses.ports[port] for port in pulses.frames["port"].tolist()]
    rows = zip(*(pulses.plays[name].tolist() for name in ("frame", "start_ticks", "length_ticks")), strict=True)
    assert sorted((ports[frame], start, length) for frame, start, length in rows) == played(placed)
