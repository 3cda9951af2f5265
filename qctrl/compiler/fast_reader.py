"""Read circuits through Qiskit's C API; numbers that it cannot show are read from their Python objects."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qiskit.circuit import Parameter, ParameterExpression, QuantumCircuit

from qctrl.compiler.angles import Angles
from qctrl.compiler.argument_rows import read_argument_rows
from qctrl.compiler.capi import UNITS, circuit_data, read_columns
from qctrl.compiler.circuit_interface import interface_of
from qctrl.compiler.custom_gates import structural_arguments
from qctrl.compiler.device import device_table
from qctrl.compiler.durations import length_of, whole_ticks
from qctrl.compiler.parameters import steps_of
from qctrl.errors import TimingError
from qctrl.ir.expression import Expression
from qctrl.ir.gate_program import GateProgram, GateSite, Opcode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from qctrl.calibration import Calibration
    from qctrl.compiler.capi import Columns
    from qctrl.compiler.device import DeviceTable
    from qctrl.pulse import CustomGates

_LOG: Final = logging.getLogger(__name__)
_DELAY: Final = int(Opcode.DELAY)


def lower_fast(
    circuit: QuantumCircuit, calibration: Calibration, custom_gates: CustomGates | None = None
) -> GateProgram | None:
    """Return a circuit as columns, read through the C API; ``None`` if that cannot show all of it."""
    device = device_table(calibration)
    columns = read_columns(circuit, device, may_be_custom=bool(custom_gates) or bool(device.angle_bounds))
    if columns is None:
        return None
    parameters = list(circuit.parameters) if circuit.num_parameters else []
    sites, structure = _sites(device, columns.sites.tobytes()), ()
    by_parameter = {item: index for index, item in enumerate(parameters)}
    angles = Angles(device.angle_bounds, by_parameter)
    if custom_gates or device.angle_bounds:
        read = read_argument_rows(circuit, columns, sites, custom_gates or {}, angles)
        if read is None or any(GateSite(*each) in device.index for each in custom_gates or ()):
            return None
        columns, sites = read
        structure = structural_arguments(sites)
    expressions: tuple[Expression, ...] = ()
    if len(columns.pending):
        found = _resolve(circuit, calibration, columns, by_parameter)
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
        angles=angles.bounds,
    )


def _resolve(
    circuit: QuantumCircuit, calibration: Calibration, columns: Columns, by_parameter: Mapping[Any, int]
) -> tuple[Expression, ...] | None:
    """Finish the pending rows; return the distinct expressions, or ``None`` if the slow reader must say what is wrong.

    Equal texts need not be equal expressions, so all but bare parameters are read from their objects.
    """
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
