"""One shot of a Qiskit circuit with control flow on perfect qubits, statement by statement."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from qiskit.circuit import CASE_DEFAULT, ClassicalRegister, Clbit, Parameter
from qiskit.circuit.classical import expr, types

from tests.reference.ideal_qubits import Qubits


class _BreakError(Exception):
    pass


class _ContinueError(Exception):
    pass


def shot(circuit: Any, n_qubits: int, choose: Callable[[float], int]) -> tuple[int, ...]:
    """Return the bits after one shot; parameters must be bound."""
    machine = _Machine(n_qubits, choose)
    qubits = {bit: index for index, bit in enumerate(circuit.qubits)}
    clbits = {bit: index for index, bit in enumerate(circuit.clbits)}
    machine.bits = [0] * len(circuit.clbits)
    machine.run(circuit, qubits, clbits)
    return tuple(machine.bits)


class _Machine:
    def __init__(self, n_qubits: int, choose: Callable[[float], int]) -> None:
        self.qubits = Qubits(n_qubits, choose)
        self.bits: list[int] = []
        self.variables: dict[Any, int] = {}
        self.clbit_of: dict[Any, int] = {}

    def run(self, circuit: Any, qubits: dict[Any, int], clbits: dict[Any, int]) -> None:
        before, self.clbit_of = self.clbit_of, clbits
        try:
            for instruction in circuit.data:
                self.step(instruction, [qubits[bit] for bit in instruction.qubits])
        finally:
            self.clbit_of = before

    def step(self, instruction: Any, qubits: list[int]) -> None:
        operation = instruction.operation
        params = operation.params
        simple: dict[str, Callable[[], None]] = {
            "x": lambda: self.qubits.turn(qubits[0], math.pi, 0),
            "sx": lambda: self.qubits.turn(qubits[0], math.pi / 2, 0),
            "rz": lambda: self.qubits.rz(qubits[0], float(params[0])),
            "cz": lambda: self.qubits.cz(*qubits),
            "measure": lambda: self.measure(instruction.clbits[0], qubits[0]),
            "reset": lambda: self.reset(qubits[0]),
            "store": lambda: self.assign(params[0], self.value(params[1])),
            "barrier": lambda: None,
            "delay": lambda: None,
        }
        if operation.name in simple:
            simple[operation.name]()
        else:
            getattr(self, operation.name)(operation, instruction, qubits)

    def measure(self, clbit: Any, qubit: int) -> None:
        self.bits[self.clbit_of[clbit]] = self.qubits.measure(qubit)

    def reset(self, qubit: int) -> None:
        if self.qubits.measure(qubit):
            self.qubits.turn(qubit, math.pi, 0)

    def break_loop(self, *_: Any) -> None:
        raise _BreakError

    def continue_loop(self, *_: Any) -> None:
        raise _ContinueError

    def body(self, body: Any, instruction: Any, qubits: list[int]) -> None:
        inner = dict(zip(body.qubits, qubits, strict=True))
        self.run(body, inner, {b: self.clbit_of[o] for b, o in zip(body.clbits, instruction.clbits, strict=True)})

    def box(self, operation: Any, instruction: Any, qubits: list[int]) -> None:
        self.body(operation.blocks[0], instruction, qubits)

    def if_else(self, operation: Any, instruction: Any, qubits: list[int]) -> None:
        if self.holds(operation.condition):
            self.body(operation.blocks[0], instruction, qubits)
        elif len(operation.blocks) > 1:
            self.body(operation.blocks[1], instruction, qubits)

    def while_loop(self, operation: Any, instruction: Any, qubits: list[int]) -> None:
        while self.holds(operation.condition):
            try:
                self.body(operation.blocks[0], instruction, qubits)
            except _ContinueError:
                pass
            except _BreakError:
                break

    def for_loop(self, operation: Any, instruction: Any, qubits: list[int]) -> None:
        values, parameter, body = operation.params
        for value in values:
            bound = body
            if isinstance(parameter, Parameter) and parameter in body.parameters:
                bound = body.assign_parameters({parameter: value})
            elif isinstance(parameter, expr.Var):
                self.variables[parameter] = value
            try:
                self.body(bound, instruction, qubits)
            except _ContinueError:
                pass
            except _BreakError:
                break

    def switch_case(self, operation: Any, instruction: Any, qubits: list[int]) -> None:
        target = operation.target
        found = self.memory(target) if isinstance(target, Clbit | ClassicalRegister) else self.value(target)
        for values, body in operation.cases_specifier():
            if any(value is CASE_DEFAULT or int(value) == found for value in values):
                self.body(body, instruction, qubits)
                return

    def holds(self, condition: Any) -> bool:
        if isinstance(condition, tuple):
            return self.memory(condition[0]) == int(condition[1])
        return bool(self.value(condition))

    def memory(self, memory: Any) -> int:
        if isinstance(memory, Clbit):
            return self.bits[self.clbit_of[memory]]
        return sum(self.bits[self.clbit_of[bit]] << k for k, bit in enumerate(memory))

    def assign(self, target: Any, value: int) -> None:
        if isinstance(target, expr.Index):
            place, whole = self.value(target.index), self.value(target.target)
            self.assign(target.target, whole & ~(1 << place) | value << place)
        elif target.standalone:
            self.variables[target] = value
        else:
            bits = [target.var] if isinstance(target.var, Clbit) else list(target.var)
            for k, bit in enumerate(bits):
                self.bits[self.clbit_of[bit]] = value >> k & 1

    def value(self, node: Any) -> int:
        width = 1 if node.type.kind is types.Bool else node.type.width
        match node:
            case expr.Var():
                return self.variables.get(node, 0) if node.standalone else self.memory(node.var)
            case expr.Value():
                return int(node.value)
            case expr.Cast():
                value = self.value(node.operand)
                return int(value != 0) if width == 1 and node.type.kind is types.Bool else value % 2**width
            case expr.Index():
                return self.value(node.target) >> self.value(node.index) & 1
            case expr.Unary():
                return 2**width - 1 - self.value(node.operand)
        return int(_BINARY[node.op.name](self.value(node.left), self.value(node.right))) % 2**width


_BINARY: dict[str, Callable[[int, int], int]] = {
    "BIT_AND": lambda a, b: a & b,
    "BIT_OR": lambda a, b: a | b,
    "BIT_XOR": lambda a, b: a ^ b,
    "LOGIC_AND": lambda a, b: a and b,
    "LOGIC_OR": lambda a, b: a or b,
    "EQUAL": lambda a, b: a == b,
    "NOT_EQUAL": lambda a, b: a != b,
    "LESS": lambda a, b: a < b,
    "LESS_EQUAL": lambda a, b: a <= b,
    "GREATER": lambda a, b: a > b,
    "GREATER_EQUAL": lambda a, b: a >= b,
    "SHIFT_LEFT": lambda a, b: a << b,
    "SHIFT_RIGHT": lambda a, b: a >> b,
    "ADD": lambda a, b: a + b,
    "SUB": lambda a, b: a - b,
    "MUL": lambda a, b: a * b,
    "DIV": lambda a, b: a // b,
}
