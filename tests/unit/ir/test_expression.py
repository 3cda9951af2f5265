"""Expressions evaluate as Qiskit's do, and refuse what they cannot hold."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qctrl.compiler import lower
from qctrl.errors import CompileError
from qctrl.ir import Expression
from tests.unit.compiler import trio

A, B, C = Parameter("a"), Parameter("b"), Parameter("c")
FORMS = [
    A,
    -A,
    2 * A + 0.3,
    1 - A,
    3 - (A * B),
    A - (B * C),
    (B * C) - A,
    (A + B) / (B + C),
    2 / A,
    A**2,
    2**A,
    A ** (B + C),
    abs(-A * B),
    A.sin() - B.cos() * C.tan(),
    (A / 10).arcsin() + (B / 10).arccos() + C.arctan(),
    (A + B).exp().log(),
    A.sign() * B.conjugate(),
    (A + B).assign(A, C * 2),
    (A * B).bind({A: 0.25}),
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_an_expression_evaluates_as_in_qiskit(form):
    circuit = QuantumCircuit(1)
    circuit.rz(form, 0)
    program = lower(circuit, trio.calibration())
    parameters = list(circuit.parameters)
    rng = np.random.default_rng(5)
    values = rng.uniform(0.2, 3.0, (6, len(parameters)))
    expected = [
        float(form.bind(dict(zip(parameters, row.tolist(), strict=True)))) if parameters else 0.0 for row in values
    ]
    found = program.expressions[0].evaluate(values)
    np.testing.assert_allclose(found, expected, rtol=4e-16, atol=1e-16)


def test_an_undefined_value_is_nan_without_a_warning():
    expression = Expression((("parameter", 0), ("log", 0)))
    assert math.isnan(expression.evaluate(np.array([[-1.0]]))[0])


def test_text_is_postfix_with_names():
    expression = Expression((("constant", 2.0), ("parameter", 1), ("mul", 0)))
    assert expression.text(("x", "y")) == "2.0 y mul"


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (("constant", 1.0), ("constant", 1.0)),
        (("add", 0),),
        (("constant", 1.0), ("add", 0)),
        (("parameter", 2),),
        (("constant", 1.0), ("erf", 0)),
    ],
)
def test_a_malformed_expression_is_refused(steps):
    with pytest.raises(CompileError, match="parameter expression"):
        Expression(steps).verify(2)


def test_arguments_replace_parameters():
    form = Expression((("parameter", 1), ("parameter", 0), ("mul", 0), ("constant", 1.0), ("add", 0)))
    assert form.parameters == {0, 1}
    half_open = form.substitute([0.5, Expression((("parameter", 3), ("sin", 0)))])
    assert half_open.parameters == {3}
    assert half_open.evaluate(np.array([[0.0, 0.0, 0.0, 0.3]])) == pytest.approx(0.5 * math.sin(0.3) + 1)
    closed = form.substitute([0.5, 4.0])
    assert closed.parameters == frozenset()
    assert closed.evaluate(np.empty((1, 0))).tolist() == [3.0]
