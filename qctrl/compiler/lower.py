"""Read a ``QuantumCircuit`` into a ``GateProgram``; no Qiskit object goes beyond this file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, cast

import numpy as np
from qiskit.circuit import Parameter, ParameterExpression, QuantumCircuit

from qctrl.compiler.sites import require_gate, reset_is_measured
from qctrl.errors import CalibrationError, CompileError, TimingError, UnsupportedInstructionError
from qctrl.ir.expression import BINARY, UNARY, Expression
from qctrl.ir.gate_program import INSTRUCTION, SEGMENT, GateProgram, GateSite, Opcode, SegmentKind
from qctrl.ir.interface import Interface
from qctrl.units import to_ticks

if TYPE_CHECKING:
    from qctrl.calibration import Calibration

Circuit: TypeAlias = QuantumCircuit
"""What is compiled, for stages that know no Qiskit."""

_CONTROL_FLOW: Final = frozenset(
    {"if_else", "while_loop", "for_loop", "switch_case", "box", "break_loop", "continue_loop", "store"}
)
_UNIT_S: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}
_LONGEST_RAD: Final = 2**20 * 2 * math.pi


def lower(circuit: Circuit, calibration: Calibration) -> GateProgram:
    """Return a circuit as columns, every gate resolved against the calibration.

    Args:
        circuit: An ISA circuit: its gates, on its qubits, are in the device's ``Target``.
        calibration: The calibration that it will be played with.

    Raises:
        UnsupportedInstructionError: The device has no such gate there, or the instruction is not supported.
        CompileError: There are too many qubits, or an angle is not finite.
        TimingError: A delay is not a whole number of ticks.
    """
    n_qubits = len(calibration.qubit_names)
    if circuit.num_qubits > n_qubits:
        raise CompileError(
            f"the circuit has {circuit.num_qubits} qubits, {calibration.name} has {n_qubits}; "
            "use fewer qubits or another device"
        )
    reader = _Reader(circuit, calibration)
    data = cast("list[Any]", circuit.data)
    for index, instruction in enumerate(data):
        reader.read(index, instruction)
    program = reader.program()
    program.verify()
    return program


class _Reader:
    """Collects columns while it walks a circuit once."""

    def __init__(self, circuit: QuantumCircuit, calibration: Calibration) -> None:
        self._circuit = circuit
        self._calibration = calibration
        self._qubit_of: dict[Any, int] = {bit: index for index, bit in enumerate(circuit.qubits)}
        self._clbit_of: dict[Any, int] = {bit: index for index, bit in enumerate(circuit.clbits)}
        self._parameters: list[Any] = list(circuit.parameters)
        self._parameter_of: dict[Any, int] = {item: index for index, item in enumerate(self._parameters)}
        self._rows: list[tuple[float, ...]] = []
        self._segments: list[tuple[int, SegmentKind]] = []
        self._reset_qubits: set[int] = set()
        self._barrier_qubits: list[int] = []
        self._sites: dict[tuple[str, tuple[int, ...]], int] = {}
        self._expressions: dict[Expression, int] = {}

    def read(self, index: int, instruction: Any) -> None:
        name: str = instruction.name
        qubits = tuple([self._qubit_of[bit] for bit in instruction.qubits])
        match name:
            case "rz":
                self._read_rz(index, qubits, instruction.params[0])
            case "barrier":
                self._append(index, Opcode.BARRIER, qubit=-1, count=len(qubits))
                self._barrier_qubits += qubits
            case "delay":
                self._read_delay(index, qubits, instruction)
            case "measure":
                site = self._site(index, name, qubits)
                clbit = self._clbit_of[instruction.clbits[0]]
                self._append(index, Opcode.MEASURE, qubit=qubits[0], site=site, clbit=clbit)
            case "reset":
                self._read_reset(index, qubits)
            case "global_phase":
                pass  # no measurement can see it
            case _:
                self._read_gate(index, name, qubits, instruction.params)

    def _read_rz(self, index: int, qubits: tuple[int, ...], angle: Any) -> None:
        site = self._site(index, "rz", qubits)
        if isinstance(angle, ParameterExpression) and angle.parameters:
            expression = self._expression(index, qubits, angle)
            self._append(index, Opcode.RZ, qubit=qubits[0], site=site, expression=expression)
            return
        angle_rad = _real(angle)
        if not abs(angle_rad) < _LONGEST_RAD:  # also refuses NaN
            raise CompileError(
                f"instruction {index}: rz on qubits {qubits}: angle {angle!r} must be finite and below "
                f"2**20 turns; bind another value",
                instruction=index,
                gate="rz",
                qubits=qubits,
            )
        self._append(index, Opcode.RZ, qubit=qubits[0], site=site, angle_rad=angle_rad)

    def _read_delay(self, index: int, qubits: tuple[int, ...], instruction: Any) -> None:
        duration = instruction.params[0]
        unit = str(instruction.operation.unit)
        if isinstance(duration, ParameterExpression) and duration.parameters:
            remedy = "a duration changes the program's structure; bind it before running, one circuit per value"
            _refuse(index, "delay", qubits, remedy)
        if unit != "dt" and unit not in _UNIT_S:
            _refuse(index, "delay", qubits, "durations as expressions are not supported yet; give a number")
        value = _real(duration)
        what = f"instruction {index}: delay on qubits {qubits}: duration"
        if unit == "dt":
            if not (value >= 0 and value.is_integer()):
                raise TimingError(f"{what} {duration!r} dt must be a whole number, 0 or more", instruction=index)
            ticks = int(value)
        else:
            ticks = to_ticks(value * _UNIT_S[unit], self._calibration.dt_s, what=what)
        self._append(index, Opcode.DELAY, qubit=qubits[0], ticks=ticks)

    def _read_reset(self, index: int, qubits: tuple[int, ...]) -> None:
        site = self._site(index, "reset", qubits)
        if not reset_is_measured(self._calibration, qubits[0]):
            self._append(index, Opcode.RESET, qubit=qubits[0], site=site)
            return
        self._site(index, "x", qubits)
        in_group = bool(self._segments) and self._segments[-1][1] == SegmentKind.RESET
        if not in_group or qubits[0] in self._reset_qubits:
            self._segments.append((len(self._rows), SegmentKind.RESET))
            self._reset_qubits.clear()
        self._reset_qubits.add(qubits[0])
        self._append(index, Opcode.RESET, SegmentKind.RESET, qubit=qubits[0], site=site)

    def _read_gate(self, index: int, name: str, qubits: tuple[int, ...], params: object) -> None:
        if name in _CONTROL_FLOW:
            _refuse(index, name, qubits, "control flow and classical storage are not supported yet; remove it")
        site = self._site(index, name, qubits)
        if params:
            _refuse(index, name, qubits, "only rz takes a parameter; transpile with this backend")
        self._append(index, Opcode.GATE, qubit=qubits[0], site=site)

    def _append(  # noqa: PLR0913  (one keyword per column)
        self,
        index: int,
        opcode: Opcode,
        kind: SegmentKind = SegmentKind.BODY,
        *,
        qubit: int,
        site: int = -1,
        clbit: int = -1,
        expression: int = -1,
        count: int = 0,
        ticks: int = 0,
        angle_rad: float = 0.0,
    ) -> None:
        if not self._segments or self._segments[-1][1] != kind:
            self._segments.append((len(self._rows), kind))
        first = len(self._barrier_qubits)
        self._rows.append((opcode, site, qubit, clbit, expression, index, first, count, ticks, angle_rad))

    def _site(self, index: int, name: str, qubits: tuple[int, ...]) -> int:
        key = (name, qubits)
        found = self._sites.get(key)
        if found is not None:
            return found
        try:
            require_gate(self._calibration, name, qubits)
        except CalibrationError as error:
            raise UnsupportedInstructionError(
                f"instruction {index}: {name} on qubits {qubits}: {error}",
                instruction=index,
                gate=name,
                qubits=qubits,
            ) from error
        return self._sites.setdefault(key, len(self._sites))

    def _expression(self, index: int, qubits: tuple[int, ...], angle: Any) -> int:
        steps: list[tuple[str, int | float]] = []
        if isinstance(angle, Parameter):
            steps.append(("parameter", self._parameter_of[angle]))
        else:
            # The only public-enough record of an expression's operations; QPY is built on it.
            for entry in angle._qpy_replay:  # noqa: SLF001
                name = str(getattr(entry, "op", "")).rpartition(".")[2].lower()
                if name not in UNARY and name not in BINARY:
                    _refuse(index, "rz", qubits, f"operation {name} in angle {angle} is not supported; bind it first")
                steps += [self._operand(item) for item in (entry.lhs, entry.rhs) if item is not None]
                steps.append((name, 0))
        return self._expressions.setdefault(Expression(tuple(steps)), len(self._expressions))

    def _operand(self, item: object) -> tuple[str, int | float]:
        if isinstance(item, Parameter):
            return ("parameter", self._parameter_of[item])
        return ("constant", _real(item))

    def program(self) -> GateProgram:
        instructions = np.array(self._rows, dtype=INSTRUCTION)
        firsts = [first for first, _ in self._segments] or [0]
        kinds = [int(kind) for _, kind in self._segments] or [int(SegmentKind.BODY)]
        counts = np.diff([*firsts, len(instructions)]).tolist()
        segments = np.array(list(zip(firsts, counts, kinds, strict=True)), dtype=SEGMENT)
        barrier_qubits = np.array(self._barrier_qubits, dtype=np.int32)
        for column in (instructions, segments, barrier_qubits):
            column.flags.writeable = False
        interface = Interface(
            parameters=tuple(parameter.name for parameter in self._parameters),
            cregs=tuple(
                (str(register.name), tuple(self._clbit_of[bit] for bit in register)) for register in self._circuit.cregs
            ),
            n_clbits=len(self._clbit_of),
            calibration_id=self._calibration.id,
            calibration_hash=self._calibration.hash,
        )
        return GateProgram(
            instructions=instructions,
            segments=segments,
            barrier_qubits=barrier_qubits,
            sites=tuple(GateSite(name, qubits) for name, qubits in self._sites),
            expressions=tuple(self._expressions),
            n_qubits=len(self._calibration.qubit_names),
            interface=interface,
        )


def _real(value: object) -> float:
    """Return a number as a float; NaN if it is not real."""
    number = complex(cast("complex", value))
    return number.real if number.imag == 0 else math.nan


def _refuse(index: int, name: str, qubits: tuple[int, ...], why: str) -> NoReturn:
    raise UnsupportedInstructionError(
        f"instruction {index}: {name} on qubits {qubits}: {why}", instruction=index, gate=name, qubits=qubits
    )
