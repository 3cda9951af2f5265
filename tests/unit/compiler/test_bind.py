"""Values become words, or an error that says which and why."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qctrl.compiler import compile_circuit
from qctrl.errors import CompileError, ResourceError
from tests.unit.compiler import trio

A, B = Parameter("a"), Parameter("b")


def program(*angles):
    circuit = QuantumCircuit(1)
    for angle in angles:
        circuit.rz(angle, 0)
        circuit.sx(0)
    return compile_circuit(circuit, trio.calibration(), trio.setup())


def test_rows_are_running_sums_of_rounded_angles():
    words = program(A, 2 * B).bind([math.pi / 2, math.pi / 4]).words
    assert words.tolist() == [[0, 2**30, 2**31]]


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (0,)])
def test_any_shape_of_bindings_becomes_rows_in_c_order(shape):
    values = np.arange(2 * math.prod(shape), dtype=float).reshape(*shape, 2)
    compiled = program(A, B)
    patch = compiled.bind(values)
    assert patch.words.shape == (math.prod(shape), 3)
    for row, pair in zip(patch.words, values.reshape(-1, 2), strict=True):
        assert row.tolist() == compiled.bind(pair).words[0].tolist()


def test_a_patch_names_its_program_and_is_valid():
    compiled = program(A)
    patch = compiled.bind([[0.1], [0.2]])
    patch.verify_for(compiled.program)
    assert not patch.words.flags.writeable


def test_a_program_without_parameters_binds_to_the_zero_row():
    assert program(0.5).bind(np.zeros((4, 0))).words.tolist() == [[0]] * 4


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (0.5, r"shape \(\); the last axis must have 2 entries, for a, b"),
        ([0.5], r"shape \(1,\)"),
        ([[0.5, 1.0, 2.0]], r"shape \(1, 3\)"),
        (["x", "y"], "not an array of real numbers"),
        ([1j, 2j], "not an array of real numbers"),
        ([0.5, math.nan], "binding 0: parameter b is nan; bind a finite number"),
        ([[0.5, 0.5], [math.inf, 0.5]], "binding 1: parameter a is inf"),
    ],
)
def test_values_that_do_not_fit_are_refused(values, match):
    with pytest.raises(CompileError, match=match):
        program(A, B).bind(values)


def test_values_for_a_program_without_parameters_are_refused():
    with pytest.raises(CompileError, match="must have 0 entries, for no parameters"):
        program(0.5).bind([0.5])


def test_an_undefined_angle_is_refused():
    with pytest.raises(CompileError, match=r"binding 1: angle a log \(postfix\) is nan; it must be finite"):
        program(A.log()).bind([[1.0], [-1.0]])


def test_an_angle_beyond_the_range_of_a_phase_is_refused():
    with pytest.raises(ResourceError, match=r"binding 1: angle .*a.* is 5e\+09: .*reduce it modulo 2 pi"):
        program(A * 1e9).bind([[0.0], [5.0]])
