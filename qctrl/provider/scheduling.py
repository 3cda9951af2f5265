"""Put delays on the grid of the device.

Qiskit's own scheduling stage refuses a circuit as soon as one delay is off ``pulse_alignment``, and binds it to
floating-point ticks if the delay is parametric. Here a delay is rounded and everything else is left to the pulse
compiler, which schedules control flow, boxes and stretches too.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from qiskit.circuit import BoxOp, Delay, ParameterExpression
from qiskit.circuit.classical import expr
from qiskit.converters import circuit_to_dag, dag_to_circuit
from qiskit.transpiler import Target
from qiskit.transpiler.basepasses import TransformationPass
from qiskit.transpiler.exceptions import TranspilerError

from qctrl.errors import TimingError
from qctrl.units import UNIT_S, clock_period, exact_fraction

METADATA_KEY: Final = "rounded_delays"
"""Where the circuit's metadata says what was rounded."""

_LOG: Final = logging.getLogger(__name__)


def delay_grid_ticks(target: Target) -> int:
    """Return the grid of gates in units of ``dt``; delays are multiples of it.

    Measurements may have a coarser grid: the compiler waits for it where one stands in the middle of a circuit.
    """
    return math.lcm(target.granularity or 1, target.pulse_alignment or 1)


class DelayError(TimingError, TranspilerError):
    """A delay is negative or not finite; a ``TranspilerError``, as of every pass."""

    def __str__(self) -> str:
        # Qiskit's own puts the message between quotes.
        return str(self.args[0])


class RoundDelays(TransformationPass):
    """Round every delay to the nearest multiple of the gates' grid, half to even, in units of ``dt``.

    Nearest, because a sweep of delays then stays unbiased. A delay shorter than half a step becomes 0. Delays that
    follow each other on a qubit, with nothing between them that takes time, are rounded by their running sum: a
    thousand delays of 3 ``dt`` wait 3000 ``dt``. So each delay changes by at most one step, and the time between two
    pulses by at most half a step.

    Delays with free parameters or stretches keep their unit, and the inside of a box with a duration is left as
    it is. Run the pass again after binding: ``PassManager([RoundDelays(backend.target)]).run(bound)``.

    What was rounded is logged once per circuit and stands in ``circuit.metadata["rounded_delays"]``: how many
    delays, the largest change in s, the grid in ``dt``.

    Args:
        target: Gives ``dt`` and the grid; without ``dt`` nothing is rounded.
    """

    def __init__(self, target: Target) -> None:
        super().__init__()
        self._target = target
        self._grid_ticks = delay_grid_ticks(target)
        self._tick_s = None if target.dt is None else clock_period(target.dt)

    def run(self, dag: Any) -> Any:
        """Return the circuit with its delays on the grid.

        Args:
            dag: The circuit, a ``DAGCircuit`` whose qubits are those of the device.

        Raises:
            DelayError: A delay is negative or not finite.
        """
        if self._tick_s is None or "delay" not in dag.count_ops(recurse=True):
            return dag
        report = _Report()
        self._round(dag, list(range(dag.num_qubits())), self._tick_s, report)
        if report.count:
            largest_s = float(report.largest_ticks * self._tick_s)
            found = {"count": report.count, "largest_s": largest_s, "grid_dt": self._grid_ticks}
            dag.metadata = {**(dag.metadata or {}), METADATA_KEY: found}
            _LOG.info(
                "circuit %s: %d delays rounded to multiples of %d dt, by at most %g s",
                dag.name,
                report.count,
                self._grid_ticks,
                largest_s,
            )
        return dag

    def _round(self, dag: Any, physical: list[int], tick_s: Fraction, report: _Report) -> bool:
        """Round in place; ``physical`` are the device's numbers of the circuit's qubits. Return whether any changed."""
        changed = False
        owed: dict[Any, Fraction] = {}
        index_of = {bit: physical[index] for index, bit in enumerate(dag.qubits)}
        for node in list(dag.topological_op_nodes()):
            if node.is_control_flow():
                changed |= self._round_bodies(dag, node, [index_of[bit] for bit in node.qargs], tick_s, report)
            elif node.name == "delay" and (ticks := delay_ticks(node.op, tick_s)) is not None:
                qubit = node.qargs[0]
                exact = ticks + owed.get(qubit, 0)
                rounded = round(exact / self._grid_ticks) * self._grid_ticks
                owed[qubit] = exact - rounded
                report.add(rounded - ticks)
                changed |= _replace(dag, node, rounded)
                continue
            waiting = [bit for bit in node.qargs if bit in owed]
            if waiting and self._takes_time(node, index_of):
                for bit in waiting:
                    del owed[bit]
        return changed

    def _round_bodies(self, dag: Any, node: Any, physical: list[int], tick_s: Fraction, report: _Report) -> bool:
        operation = node.op
        if isinstance(operation, BoxOp) and operation.duration is not None:
            return False  # the delays inside must add up to the duration that the box promises
        bodies, changed = [], False
        for block in operation.blocks:
            body = circuit_to_dag(block)
            changed |= self._round(body, physical, tick_s, report)
            bodies.append(body)
        if changed:
            blocks = [dag_to_circuit(body, copy_operations=False) for body in bodies]
            dag.substitute_node(node, operation.replace_blocks(blocks))
        return changed

    def _takes_time(self, node: Any, index_of: dict[Any, int]) -> bool:
        if node.name == "barrier":
            return False
        qargs = tuple(index_of[bit] for bit in node.qargs)
        if node.is_control_flow() or not self._target.instruction_supported(node.name, qargs):
            return True
        properties = (self._target[node.name] or {}).get(qargs)
        return properties is None or properties.duration != 0


@dataclass(slots=True)
class _Report:
    count: int = 0
    largest_ticks: Fraction = field(default_factory=Fraction)

    def add(self, change_ticks: Fraction) -> None:
        if change_ticks:
            self.count += 1
            self.largest_ticks = max(self.largest_ticks, abs(change_ticks))


def delay_ticks(delay: Delay, tick_s: Fraction) -> Fraction | None:
    """Return the exact duration of a delay in ticks; ``None`` while a parameter or a stretch is open.

    Args:
        delay: The operation.
        tick_s: Tick in s.

    Raises:
        DelayError: The duration is negative or not finite.
    """
    duration: Any = delay.duration
    if isinstance(duration, expr.Expr):
        from qctrl.compiler.durations import length_of  # brings kernels that other circuits do not need

        length = length_of(duration, delay.unit, tick_s)
        ticks = None if length.shares else length.ticks
    elif isinstance(duration, ParameterExpression) and duration.parameters:
        return None
    else:
        value = float(duration)
        if not math.isfinite(value):
            raise DelayError(f"delay of {value!r} {delay.unit} must be finite; give another duration")
        exact = Fraction(duration) if isinstance(duration, int) else exact_fraction(value)
        ticks = exact if delay.unit == "dt" else exact * UNIT_S[delay.unit] / tick_s
    if ticks is not None and ticks < 0:
        raise DelayError(f"delay of {duration} {delay.unit} has a negative duration; give 0 or more")
    return ticks


def _replace(dag: Any, node: Any, ticks: int) -> bool:
    operation = node.op
    if operation.unit == "dt" and isinstance(operation.duration, int) and operation.duration == ticks:
        return False
    dag.substitute_node(node, Delay(ticks, "dt"))
    return True
