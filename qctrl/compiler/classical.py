"""Write Qiskit's classical expressions and stores as arithmetic on the flow's registers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from qiskit.circuit import Clbit
from qiskit.circuit.classical import expr, types

from qctrl.errors import UnsupportedInstructionError
from qctrl.protocol import FlowOp
from qctrl.protocol.flow import REGISTER_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qctrl.compiler.flow_writer import FlowWriter, Label

_BINARY: Final = {
    expr.Binary.Op.BIT_AND: FlowOp.AND,
    expr.Binary.Op.BIT_OR: FlowOp.OR,
    expr.Binary.Op.BIT_XOR: FlowOp.XOR,
    expr.Binary.Op.LOGIC_AND: FlowOp.AND,
    expr.Binary.Op.LOGIC_OR: FlowOp.OR,
    expr.Binary.Op.EQUAL: FlowOp.EQUAL,
    expr.Binary.Op.NOT_EQUAL: FlowOp.NOT_EQUAL,
    expr.Binary.Op.LESS: FlowOp.LESS,
    expr.Binary.Op.LESS_EQUAL: FlowOp.LESS_EQUAL,
    expr.Binary.Op.SHIFT_LEFT: FlowOp.SHIFT_LEFT,
    expr.Binary.Op.SHIFT_RIGHT: FlowOp.SHIFT_RIGHT,
    expr.Binary.Op.ADD: FlowOp.ADD,
    expr.Binary.Op.SUB: FlowOp.SUB,
    expr.Binary.Op.MUL: FlowOp.MUL,
    expr.Binary.Op.DIV: FlowOp.DIV,
}
_SWAPPED: Final = {expr.Binary.Op.GREATER: FlowOp.LESS, expr.Binary.Op.GREATER_EQUAL: FlowOp.LESS_EQUAL}
_NOT: Final = (expr.Unary.Op.LOGIC_NOT, expr.Unary.Op.BIT_NOT)


class Classical:
    """Classical memory of a circuit: bits by place, variables in registers of their own.

    Args:
        flow: Where instructions go.
        clbit_of: Place of every bit; bodies of control flow add theirs.
    """

    def __init__(self, flow: FlowWriter, clbit_of: dict[Any, int]) -> None:
        self._flow = flow
        self._clbit_of = clbit_of
        self._variables: dict[Any, int] = {}

    def variable(self, var: Any) -> int:
        """Return the register of a variable."""
        width_of(var)
        if var not in self._variables:
            self._variables[var] = self._flow.new_register()
        return self._variables[var]

    def release(self, register: int) -> None:
        """Give back the register of a result; those of variables stay."""
        if register not in self._variables.values():
            self._flow.give_back(register)

    def branch(self, condition: Any, value: bool, label: Label) -> None:
        """Go on at a label if a condition has this value.

        Args:
            condition: An expression of type Bool, or a bit or register with what it must equal.
            value: True or False.
            label: Where to go on.
        """
        if isinstance(condition, tuple):
            condition = _as_expression(*condition)
        while isinstance(condition, expr.Unary) and condition.op in _NOT:
            condition, value = condition.operand, not value
        if isinstance(condition, expr.Var) and isinstance(condition.var, Clbit):
            self._flow.branch_bit(self._clbit_of[condition.var], value, label)
            return
        register = self.evaluate(condition)
        self._flow.branch_if(register, value, label)
        self.release(register)

    def evaluate(self, node: Any) -> int:
        """Return the register that holds an expression; ``release`` it after use.

        Raises:
            UnsupportedInstructionError: The expression is not on bits and unsigned integers of up to 64 bits.
        """
        width = width_of(node)
        match node:
            case expr.Var():
                return self._read(node)
            case expr.Value():
                return self._flow.load(int(node.value), self._flow.take_register())
            case expr.Cast():
                return self._cast(node, width)
            case expr.Unary() if node.op in _NOT:
                return self._result(FlowOp.NOT, width, self.evaluate(node.operand))
            case expr.Binary() if node.op in _SWAPPED:
                right, left = self.evaluate(node.right), self.evaluate(node.left)
                return self._result(_SWAPPED[node.op], width, right, left)
            case expr.Binary() if node.op in _BINARY:
                return self._result(_BINARY[node.op], width, self.evaluate(node.left), self.evaluate(node.right))
            case expr.Index():
                return self._result(FlowOp.SHIFT_RIGHT, 1, self.evaluate(node.target), self.evaluate(node.index))
            case _:
                raise _refusal(f"expression {node} is not supported")

    def assign(self, target: Any, register: int) -> None:
        """Store a register in a bit, a register of bits, a variable, or a bit of one of the latter."""
        width = width_of(target)
        if isinstance(target, expr.Index):
            self._assign_bit(target, register)
        elif isinstance(target, expr.Var) and target.standalone:
            self._flow.compute(FlowOp.MOVE, width, (register, 0), self.variable(target))
        else:
            self._write(self._bits(target.var), register)

    def _assign_bit(self, target: Any, register: int) -> None:
        flow, width = self._flow, width_of(target.target)
        place, whole = self.evaluate(target.index), self.evaluate(target.target)
        hole = flow.load(1, flow.take_register())
        flow.compute(FlowOp.SHIFT_LEFT, width, (hole, place), hole)
        flow.compute(FlowOp.NOT, width, (hole, 0), hole)
        flow.compute(FlowOp.AND, width, (whole, hole), hole)
        bit = flow.compute(FlowOp.SHIFT_LEFT, width, (register, place), flow.take_register())
        flow.compute(FlowOp.OR, width, (hole, bit), hole)
        self.assign(target.target, hole)
        for used in (place, whole, hole, bit):
            self.release(used)

    def _cast(self, node: Any, width: int) -> int:
        register = self.evaluate(node.operand)
        from_width = width_of(node.operand)
        if node.type.kind is types.Bool and from_width > 1:
            zero = self._flow.load(0, self._flow.take_register())
            return self._result(FlowOp.NOT_EQUAL, 1, register, zero)
        return register if width >= from_width else self._result(FlowOp.MOVE, width, register)

    def _result(self, op: FlowOp, width: int, first: int, second: int | None = None) -> int:
        self.release(first)
        if second is not None and second != first:
            self.release(second)
        return self._flow.compute(op, width, (first, second or 0), self._flow.take_register())

    def _read(self, node: Any) -> int:
        if node.standalone:
            return self.variable(node)
        flow, register = self._flow, self._flow.take_register()
        for number, (first, count, place) in enumerate(_runs(self._bits(node.var))):
            if number == 0:
                flow.read_bits(first, count, register)
                continue
            part = flow.read_bits(first, count, flow.take_register())
            shift = flow.load(place, flow.take_register())
            flow.compute(FlowOp.SHIFT_LEFT, REGISTER_BITS, (part, shift), part)
            flow.compute(FlowOp.OR, REGISTER_BITS, (register, part), register)
            flow.give_back(part)
            flow.give_back(shift)
        return register

    def _write(self, bits: Sequence[int], register: int) -> None:
        flow = self._flow
        for first, count, place in _runs(bits):
            if place == 0:
                flow.write_bits(first, count, register)
                continue
            shift = flow.load(place, flow.take_register())
            flow.compute(FlowOp.SHIFT_RIGHT, REGISTER_BITS, (register, shift), shift)
            flow.write_bits(first, count, shift)
            flow.give_back(shift)

    def _bits(self, memory: Any) -> list[int]:
        bits: list[Any] = [memory] if isinstance(memory, Clbit) else list(memory)
        return [self._clbit_of[bit] for bit in bits]


def width_of(node: Any) -> int:
    """Return the bits of an expression's type.

    Raises:
        UnsupportedInstructionError: It is neither a bit nor an unsigned integer that fits a register.
    """
    if node.type.kind is types.Bool:
        return 1
    if node.type.kind is not types.Uint:
        raise _refusal(f"expression {node} is of type {node.type}")
    if not 1 <= node.type.width <= REGISTER_BITS:
        raise _refusal(f"expression {node} has {node.type.width} bits, a register has {REGISTER_BITS}")
    return int(node.type.width)


def _refusal(what: str) -> UnsupportedInstructionError:
    return UnsupportedInstructionError(
        f"{what}; use bits and unsigned integers of up to {REGISTER_BITS} bits, and compute the rest beforehand"
    )


def _as_expression(memory: Any, value: int) -> Any:
    """Return the expression for a bit or register that must equal a value."""
    if isinstance(memory, Clbit):
        lifted = expr.lift(memory)
        return lifted if value else expr.logic_not(lifted)
    lifted = expr.lift(memory)
    return expr.equal(lifted, expr.Value(int(value), lifted.type))


def _runs(bits: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return ascending stretches of neighbouring bits: first bit, how many, place in the register."""
    starts = [0, *(k + 1 for k, (left, right) in enumerate(pairwise(bits)) if right != left + 1), len(bits)]
    return [(bits[start], end - start, start) for start, end in pairwise(starts)]
