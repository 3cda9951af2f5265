"""Derive Qiskit's ``Target`` from a calibration."""

from __future__ import annotations

from typing import TypeAlias

from qiskit.circuit import (
    BoxOp,
    BreakLoopOp,
    ContinueLoopOp,
    Delay,
    ForLoopOp,
    IfElseOp,
    Instruction,
    Measure,
    Parameter,
    Reset,
    Store,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.library import CZGate, RZGate, SXGate, XGate
from qiskit.providers.backend import QubitProperties
from qiskit.transpiler import InstructionProperties, Target

from qctrl.calibration import Calibration
from qctrl.calibration.durations import capture_step, pulse_step, reset_ticks

Properties: TypeAlias = dict[tuple[int, ...], InstructionProperties | None]


def build_target(calibration: Calibration, *, has_branches: bool = True) -> Target:
    """Return the ``Target`` of a calibration.

    Every duration is a whole multiple of ``dt`` on the device's grid. Dead qubits and edges keep their index
    and have no instructions; ``calibration.demoted`` says why. The order of operations and qubits is fixed by
    the indices, so equal calibrations give equal targets.

    Args:
        calibration: The calibration; where its errors come from is ``calibration.error_source``.
        has_branches: Whether the rack can decide on measured bits; without, there is neither control flow nor reset.
    """
    timing = calibration.timing
    target = Target(
        description=f"{calibration.name} {calibration.id}",
        num_qubits=calibration.num_qubits,
        dt=float(calibration.dt_s),
        granularity=timing.granularity,
        min_length=timing.min_length,
        pulse_alignment=pulse_step(timing),
        acquire_alignment=capture_step(timing),
        qubit_properties=[_qubit_properties(calibration, index) for index in range(calibration.num_qubits)],
        # Qiskit means qubits that can only be measured together; here each can be measured alone
        concurrent_measurements=[[index] for index in calibration.live_qubits],
    )
    table = _instructions(calibration)
    for name, instruction in _OPERATIONS.items():
        if name in table and (has_branches or name != "reset"):
            target.add_instruction(instruction, table[name], name=name)
    # Of any width, and on any qubits: decisions are the sequencers', what is played in their bodies is checked apart.
    for name, operation in (_CONTROL_FLOW if has_branches else {}).items():
        target.add_instruction(operation, name=name)
    return target


_OPERATIONS: dict[str, Instruction] = {
    "rz": RZGate(Parameter("λ")),
    "sx": SXGate(),
    "x": XGate(),
    "cz": CZGate(),
    "measure": Measure(),
    "reset": Reset(),
    "delay": Delay(Parameter("t")),
}
_CONTROL_FLOW: dict[str, type[Instruction]] = {
    "if_else": IfElseOp,
    "while_loop": WhileLoopOp,
    "for_loop": ForLoopOp,
    "switch_case": SwitchCaseOp,
    "break_loop": BreakLoopOp,
    "continue_loop": ContinueLoopOp,
    "box": BoxOp,
    "store": Store,
}


def _instructions(calibration: Calibration) -> dict[str, Properties]:
    table: dict[str, Properties] = {}
    for name, qubits in calibration.operations():
        for ordered in _orders(calibration, name, qubits):
            table.setdefault(name, {})[ordered] = _properties(calibration, name, ordered)
    for index in calibration.live_qubits:
        qubits = (index,)
        table.setdefault("measure", {})[qubits] = _properties(calibration, "measure", qubits)
        if reset_ticks(calibration.live_qubit(index), calibration.timing) is not None:
            table.setdefault("reset", {})[qubits] = _properties(calibration, "reset", qubits)
        table.setdefault("delay", {})[qubits] = None
    return table


def _orders(calibration: Calibration, name: str, qubits: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    gate = calibration.gate(name, qubits)
    both = gate.kind == "flux_cz" and gate.symmetric
    return (qubits, qubits[::-1]) if both else (qubits,)


def _properties(calibration: Calibration, name: str, qubits: tuple[int, ...]) -> InstructionProperties:
    duration_s = float(calibration.duration_ticks(name, qubits) * calibration.dt_s)
    return InstructionProperties(duration=duration_s, error=calibration.error(name, qubits))


def _qubit_properties(calibration: Calibration, index: int) -> QubitProperties:  # pyright: ignore[reportUnknownParameterType] Qiskit gives its Rust half no types
    qubit = calibration.qubits[index]
    if qubit is None or index not in calibration.live_qubits:
        return QubitProperties()
    found = calibration.coherence(index)
    frequency_hz = None if qubit.frequency is None else qubit.frequency.value
    return QubitProperties(t1=found.t1_s, t2=found.t2_s, frequency=frequency_hz)
