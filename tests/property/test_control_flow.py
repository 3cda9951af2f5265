"""Random circuits with control flow: the packed program, played on perfect qubits, has the circuit's distribution."""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import CASE_DEFAULT, Parameter
from qiskit.circuit.classical import expr, types

from qctrl.compiler import compile_circuit
from tests.reference import dynamic_circuit, ideal_qubits
from tests.reference.chance import distribution
from tests.unit.compiler import trio

N_QUBITS, N_CLBITS = 3, 4
CALIBRATION, SETUP = trio.calibration(), trio.setup()
UINT = types.Uint(4)

qubits = st.integers(0, N_QUBITS - 1)
clbits = st.integers(0, N_CLBITS - 1)
angles = st.sampled_from([0.3, np.pi / 2, -1.1, np.pi])

gates = st.one_of(
    st.tuples(st.just("sx"), qubits),
    st.tuples(st.just("x"), st.integers(0, 1)),
    st.tuples(st.just("rz"), qubits, angles),
    st.tuples(st.just("open"), qubits, angles),
    st.tuples(st.just("cz"), st.sampled_from([(0, 1), (1, 0), (1, 2)])),
    st.tuples(st.just("measure"), qubits, clbits),
    st.tuples(st.just("reset"), st.integers(0, 1)),
)
integers = st.recursive(
    st.one_of(
        st.sampled_from([("a",), ("b",), ("low",), ("mixed",)]),
        st.tuples(st.just("constant"), st.integers(0, 15)),
    ),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["add", "sub", "mul", "bit_and", "bit_or", "bit_xor"]), inner, inner),
        st.tuples(
            st.sampled_from(["shift_left", "shift_right"]), inner, st.integers(0, 5).map(lambda n: ("number", n))
        ),
        st.tuples(st.just("div"), inner, st.integers(1, 15).map(lambda n: ("constant", n))),
        st.tuples(st.just("bit_not"), inner),
        st.tuples(st.just("narrow"), inner),
    ),
    max_leaves=4,
)
truths = st.recursive(
    st.one_of(
        st.tuples(st.just("bit"), clbits),
        st.tuples(st.just("flag")),
        st.tuples(st.just("index"), integers, st.integers(0, 3)),
        st.tuples(st.just("nonzero"), integers),
        st.tuples(
            st.sampled_from(["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]),
            integers,
            integers,
        ),
    ),
    lambda inner: st.one_of(
        st.tuples(st.just("logic_not"), inner), st.tuples(st.sampled_from(["logic_and", "logic_or"]), inner, inner)
    ),
    max_leaves=3,
)
conditions = st.one_of(
    st.tuples(st.just("bit is"), clbits, st.integers(0, 1)),
    st.tuples(st.just("register is"), st.sampled_from(["low", "mixed"]), st.integers(0, 7)),
    truths,
)
stores = st.one_of(
    st.tuples(st.just("store"), st.sampled_from(["a", "b"]), integers),
    st.tuples(st.just("store low"), integers),
    st.tuples(st.just("store bit"), clbits, truths),
    st.tuples(st.just("store flag"), truths),
    st.tuples(st.just("store in"), st.sampled_from(["a", "mixed"]), st.integers(0, 2), truths),
)


closed = st.one_of(
    gates,
    st.tuples(
        st.just("leave"),
        st.sampled_from(["break_loop", "continue_loop"]),
        st.tuples(st.just("bit is"), clbits, st.just(1)),
    ),
)
"""What needs no variables: Qiskit lets the body of a loop with a variable see no others."""


def bodies(inner):
    return st.lists(inner, max_size=3)


statements = st.recursive(
    st.one_of(gates, gates, stores),
    lambda inner: st.one_of(
        st.tuples(st.just("if"), conditions, bodies(inner), st.none() | bodies(inner)),
        st.tuples(st.just("while"), conditions, st.integers(0, 3), bodies(inner)),
        st.tuples(
            st.just("for"), st.sampled_from([(), (2,), (3, 0, 1), tuple(range(18))]), st.booleans(), bodies(inner)
        ),
        st.tuples(st.just("count"), st.sampled_from([range(3), range(17), range(20, 0, -1)]), bodies(closed)),
        st.tuples(st.just("switch"), integers | truths, bodies(inner), bodies(inner), st.none() | bodies(inner)),
        st.tuples(st.just("switch bit"), clbits, bodies(inner)),
        st.tuples(st.just("leave"), st.sampled_from(["break_loop", "continue_loop"]), conditions),
        st.tuples(st.just("box"), bodies(inner)),
    ),
    max_leaves=9,
)
programs = st.lists(statements, min_size=1, max_size=6)


class Writer:
    """Writes statements with Qiskit's builder."""

    def __init__(self):
        self.circuit = circuit = QuantumCircuit(N_QUBITS)
        circuit.add_register(ClassicalRegister(N_CLBITS, "c"), ClassicalRegister(N_QUBITS, "last"))
        c = circuit.clbits
        self.registers = {"low": ClassicalRegister(bits=c[:3], name="low")}
        self.registers["mixed"] = ClassicalRegister(bits=[c[2], c[3], c[0]], name="mixed")
        circuit.add_register(*self.registers.values())
        self.open = Parameter("open")
        self.names = {"a": circuit.add_var("a", expr.lift(5, UINT)), "b": circuit.add_var("b", expr.lift(0, UINT))}
        self.flag = circuit.add_var("flag", expr.lift(False))
        self.loops = self.depth = 0

    def integer(self, spec):
        name, *rest = spec
        match name:
            case "a" | "b":
                return self.names[name]
            case "low" | "mixed":
                return expr.lift(self.registers[name])
            case "constant":
                return expr.lift(rest[0], UINT)
            case "number":
                return expr.lift(rest[0])
            case "bit_and" | "bit_or" | "bit_xor":  # Qiskit widens the others by itself
                return getattr(expr, name)(*(expr.cast(self.integer(part), UINT) for part in rest))
            case "narrow":
                return expr.cast(self.integer(rest[0]), types.Uint(2))
            case _:
                return getattr(expr, name)(*(self.integer(part) for part in rest))

    def truth(self, spec):
        name, *rest = spec
        match name:
            case "bit":
                return expr.lift(self.circuit.clbits[rest[0]])
            case "flag":
                return self.flag
            case "index":
                value = self.integer(rest[0])
                return expr.index(value, min(rest[1], value.type.width - 1))
            case "nonzero":
                return expr.cast(self.integer(rest[0]), types.Bool())
            case "logic_not" | "logic_and" | "logic_or":
                return getattr(expr, name)(*(self.truth(part) for part in rest))
            case _:
                return getattr(expr, name)(*(self.integer(part) for part in rest))

    def condition(self, spec):
        match spec:
            case ("bit is", bit, value):
                return (self.circuit.clbits[bit], value)
            case ("register is", name, value):
                return (self.registers[name], value)
        return self.truth(spec)

    def write(self, statements):
        for statement in statements:
            name, *rest = statement
            method = getattr(self, "write_" + name.replace(" ", "_"), None)
            if method is not None:
                method(*rest)
            elif name == "cz":
                self.circuit.cz(*rest[0])
            elif name in ("rz", "open"):
                self.circuit.rz(rest[1] if name == "rz" else rest[1] * self.open, rest[0])
            else:
                getattr(self.circuit, name)(*rest)

    def write_store(self, name, value):
        self.circuit.store(self.names[name], expr.cast(self.integer(value), UINT))

    def write_store_low(self, value):
        self.circuit.store(self.registers["low"], expr.cast(self.integer(value), types.Uint(3)))

    def write_store_bit(self, bit, value):
        self.circuit.store(self.circuit.clbits[bit], self.truth(value))

    def write_store_flag(self, value):
        self.circuit.store(self.flag, self.truth(value))

    def write_store_in(self, name, place, value):
        whole = self.names["a"] if name == "a" else expr.lift(self.registers[name])
        self.circuit.store(expr.index(whole, place), self.truth(value))

    def write_if(self, condition, then, otherwise):
        with self.circuit.if_test(self.condition(condition)) as else_:
            self.write(then)
        if otherwise is not None:
            with else_:
                self.write(otherwise)

    def write_while(self, condition, most, body):
        self.loops += 1
        count = self.circuit.add_var(f"round_{self.loops}", expr.lift(0, UINT))
        wanted = self.condition(condition)
        if isinstance(wanted, tuple):
            wanted = expr.equal(*wanted) if isinstance(wanted[0], ClassicalRegister) else expr.lift(wanted[0])
        with self.circuit.while_loop(expr.logic_and(expr.less(count, most), wanted)):
            self.circuit.store(count, expr.add(count, expr.lift(1, UINT)))
            self.inside(body)

    def write_for(self, values, uses, body):
        with self.circuit.for_loop(values) as value:
            if uses:
                self.circuit.rz(0.2 * value, 0)
            self.inside(body)

    def write_count(self, values, body):
        self.loops += 1
        with self.circuit.for_loop(values, expr.Var.new(f"value_{self.loops}", types.Uint(5))) as value:
            self.circuit.store(self.registers["low"], expr.cast(value, types.Uint(3)))
            self.inside(body)

    def write_switch(self, target, first, second, default):
        is_truth = target[0] in ("bit", "flag", "index", "nonzero") or target[0].startswith(("logic", "equal"))
        is_truth |= target[0].startswith(("not_equal", "less", "greater"))
        with self.circuit.switch(self.truth(target) if is_truth else self.integer(target)) as case:
            with case(0) if is_truth else case(0, 2):
                self.write(first)
            with case(1):
                self.write(second)
            if default is not None and not is_truth:
                with case(CASE_DEFAULT):
                    self.write(default)

    def write_switch_bit(self, bit, body):
        with self.circuit.switch(self.circuit.clbits[bit]) as case, case(1):
            self.write(body)

    def write_leave(self, how, condition):
        if self.depth:
            with self.circuit.if_test(self.condition(condition)):
                getattr(self.circuit, how)()

    def write_box(self, body):
        with self.circuit.box():
            inside, self.depth = self.depth, 0  # a box cannot be left
            self.write(body)
            self.depth = inside

    def inside(self, body):
        self.depth += 1
        self.write(body)
        self.depth -= 1

    def finish(self):
        for qubit in range(N_QUBITS):
            self.circuit.sx(qubit)
            self.circuit.measure(qubit, N_CLBITS + qubit)
        return self.circuit


def check(statements, value=0.7):
    writer = Writer()
    writer.write(statements)
    circuit = writer.finish()
    values = [value] * circuit.num_parameters
    expected = distribution(
        lambda choose: dynamic_circuit.shot(circuit.assign_parameters(values), N_QUBITS, choose), 64
    )
    assume(expected is not None)
    compiled = compile_circuit(circuit, CALIBRATION, SETUP)
    words = compiled.bind(values).words[0]
    found = distribution(lambda choose: ideal_qubits.shot(compiled, CALIBRATION, words, choose), 128)
    assert found is not None
    for result in expected.keys() | found.keys():
        assert found.get(result, 0.0) == pytest.approx(expected.get(result, 0.0), abs=1e-6)


PHASES = [
    ("sx", 0),
    ("measure", 1, 1),
    ("if", ("bit is", 1, 0), [("rz", 0, 0.3), ("open", 0, -1.1)], [("rz", 0, 1.0)]),
    ("for", tuple(range(18)), False, [("rz", 0, -1.1), ("open", 0, 0.3), ("cz", (0, 1))]),
]
LEAVING = [
    ("x", 0),
    ("count", range(17), [("leave", "continue_loop", ("bit is", 1, 1)), ("x", 1), ("measure", 1, 3)]),
    ("while", ("bit is", 2, 1), 3, [("leave", "break_loop", ("bit is", 3, 1)), ("x", 0), ("measure", 0, 3)]),
]


@given(statements=programs)
@example(statements=PHASES)
@example(statements=LEAVING)
@settings(deadline=None, max_examples=60)
def test_a_program_has_the_distribution_of_its_circuit(statements):
    check(statements)
