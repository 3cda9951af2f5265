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
from qiskit.circuit.library import (
    CXGate,
    CZGate,
    ECRGate,
    RXGate,
    RZGate,
    RZXGate,
    RZZGate,
    SXGate,
    XGate,
)
from qiskit.providers.backend import QubitProperties
from qiskit.transpiler import InstructionProperties, Target

from qctrl.calibration import Calibration, CrossResonance, FluxCz
from qctrl.calibration.durations import capture_step, pulse_step, reset_ticks
from qctrl.provider.angle_wrapping import register_wrappers

Properties: TypeAlias = dict[tuple[int, ...], InstructionProperties | None]


def build_target(calibration: Calibration, *, has_branches: bool = True, has_fractional: bool = True) -> Target:
    """Return the ``Target`` of a calibration.

    Every duration is a whole multiple of ``dt`` on the device's grid. Dead qubits and edges keep their index
    and have no instructions; ``calibration.demoted`` says why. The order of operations and qubits is fixed by
    the indices, so equal calibrations give equal targets. Bounds of angles are those that hold on all qubits,
    and ``rx`` is there only if all live qubits have it.

    Args:
        calibration: The calibration; where its errors come from is ``calibration.error_source``.
        has_branches: Whether the rack can decide on measured bits; without, there is neither control flow nor reset.
        has_fractional: Whether gates by any angle are wanted, where they are calibrated.
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
    left_out = (frozenset() if has_branches else {"reset"}) | (frozenset() if has_fractional else _FRACTIONAL)
    for name, instruction in _OPERATIONS.items():
        if name in table and name not in left_out:
            bounds = _angle_bounds(calibration, name, table[name])
            target.add_instruction(instruction, table[name], name=name, angle_bounds=bounds)
    if target.has_angle_bounds():
        register_wrappers()
    # Of any width, and on any qubits: decisions are the sequencers', what is played in their bodies is checked apart.
    for name, operation in (_CONTROL_FLOW if has_branches else {}).items():
        target.add_instruction(operation, name=name)
    return target


_OPERATIONS: dict[str, Instruction] = {
    "rz": RZGate(Parameter("λ")),
    "sx": SXGate(),
    "x": XGate(),
    "rx": RXGate(Parameter("ϴ")),
    "cz": CZGate(),
    "ecr": ECRGate(),
    "cx": CXGate(),
    "rzx": RZXGate(Parameter("ϴ")),
    "rzz": RZZGate(Parameter("ϴ")),
    "measure": Measure(),
    "reset": Reset(),
    "delay": Delay(Parameter("t")),
}
_FRACTIONAL = frozenset({"rx", "rzx", "rzz"})
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
    if len(table.get("rx", {})) < len(calibration.live_qubits):
        # Qiskit translates gates of one qubit alike on all qubits, and would make circuits that cannot be played.
        table.pop("rx", None)
    return table


def _angle_bounds(calibration: Calibration, name: str, places: Properties) -> list[tuple[float, float]] | None:
    """Return the angles that a gate can have wherever it exists: Qiskit knows one pair of bounds per name."""
    if name not in _FRACTIONAL:
        return None
    found = [bounds for qubits in places if (bounds := calibration.angle_bounds(name, qubits)) is not None]
    return [(max(low for low, _ in found), min(high for _, high in found))]


def _orders(calibration: Calibration, name: str, qubits: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    gate = calibration.gate(name, qubits)
    both = isinstance(gate, FluxCz | CrossResonance) and gate.symmetric
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
