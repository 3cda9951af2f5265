"""Read circuits through Qiskit's Python objects: all that the compiler knows, and every error's place."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from qiskit.circuit import ParameterExpression, QuantumCircuit

from qctrl.compiler._capi_kernels import LONGEST_RAD
from qctrl.compiler.angles import Angles
from qctrl.compiler.circuit_interface import interface_of
from qctrl.compiler.column_writer import ColumnWriter
from qctrl.compiler.control_flow import CONTROL_FLOW, ControlFlow
from qctrl.compiler.custom_gates import gate_arguments, structural_arguments
from qctrl.compiler.device import device_table
from qctrl.compiler.durations import length_of, whole_ticks
from qctrl.compiler.flow_writer import FlowWriter
from qctrl.compiler.parameters import real, steps_of
from qctrl.compiler.sites import require_gate, reset_is_measured
from qctrl.compiler.stretch_model import OpenBox
from qctrl.compiler.stretches import Unresolved, resolve
from qctrl.errors import CalibrationError, CompileError, UnsupportedInstructionError
from qctrl.ir.expression import Expression
from qctrl.ir.gate_program import GateProgram, GateSite, Opcode, TimedBox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qctrl.calibration import Calibration
    from qctrl.pulse import CustomGate, CustomGates

_LOG: Final = logging.getLogger(__name__)


def lower_slowly(
    circuit: QuantumCircuit, calibration: Calibration, custom_gates: CustomGates | None = None
) -> GateProgram:
    """Return a circuit as columns, read through Qiskit's Python objects: the reference, and whatever else comes.

    Raises:
        CompileError: See ``lower``.
    """
    reader = _Reader(circuit, calibration, custom_gates or {})
    data = cast("list[Any]", circuit.data)
    for index, instruction in enumerate(data):
        reader.read(index, instruction)
    program = reader.program()
    program.verify()
    _LOG.debug("circuit %s: read through Python, the C API cannot show it", getattr(circuit, "name", ""))
    return program


class _Reader:
    """Collects columns while it walks a circuit once."""

    def __init__(self, circuit: QuantumCircuit, calibration: Calibration, custom_gates: CustomGates) -> None:
        self._circuit = circuit
        self._calibration = calibration
        self._custom_gates = custom_gates
        self._device = device_table(calibration)
        self._qubit_of: dict[Any, int] = {bit: index for index, bit in enumerate(circuit.qubits)}
        self._clbit_of: dict[Any, int] = {bit: index for index, bit in enumerate(circuit.clbits)}
        self._parameters: list[Any] = list(circuit.parameters)
        self._parameter_of: dict[Any, int] = {item: index for index, item in enumerate(self._parameters)}
        self._sites: dict[tuple[Any, ...], int] = {}
        self._expressions: dict[Expression, int] = {}
        self._unresolved = Unresolved()
        self._angles = Angles(self._device.angle_bounds, self._parameter_of)
        self._flow = FlowWriter()
        self._columns = ColumnWriter(self._flow)
        self._control_flow = ControlFlow(self, self._flow, self._clbit_of)
        self._depth = 0
        self._source = 0
        if circuit.num_input_vars:
            names = ", ".join(var.name for var in circuit.iter_input_vars())
            raise UnsupportedInstructionError(f"input variables ({names}) have no value here; use parameters")

    def read_body(self, body: Any, qubits: Sequence[Any], clbits: Sequence[Any]) -> None:
        """Read a body of control flow; see ``BodyReader``."""
        qubit_of, clbit_of = self._qubit_of, self._clbit_of.copy()
        self._qubit_of = {bit: qubit_of[outer] for bit, outer in zip(body.qubits, qubits, strict=True)}
        self._clbit_of |= {bit: clbit_of[outer] for bit, outer in zip(body.clbits, clbits, strict=True)}
        self._depth += 1
        for index, instruction in enumerate(body.data):
            self.read(index, instruction)
        self._depth -= 1
        self._qubit_of = qubit_of
        self._clbit_of |= clbit_of

    def align(self, index: int, qubits: Sequence[Any]) -> None:
        """Put a barrier on qubits; see ``BodyReader``."""
        self._columns.barrier(self._at(index), [self._qubit_of[bit] for bit in qubits])

    def read_timed_box(self, index: int, instruction: Any) -> None:
        """Read a box with a duration; see ``BodyReader``."""
        operation, qubits = instruction.operation, instruction.qubits
        unit = str(operation.unit)
        length = length_of(operation.duration, unit, self._calibration.dt_s)
        self.align(index, qubits)
        segment, front = self._columns.n_segments, self._columns.n_rows
        self._columns.append(self._at(index), Opcode.DELAY, qubit=self._qubit_of[qubits[0]])
        self.align(index, qubits)
        self.read_body(operation.blocks[0], qubits, instruction.clbits)
        self.align(index, qubits)
        back = self._columns.n_rows
        self._columns.append(self._at(index), Opcode.DELAY, qubit=self._qubit_of[qubits[0]])
        self.align(index, qubits)
        if self._columns.n_segments != segment:
            raise UnsupportedInstructionError(
                "how long decisions and measured resets take is known only when they are played; leave out the duration"
            )
        self._unresolved.boxes.append(OpenBox(self._at(index), front, back, length, unit))

    def read(self, index: int, instruction: Any) -> None:
        name: str = instruction.name
        if self._depth == 0:
            self._source = index
        if name in CONTROL_FLOW:
            self._control_flow.read(index, instruction)
            return
        qubits = tuple([self._qubit_of[bit] for bit in instruction.qubits])
        match name:
            case "rz":
                self._read_rz(index, qubits, instruction.params[0])
            case "barrier":
                self.align(index, instruction.qubits)
            case "delay":
                self._read_delay(index, qubits, instruction)
            case "measure":
                site = self._site(index, name, qubits)
                clbit = self._clbit_of[instruction.clbits[0]]
                self._columns.append(self._at(index), Opcode.MEASURE, qubit=qubits[0], site=site, clbit=clbit)
            case "reset":
                self._read_reset(index, qubits)
            case "global_phase":
                pass  # no measurement can see it
            case _:
                custom = self._custom_gates.get((name, qubits)) if self._custom_gates else None
                if custom is None:
                    self._read_gate(index, name, qubits, instruction.params)
                else:
                    self._read_custom(index, custom, instruction)

    def _read_rz(self, index: int, qubits: tuple[int, ...], angle: Any) -> None:
        site = self._site(index, "rz", qubits)
        if isinstance(angle, ParameterExpression) and angle.parameters:
            expression = self._expression(index, qubits, angle)
            self._columns.append(self._at(index), Opcode.RZ, qubit=qubits[0], site=site, expression=expression)
            return
        angle_rad = real(angle)
        if not abs(angle_rad) < LONGEST_RAD:  # also refuses NaN
            raise CompileError(
                f"instruction {index}: rz on qubits {qubits}: angle {angle!r} must be finite and below "
                f"2**20 turns; bind another value",
                instruction=index,
                gate="rz",
                qubits=qubits,
            )
        self._columns.append(self._at(index), Opcode.RZ, qubit=qubits[0], site=site, angle_rad=angle_rad)

    def _read_delay(self, index: int, qubits: tuple[int, ...], instruction: Any) -> None:
        unit, tick_s = str(instruction.operation.unit), self._calibration.dt_s
        try:
            length = length_of(instruction.params[0], unit, tick_s)
            ticks = 0 if length.shares else whole_ticks(length.ticks, unit, tick_s)
        except CompileError as error:
            text = f"instruction {index}: delay on qubits {qubits}: {error}"
            raise type(error)(text, instruction=index, gate="delay", qubits=qubits) from error
        self._columns.append(self._at(index), Opcode.DELAY, qubit=qubits[0], ticks=ticks)
        if length.shares:
            self._unresolved.waits[self._columns.n_rows - 1] = length

    def _read_reset(self, index: int, qubits: tuple[int, ...]) -> None:
        site = self._site(index, "reset", qubits)
        if not reset_is_measured(self._calibration, qubits[0]):
            self._columns.append(self._at(index), Opcode.RESET, qubit=qubits[0], site=site)
            return
        self._site(index, "x", qubits)
        self._columns.measured_reset(self._at(index), qubits[0], site)

    def _read_gate(self, index: int, name: str, qubits: tuple[int, ...], params: Sequence[Any]) -> None:
        site = None if params else self._sites.get((name, qubits))
        if site is None:
            self._require(index, name, qubits)
            arguments = self._angles.read(index, name, qubits, params)
            key = (name, qubits, None, arguments) if arguments else (name, qubits)
            site = self._sites.setdefault(key, len(self._sites))
        self._columns.append(self._at(index), Opcode.GATE, qubit=qubits[0], site=site)

    def _read_custom(self, index: int, gate: CustomGate, instruction: Any) -> None:
        where = f"instruction {index}: {gate.name} on qubits {gate.qubits}"
        if len(instruction.clbits) != gate.n_captures:
            raise CompileError(
                f"{where}: {len(instruction.clbits)} classical bits, it captures {gate.n_captures} times; append "
                f"Instruction({gate.name!r}, {len(gate.qubits)}, {gate.n_captures}, ...)",
                instruction=index,
                gate=gate.name,
                qubits=gate.qubits,
            )
        arguments = gate_arguments(gate, instruction.params, self._parameter_of, where)
        site = self._sites.setdefault(GateSite(gate.name, gate.qubits, gate, arguments), len(self._sites))
        clbit = self._clbit_of[instruction.clbits[0]] if instruction.clbits else -1
        self._columns.append(self._at(index), Opcode.GATE, qubit=gate.qubits[0], site=site, clbit=clbit)

    def _at(self, index: int) -> int:
        """Return the instruction of the circuit that is read, or has it in its bodies."""
        return self._source if self._depth else index

    def _site(self, index: int, name: str, qubits: tuple[int, ...]) -> int:
        key = (name, qubits)
        found = self._sites.get(key)
        if found is not None:
            return found
        self._require(index, name, qubits)
        return self._sites.setdefault(key, len(self._sites))

    def _require(self, index: int, name: str, qubits: tuple[int, ...]) -> None:
        try:
            if GateSite(name, qubits) not in self._device.index and (name, qubits) not in self._device.angle_bounds:
                require_gate(self._calibration, name, qubits)
        except CalibrationError as error:
            raise UnsupportedInstructionError(
                f"instruction {index}: {name} on qubits {qubits}: {error}",
                instruction=index,
                gate=name,
                qubits=qubits,
            ) from error

    def _expression(self, index: int, qubits: tuple[int, ...], angle: Any) -> int:
        steps = steps_of(angle, self._parameter_of)
        if isinstance(steps, str):
            _refuse(index, "rz", qubits, f"operation {steps} in angle {angle} is not supported; bind it first")
        return self._expressions.setdefault(Expression(steps), len(self._expressions))

    def program(self) -> GateProgram:
        instructions, segments, barrier_qubits = self._columns.columns()
        sites = tuple([GateSite(*site) for site in self._sites])
        boxes: tuple[TimedBox, ...] = ()
        if self._unresolved.is_open:
            heap, firsts = self._columns.barrier_qubits, self._columns.firsts
            boxes = resolve(instructions, firsts, heap, sites, self._calibration, self._unresolved)
        for column in (instructions, segments, barrier_qubits):
            column.flags.writeable = False
        return GateProgram(
            instructions=instructions,
            segments=segments,
            barrier_qubits=barrier_qubits,
            sites=sites,
            expressions=tuple(self._expressions),
            n_qubits=len(self._calibration.qubit_names),
            interface=interface_of(self._circuit, self._calibration, self._parameters, structural_arguments(sites)),
            flow=self._flow.column(),
            angles=self._angles.bounds,
            boxes=boxes,
        )


def _refuse(index: int, name: str, qubits: tuple[int, ...], why: str) -> NoReturn:
    raise UnsupportedInstructionError(
        f"instruction {index}: {name} on qubits {qubits}: {why}", instruction=index, gate=name, qubits=qubits
    )
