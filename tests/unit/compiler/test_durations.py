"""Lengths of delays: numbers with units, and expressions."""

from fractions import Fraction

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Duration, Parameter
from qiskit.circuit.classical import expr, types

from qctrl.compiler.durations import length_of, whole_ticks
from qctrl.errors import TimingError, UnsupportedInstructionError

NS = Fraction(1, 10**9)
CIRCUIT = QuantumCircuit(1)
A, B = CIRCUIT.add_stretch("a"), CIRCUIT.add_stretch("b")


def shares(length):
    return {stretch.name: factor for stretch, factor in length.shares}


@pytest.mark.parametrize(
    ("duration", "unit", "ticks"),
    [(12, "dt", 12), (0.1, "us", 100), (7e3, "ps", 7), (1e-6, "s", 1000), (0.5, "ns", Fraction(1, 2))],
)
def test_numbers_are_exact(duration, unit, ticks):
    assert length_of(duration, unit, NS).ticks == ticks


@pytest.mark.parametrize(
    ("duration", "ticks", "expected"),
    [
        (A, 0, {"a": 1}),
        (expr.add(Duration.us(1), Duration.ns(5)), 1005, {}),
        (expr.sub(expr.mul(2.0, A), Duration.ns(10)), -10, {"a": 2}),
        (expr.div(expr.add(A, B), 4), 0, {"a": Fraction(1, 4), "b": Fraction(1, 4)}),
        (expr.sub(A, A), 0, {}),
        (expr.negate(expr.sub(A, Duration.dt(8))), 8, {"a": -1}),
        (expr.mul(A, expr.div(Duration.ns(10), Duration.ns(4))), 0, {"a": Fraction(5, 2)}),
        (expr.mul(expr.cast(expr.lift(3), types.Float()), Duration.ns(2)), 6, {}),
    ],
)
def test_expressions_are_linear_in_their_stretches(duration, ticks, expected):
    length = length_of(duration, "expr", NS)
    assert (length.ticks, shares(length)) == (ticks, expected)
    assert length.at({A: Fraction(100), B: Fraction(20)}) == ticks + sum(
        factor * {"a": 100, "b": 20}[name] for name, factor in expected.items()
    )


@pytest.mark.parametrize(
    ("duration", "error", "message"),
    [
        (expr.mul(expr.div(A, B), A), TimingError, "cannot be evaluated; use sums"),
        (expr.div(Duration.ns(1), 0), TimingError, "divides by zero"),
        (float("nan"), TimingError, "must be finite"),
        (Parameter("t"), UnsupportedInstructionError, "depends on a parameter.*one program per distinct value"),
    ],
)
def test_what_is_no_length_is_refused(duration, error, message):
    with pytest.raises(error, match=message):
        length_of(duration, "ns", NS)


def test_whole_steps_are_accepted_and_others_named():
    assert whole_ticks(Fraction(12), "dt", NS) == 12
    assert whole_ticks(Fraction(12) + Fraction(1, 10**8), "dt", NS, 4) == 12
    with pytest.raises(TimingError, match=r"14 ns is 3.5.* steps of 4 ticks.*give 12 ns or 16 ns, or let transpile"):
        whole_ticks(Fraction(14), "ns", NS, 4)
    with pytest.raises(TimingError, match=r"2.5 dt .*give 2 dt or 3 dt"):
        whole_ticks(Fraction(5, 2), "expr", NS)
    with pytest.raises(TimingError, match=r"-1e-09 s must be 0 or more"):
        whole_ticks(Fraction(-1), "s", NS)
