"""Angles of fractional gates: read, and refused out of bounds, as numbers at once and open when they are bound."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter

from qctrl.compiler import compile_circuit, lower
from qctrl.errors import CompileError, UnsupportedInstructionError
from qctrl.ir import Expression
from tests.unit.compiler import cross

A, B = Parameter("a"), Parameter("b")


def circuit(name, angle, *qubits):
    made = QuantumCircuit(3)
    made.sx(0)
    getattr(made, name)(angle, *qubits)
    return made


def compiled(made):
    return compile_circuit(made, cross.calibration(), cross.setup())


@pytest.mark.parametrize(
    ("name", "angle", "qubits", "bounds"),
    [
        ("rx", 3.2, (0,), r"\[-3\.14159265, 3\.14159265\]"),
        ("rzz", -0.1, (2, 1), r"\[0, 1\.57079633\]"),
        ("rzz", -1.6, (1, 0), r"\[-1\.57079633, 1\.57079633\]"),
        ("rzx", 3.2, (1, 2), r"\[-1\.57079633, 3\.14159265\]"),
        ("rx", math.nan, (2,), r"\[-3\.14159265, 3\.14159265\]"),
        ("rx", math.inf, (2,), r"\[-3\.14159265, 3\.14159265\]"),
    ],
)
def test_a_number_out_of_bounds_is_refused_with_place_angle_bounds_and_remedy(name, angle, qubits, bounds):
    where = ", ".join(map(str, qubits)) + ("," if len(qubits) == 1 else "")
    message = (
        rf"^instruction 1: {name} on qubits \({where}\): angle {angle!r} rad is out of bounds {bounds}; "
        "transpile the circuit for this backend$"
    )
    with pytest.raises(CompileError, match=message) as caught:
        compiled(circuit(name, angle, *qubits))
    assert (caught.value.instruction, caught.value.gate, caught.value.qubits) == (1, name, qubits)


@pytest.mark.parametrize(
    ("name", "angle", "qubits", "values", "message"),
    [
        ("rx", A, (0,), [[1.0], [-3.2]], r"binding 1: instruction 1: rx on qubits \(0,\): angle -3\.2 rad with a = -3"),
        ("rzz", A * B, (2, 1), [0.5, -0.5], r"binding 0: .*: angle -0\.25 rad with a = 0\.5, b = -0\.5 is out of bou"),
        ("rzx", A + B, (1, 2), [[0.0, 0.0]] * 3 + [[2.0, 1.2]], r"binding 3: .*: angle 3\.2 rad with a = 2\.0, b = 1"),
        ("rzz", A / B, (0, 1), [1.0, 0.0], r"angle inf rad with a = 1\.0, b = 0\.0 is out of bounds"),
        ("rzz", A.log(), (0, 1), [-1.0], r"angle nan rad with a = -1\.0 is out of bounds"),
    ],
)
def test_values_that_bring_an_angle_out_of_bounds_are_refused_when_they_are_bound(name, angle, qubits, values, message):
    program = compiled(circuit(name, angle, *qubits))
    with pytest.raises(CompileError, match=message) as caught:
        program.bind(values)
    assert str(caught.value).endswith("; bind another value")
    assert (caught.value.instruction, caught.value.gate, caught.value.qubits) == (1, name, qubits)


@pytest.mark.parametrize("angle", [math.pi / 2, math.pi / 2 + 1e-12, 0.0, -1e-12])
def test_bounds_are_included_with_room_for_rounding(angle):
    compiled(circuit("rzz", angle, 2, 1))
    compiled(circuit("rzz", A, 2, 1)).bind([angle])


def test_the_same_angle_is_checked_against_the_bounds_of_every_gate():
    made = circuit("rzz", A, 0, 1)
    made.rzz(A, 1, 0)
    made.rzz(A, 2, 1)
    program = compiled(made)
    assert [(bound.low_rad, bound.qubits, bound.source) for bound in program.angles] == [
        (-math.pi / 2, (0, 1), 1),
        (0.0, (2, 1), 3),
    ]
    with pytest.raises(CompileError, match=r"instruction 3: rzz on qubits \(2, 1\)"):
        program.bind([-0.5])


def test_an_angle_inside_control_flow_is_checked_too():
    made = QuantumCircuit(3, 1)
    with made.if_test((0, True)):
        made.rzz(A, 2, 1)
    with pytest.raises(CompileError, match=r"rzz on qubits \(2, 1\): angle -0\.5 rad"):
        compiled(made).bind([-0.5])


def test_a_gate_with_too_many_or_too_few_angles_is_refused():
    for name, params, message in (
        ("rx", [], "it takes one angle, not 0"),
        ("rx", [0.1, 0.2], "it takes one angle, not 2"),
        ("sx", [0.1], "it takes no parameter, not 1"),
    ):
        made = QuantumCircuit(1)
        made.append(Gate(name, 1, params), [0])
        with pytest.raises(
            UnsupportedInstructionError, match=rf"instruction 0: {name} on qubits \(0,\): {message}; tra"
        ):
            compiled(made)


def test_a_direction_that_the_device_lacks_is_refused():
    for name, qubits in (("ecr", (0, 1)), ("cx", (1, 2))):
        made = QuantumCircuit(3)
        getattr(made, name)(*qubits)
        with pytest.raises(UnsupportedInstructionError, match=rf"{name} on qubits .*; transpile"):
            compiled(made)
    with pytest.raises(UnsupportedInstructionError, match=r"rzz on qubits \(1, 2\).*; transpile"):
        compiled(circuit("rzz", 0.5, 1, 2))


def test_equal_angles_share_a_site():
    made = circuit("rx", 0.5, 0)
    for angle in (0.5, A, 1 * A, A, 0.25):
        made.rx(angle, 0)
    program = lower(made, cross.calibration())
    once = Expression((("parameter", 0),))
    assert [site.arguments for site in program.sites if site.name == "rx"][:2] == [(0.5,), (once,)]
    assert len({site.arguments for site in program.sites if site.name == "rx"}) == len(
        [site for site in program.sites if site.name == "rx"]
    )


def test_many_bindings_give_the_words_of_each():
    program = compiled(circuit("rzz", 2 * A, 0, 1))
    values = np.linspace(-0.7, 0.7, 7)[:, None]
    words = program.bind(values).words
    assert [row.tolist() for row in words] == [program.bind(row).words[0].tolist() for row in values]
    assert len(np.unique(words, axis=0)) == 7
