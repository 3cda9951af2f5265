"""Read a ``QuantumCircuit`` into a ``GateProgram``; no Qiskit object goes beyond this file."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, cast

import numpy as np
from qiskit.circuit import Parameter, ParameterExpression, QuantumCircuit

from qctrl.compiler._capi_kernels import LONGEST_RAD
from qctrl.compiler.angles import Angles
from qctrl.compiler.capi import UNITS, circuit_data, read_columns
from qctrl.compiler.circuit_interface import interface_of
from qctrl.compiler.control_flow import CONTROL_FLOW, ControlFlow
from qctrl.compiler.custom_gates import gate_arguments, structural_arguments
from qctrl.compiler.custom_rows import read_custom_rows
from qctrl.compiler.device import device_table
from qctrl.compiler.durations import length_of, whole_ticks
from qctrl.compiler.flow_writer import FlowWriter
from qctrl.compiler.parameters import real, steps_of
from qctrl.compiler.sites import require_gate, reset_is_measured
from qctrl.compiler.stretches import TimedBox, Unresolved, resolve
from qctrl.errors import CalibrationError, CompileError, TimingError, UnsupportedInstructionError
from qctrl.ir.expression import Expression
from qctrl.ir.gate_program import INSTRUCTION, SEGMENT, GateProgram, GateSite, Opcode, SegmentKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from qctrl.calibration import Calibration
    from qctrl.compiler.capi import Columns
    from qctrl.compiler.device import DeviceTable
    from qctrl.pulse import CustomGate, CustomGates

Circuit: TypeAlias = QuantumCircuit
"""What is compiled, for stages that know no Qiskit."""

_LOG: Final = logging.getLogger(__name__)
_DELAY: Final = int(Opcode.DELAY)


def lower(circuit: Circuit, calibration: Calibration, custom_gates: CustomGates | None = None) -> GateProgram:
    """Return a circuit as columns, every gate resolved against the calibration.

    Args:
        circuit: An ISA circuit: its gates, on its qubits, are in the device's ``Target``.
        calibration: The calibration that it will be played with.
        custom_gates: Gates of the user's own, by name and qubits.

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
    program = lower_fast(circuit, calibration, custom_gates)
    return lower_slowly(circuit, calibration, custom_gates) if program is None else program


def lower_fast(
    circuit: Circuit, calibration: Calibration, custom_gates: CustomGates | None = None
) -> GateProgram | None:
    """Return a circuit as columns, read through the C API; ``None`` if that cannot show all of it."""
    device = device_table(calibration)
    columns = read_columns(circuit, device, may_be_custom=bool(custom_gates))
    if columns is None:
        return None
    parameters = list(circuit.parameters) if circuit.num_parameters else []
    sites, structure = _sites(device, columns.sites.tobytes()), ()
    if custom_gates:
        read = read_custom_rows(circuit, columns, sites, custom_gates, parameters)
        if read is None or any(GateSite(*each) in device.index for each in custom_gates):
            return None
        columns, sites = read
        structure = structural_arguments(sites)
    expressions: tuple[Expression, ...] = ()
    if len(columns.pending):
        found = _resolve(circuit, calibration, columns, parameters)
        if found is None:
            return None
        expressions = found
    columns.instructions.setflags(write=False)
    columns.barrier_qubits.setflags(write=False)
    _LOG.debug("circuit %s: read through the C API", circuit.name)
    return GateProgram(
        instructions=columns.instructions,
        segments=columns.segments,
        barrier_qubits=columns.barrier_qubits,
        sites=sites,
        expressions=expressions,
        n_qubits=len(calibration.qubit_names),
        interface=interface_of(circuit, calibration, parameters, structure),
    )


def lower_slowly(circuit: Circuit, calibration: Calibration, custom_gates: CustomGates | None = None) -> GateProgram:
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


def _resolve(
    circuit: Circuit, calibration: Calibration, columns: Columns, parameters: list[Any]
) -> tuple[Expression, ...] | None:
    """Finish the pending rows; return the distinct expressions, or ``None`` if the slow reader must say what is wrong.

    Equal texts need not be equal expressions, so all but bare parameters are read from their objects.
    """
    by_parameter = {item: index for index, item in enumerate(parameters)}
    expressions: dict[Expression, int] = {}
    of_parameter: dict[Any, int] = {}
    rows, at, data = columns.instructions, columns.pending, circuit_data(circuit)
    numbers: list[int] = []
    for row, index in zip(at.tolist(), rows["source"][at].tolist(), strict=True):
        if rows["opcode"][row] == _DELAY:
            ticks = _delay_ticks(float(rows["angle_rad"][row]), UNITS[int(rows["ticks"][row])], calibration.dt_s)
            if ticks is None:
                return None
            rows["ticks"][row], rows["angle_rad"][row] = ticks, 0.0
            numbers.append(-1)
            continue
        angle = data[index].params[0]
        number = of_parameter.get(angle) if isinstance(angle, Parameter) else None
        if number is None:
            if not (isinstance(angle, ParameterExpression) and angle.parameters):
                return None
            steps = steps_of(angle, by_parameter)
            if isinstance(steps, str):
                return None
            number = expressions.setdefault(Expression(steps), len(expressions))
            if isinstance(angle, Parameter):
                of_parameter[angle] = number
        numbers.append(number)
    rows["expression"][at] = numbers
    return tuple(expressions)


@lru_cache(maxsize=256)
def _sites(device: DeviceTable, numbers: bytes) -> tuple[GateSite, ...]:
    return tuple([device.sites[number] for number in np.frombuffer(numbers, dtype=np.int32).tolist()])


@lru_cache(maxsize=1024)
def _delay_ticks(value: float, unit: str, dt_s: Fraction) -> int | None:
    try:
        return whole_ticks(length_of(value, unit, dt_s).ticks, unit, dt_s)
    except TimingError:
        return None


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
        self._rows: list[tuple[float, ...]] = []
        self._segments: list[tuple[int, SegmentKind]] = []
        self._reset_qubits: set[int] = set()
        self._barrier_qubits: list[int] = []
        self._sites: dict[tuple[Any, ...], int] = {}
        self._expressions: dict[Expression, int] = {}
        self._unresolved = Unresolved()
        self._angles = Angles(calibration, self._parameter_of)
        self._flow = FlowWriter()
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
        self._append(index, Opcode.BARRIER, qubit=-1, count=len(qubits))
        self._barrier_qubits += [self._qubit_of[bit] for bit in qubits]

    def read_timed_box(self, index: int, instruction: Any) -> None:
        """Read a box with a duration; see ``BodyReader``."""
        operation, qubits = instruction.operation, instruction.qubits
        unit = str(operation.unit)
        length = length_of(operation.duration, unit, self._calibration.dt_s)
        self.align(index, qubits)
        segment, pad = len(self._segments), len(self._rows)
        self._append(index, Opcode.DELAY, qubit=self._qubit_of[qubits[0]])
        self.align(index, qubits)
        first = len(self._rows)
        self.read_body(operation.blocks[0], qubits, instruction.clbits)
        end = len(self._rows)
        self.align(index, qubits)
        if len(self._segments) != segment:
            raise UnsupportedInstructionError(
                "how long decisions and measured resets take is known only when they are played; leave out the duration"
            )
        self._unresolved.boxes.append(TimedBox(index, pad, first, end, length, unit))

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
                self._append(index, Opcode.MEASURE, qubit=qubits[0], site=site, clbit=clbit)
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
            self._append(index, Opcode.RZ, qubit=qubits[0], site=site, expression=expression)
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
        self._append(index, Opcode.RZ, qubit=qubits[0], site=site, angle_rad=angle_rad)

    def _read_delay(self, index: int, qubits: tuple[int, ...], instruction: Any) -> None:
        unit, tick_s = str(instruction.operation.unit), self._calibration.dt_s
        try:
            length = length_of(instruction.params[0], unit, tick_s)
            ticks = 0 if length.shares else whole_ticks(length.ticks, unit, tick_s)
        except CompileError as error:
            text = f"instruction {index}: delay on qubits {qubits}: {error}"
            raise type(error)(text, instruction=index, gate="delay", qubits=qubits) from error
        self._append(index, Opcode.DELAY, qubit=qubits[0], ticks=ticks)
        if length.shares:
            self._unresolved.waits[len(self._rows) - 1] = length

    def _read_reset(self, index: int, qubits: tuple[int, ...]) -> None:
        site = self._site(index, "reset", qubits)
        if not reset_is_measured(self._calibration, qubits[0]):
            self._append(index, Opcode.RESET, qubit=qubits[0], site=site)
            return
        self._site(index, "x", qubits)
        in_group = self._flow.is_playing and self._segments[-1][1] == SegmentKind.RESET
        if not in_group or qubits[0] in self._reset_qubits:
            self._open(SegmentKind.RESET)
            self._reset_qubits.clear()
        self._reset_qubits.add(qubits[0])
        self._append(index, Opcode.RESET, SegmentKind.RESET, qubit=qubits[0], site=site)

    def _read_gate(self, index: int, name: str, qubits: tuple[int, ...], params: Sequence[Any]) -> None:
        site = None if params else self._sites.get((name, qubits))
        if site is None:
            self._require(index, name, qubits)
            arguments = self._angles.read(index, name, qubits, params)
            key = (name, qubits, None, arguments) if arguments else (name, qubits)
            site = self._sites.setdefault(key, len(self._sites))
        self._append(index, Opcode.GATE, qubit=qubits[0], site=site)

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
        self._append(index, Opcode.GATE, qubit=gate.qubits[0], site=site, clbit=clbit)

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
        if not self._flow.is_playing or self._segments[-1][1] != kind:
            self._open(kind)
        first, source = len(self._barrier_qubits), self._source if self._depth else index
        self._rows.append((opcode, site, qubit, clbit, expression, source, first, count, ticks, angle_rad))

    def _open(self, kind: SegmentKind) -> None:
        self._flow.play(len(self._segments))
        self._segments.append((len(self._rows), kind))

    def _site(self, index: int, name: str, qubits: tuple[int, ...]) -> int:
        key = (name, qubits)
        found = self._sites.get(key)
        if found is not None:
            return found
        self._require(index, name, qubits)
        return self._sites.setdefault(key, len(self._sites))

    def _require(self, index: int, name: str, qubits: tuple[int, ...]) -> None:
        try:
            if GateSite(name, qubits) not in self._device.index:
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
        if not self._segments:
            self._open(SegmentKind.BODY)
        instructions = np.array(self._rows, dtype=INSTRUCTION)
        firsts = [first for first, _ in self._segments]
        kinds = [int(kind) for _, kind in self._segments]
        counts = np.diff([*firsts, len(instructions)]).tolist()
        segments = np.array(list(zip(firsts, counts, kinds, strict=True)), dtype=SEGMENT)
        barrier_qubits = np.array(self._barrier_qubits, dtype=np.int32)
        sites = tuple([GateSite(*site) for site in self._sites])
        if self._unresolved.is_open:
            resolve(instructions, firsts, self._barrier_qubits, sites, self._calibration, self._unresolved)
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
        )


def _refuse(index: int, name: str, qubits: tuple[int, ...], why: str) -> NoReturn:
    raise UnsupportedInstructionError(
        f"instruction {index}: {name} on qubits {qubits}: {why}", instruction=index, gate=name, qubits=qubits
    )
