"""Walk Qiskit's control flow: bodies become segments, decisions become instructions of the flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from qiskit.circuit import CASE_DEFAULT, ClassicalRegister, Clbit, Parameter
from qiskit.circuit.classical import expr

from qctrl.compiler.classical import Classical, width_of
from qctrl.compiler.flow_writer import FlowWriter
from qctrl.errors import CompileError, ResourceError
from qctrl.protocol import FlowOp
from qctrl.protocol.flow import REGISTER_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qctrl.compiler.flow_writer import Label

CONTROL_FLOW: Final = frozenset(
    {"if_else", "while_loop", "for_loop", "switch_case", "box", "break_loop", "continue_loop", "store"}
)
"""Names of the instructions that are read here."""
_FEW_VALUES: Final = 16
_MOST_COPIES: Final = {False: 64, True: 4096}
"""Copies of a body in all enclosing loops together, by whether unrolling is the only way."""


class BodyReader(Protocol):
    """What reads straight-line instructions."""

    def read_body(self, body: Any, qubits: Sequence[Any], clbits: Sequence[Any]) -> None:
        """Read a circuit whose bits are these bits of the circuit around it."""
        ...

    def align(self, index: int, qubits: Sequence[Any]) -> None:
        """Put a barrier on qubits."""
        ...

    def read_timed_box(self, index: int, instruction: Any) -> None:
        """Read a box with a duration, which lies in one segment."""
        ...


@dataclass(frozen=True, slots=True)
class _Loop:
    next_round: Label
    end: Label


class ControlFlow:
    """Reads the control flow of one circuit.

    Args:
        reader: Reads the bodies.
        flow: Where decisions go.
        clbit_of: Place of every bit; bodies add theirs.
    """

    def __init__(self, reader: BodyReader, flow: FlowWriter, clbit_of: dict[Any, int]) -> None:
        self._reader = reader
        self._flow = flow
        self._classical = Classical(flow, clbit_of)
        self._loops: list[_Loop] = []
        self._copies = 1

    def read(self, index: int, instruction: Any) -> None:
        """Read one instruction named in ``CONTROL_FLOW``.

        Raises:
            CompileError: It, or an instruction in its bodies, cannot be played; the message says where.
        """
        readers = {
            "if_else": self._read_if,
            "while_loop": self._read_while,
            "for_loop": self._read_for,
            "switch_case": self._read_switch,
            "box": lambda box: self._read_box(index, box),
            "store": self._read_store,
            "break_loop": lambda _: self._flow.jump(self._loops[-1].end),
            "continue_loop": lambda _: self._flow.jump(self._loops[-1].next_round),
        }
        try:
            readers[instruction.name](instruction)
        except CompileError as error:
            where = f"instruction {index}: {instruction.name}"
            raise type(error)(f"{where}: {error}", instruction=index, gate=error.gate, qubits=error.qubits) from error

    def _read_if(self, instruction: Any) -> None:
        operation = instruction.operation
        bodies = operation.blocks
        other, end = self._flow.label(), self._flow.label()
        self._classical.branch(operation.condition, False, other)
        self._body(bodies[0], instruction)
        if len(bodies) > 1:
            self._flow.jump(end)
        self._flow.place(other)
        if len(bodies) > 1:
            self._body(bodies[1], instruction)
        self._flow.place(end)

    def _read_while(self, instruction: Any) -> None:
        operation = instruction.operation
        loop = _Loop(self._flow.here(), self._flow.label())
        self._classical.branch(operation.condition, False, loop.end)
        self._round(operation.blocks[0], instruction, loop)
        self._flow.jump(loop.next_round)
        self._flow.place(loop.end)

    def _read_switch(self, instruction: Any) -> None:
        operation = instruction.operation
        target = operation.target
        if isinstance(target, Clbit | ClassicalRegister):
            target = expr.lift(target)
        register, end = self._classical.evaluate(target), self._flow.label()
        cases = [(values, body, self._flow.label()) for values, body in operation.cases_specifier()]
        default = end
        for values, _, label in cases:
            for value in values:
                if value is CASE_DEFAULT:
                    default = label
                else:
                    self._branch_equal(register, int(value), label)
        self._flow.jump(default)
        self._classical.release(register)
        for _, body, label in cases:
            self._flow.place(label)
            self._body(body, instruction)
            self._flow.jump(end)
        self._flow.place(end)

    def _branch_equal(self, register: int, value: int, label: Label) -> None:
        constant = self._flow.load(value, self._flow.take_register())
        self._flow.compute(FlowOp.EQUAL, 1, (register, constant), constant)
        self._flow.branch_if(constant, True, label)
        self._flow.give_back(constant)

    def _read_for(self, instruction: Any) -> None:
        values, parameter, body = instruction.operation.params
        if isinstance(parameter, Parameter) and parameter not in body.parameters:
            parameter = None
        if isinstance(parameter, expr.Var):
            _check_values(values, parameter)
        counts = parameter is None or (isinstance(parameter, expr.Var) and isinstance(values, range))
        copies = self._copies * len(values)
        if counts and (len(values) > _FEW_VALUES or copies > _MOST_COPIES[False]):
            self._count(values, parameter, instruction)
        elif copies > _MOST_COPIES[True] and parameter is not None:
            raise ResourceError(
                f"the loop parameter {parameter.name} takes {len(values)} values, which needs {copies} copies of the "
                f"body, the limit is {_MOST_COPIES[True]}; split the loop, or loop without using the parameter"
            )
        else:
            self._unroll(values, parameter, instruction)

    def _unroll(self, values: Sequence[int], parameter: Any, instruction: Any) -> None:
        body, before = instruction.operation.blocks[0], self._copies
        self._copies *= max(1, len(values))
        end = self._flow.label()
        for value in values:
            loop = _Loop(self._flow.label(), end)
            if isinstance(parameter, expr.Var):
                self._flow.load(value, self._classical.variable(parameter))
            bound = body.assign_parameters({parameter: value}) if isinstance(parameter, Parameter) else body
            self._round(bound, instruction, loop)
            self._flow.place(loop.next_round)
        self._flow.place(end)
        self._copies = before

    def _count(self, values: Sequence[int], parameter: Any, instruction: Any) -> None:
        """Loop with a register that counts down; a variable over a range is moved on by its step."""
        flow = self._flow
        left, one = flow.load(len(values), flow.take_register()), flow.load(1, flow.take_register())
        register = None
        if parameter is not None and isinstance(values, range):
            register = flow.load(values.start, flow.take_register())
        top, loop = flow.here(), _Loop(flow.label(), flow.label())
        if register is not None:
            width = width_of(parameter)
            flow.compute(FlowOp.MOVE, width, (register, 0), self._classical.variable(parameter))
        self._round(instruction.operation.blocks[0], instruction, loop)
        flow.place(loop.next_round)
        flow.compute(FlowOp.SUB, REGISTER_BITS, (left, one), left)
        if register is not None and isinstance(values, range):
            step = flow.load(values.step % 2**REGISTER_BITS, flow.take_register())
            flow.compute(FlowOp.ADD, REGISTER_BITS, (register, step), register)
            flow.give_back(step)
            flow.give_back(register)
        flow.branch_if(left, True, top)
        flow.place(loop.end)
        flow.give_back(left)
        flow.give_back(one)

    def _read_box(self, index: int, instruction: Any) -> None:
        if instruction.operation.duration is not None and instruction.qubits:
            self._reader.read_timed_box(index, instruction)
            return
        self._reader.align(index, instruction.qubits)
        self._body(instruction.operation.blocks[0], instruction)
        self._reader.align(index, instruction.qubits)

    def _read_store(self, instruction: Any) -> None:
        target, value = instruction.operation.params
        register = self._classical.evaluate(value)
        self._classical.assign(target, register)
        self._classical.release(register)

    def _round(self, body: Any, instruction: Any, loop: _Loop) -> None:
        self._loops.append(loop)
        self._body(body, instruction)
        self._loops.pop()

    def _body(self, body: Any, instruction: Any) -> None:
        self._reader.read_body(body, instruction.qubits, instruction.clbits)


def _check_values(values: Sequence[int], variable: Any) -> None:
    limit = 2 ** width_of(variable)
    for value in (min(values, default=0), max(values, default=0)):
        if not 0 <= value < limit:
            raise CompileError(f"the loop variable {variable.name} has no value {value}; it goes from 0 to {limit - 1}")
