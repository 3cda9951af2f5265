"""Random circuits with timed boxes, on and off the grid, play what the reference places, late and soon."""

import itertools
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit

from qctrl.compiler import CompileOptions, compile_circuit, lower, schedule
from qctrl.errors import TimingError
from qctrl.ir import Opcode
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
    st.tuples(st.just("stretch"), qubits, st.sampled_from(["a", "b"])),
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


def write(circuit, chosen, stretches):
    for name, on, *rest in chosen:
        match name:
            case "box":
                with circuit.box(duration=rest[0], unit="dt"):
                    circuit.noop(*on)
                    write(circuit, rest[1], stretches)
            case "delay":
                circuit.delay(rest[0], on[0])
            case "stretch":
                circuit.delay(stretches[rest[0]], on[0])
            case "measure":
                circuit.measure(on[0], on[0])
            case _:
                getattr(circuit, name)(*([on] if name == "barrier" else on))


def ops_of(chosen, lengths):
    """Return the same for the reference; ``lengths`` are those of the stretches, in order."""
    made = []
    for name, on, *rest in chosen:
        gate = Gate("delay", on, next(lengths)) if name == "stretch" else Gate(name, on, rest[0] if rest else 0)
        if name == "box":
            made.append(reference.Box(on, rest[0], ops_of(rest[1], lengths)))
        else:
            made.append(reference.Op(gate.name, on, SHOT.duration(gate), SHOT.alignment(gate)))
    return made


def chosen_lengths(gates, chosen):
    """Return the lengths that the compiler chose for the stretches, in order."""
    waits = {row for box in gates.boxes for row in (box.front, box.back)}
    rows = np.flatnonzero(gates.instructions["opcode"] == Opcode.DELAY).tolist()
    ticks = [int(gates.instructions["ticks"][row]) for row in rows if row not in waits]
    return [length for name, length in zip(delays_of(chosen), ticks, strict=True) if name == "stretch"]


def delays_of(chosen):
    for name, _, *rest in chosen:
        if name == "box":
            yield from delays_of(rest[1])
        elif name in ("delay", "stretch"):
            yield name


def fits(chosen, lengths, *, late):
    try:
        return reference.place(ops_of(chosen, lengths), 3, SHOT.grid, late=late)
    except reference.DoesNotFitError:
        return None


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
    write(circuit, chosen, {name: circuit.add_stretch(name) for name in "ab"})
    late, gates, placed = method == "alap", None, None
    with suppress(TimingError):
        gates = lower(circuit, CALIBRATION)
        placed = fits(chosen, iter(chosen_lengths(gates, chosen)), late=late)
    if gates is None or placed is None:
        assert fits(chosen, itertools.repeat(0), late=late) is None
        with pytest.raises(TimingError, match=r"instruction \d: box on qubits .*: the box lasts .* s, its contents"):
            compile_circuit(circuit, CALIBRATION, SETUP, options=CompileOptions(method=method))
        return
    pulses = schedule(gates, CALIBRATION, method=method)
    ports = [pulses.ports[port] for port in pulses.frames["port"].tolist()]
    rows = zip(*(pulses.plays[name].tolist() for name in ("frame", "start_ticks", "length_ticks")), strict=True)
    assert sorted((ports[frame], start, length) for frame, start, length in rows) == played(placed)
