"""From circuits with arrays of values to works, and back: the part that both primitives share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qctrl.compiler import DEFAULT, CompiledProgram, CompileOptions
from qctrl.errors import CompileError, ResourceError
from qctrl.execution import Work, WorkResult
from qctrl.primitives.structure import split_by_structure
from qctrl.protocol import CaptureMode, Patch
from qctrl.readout import last_captures

MAX_SHOTS = 10_000_000
"""Most shots per binding: what a host can hold of packed registers without surprise."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One circuit at some parameter values."""

    circuit: QuantumCircuit
    values: NDArray[np.float64]
    """``(n_bindings, n_parameters)``, in the order of ``circuit.parameters``."""
    shots: int
    capture_mode: CaptureMode = "bits"
    pub_index: int = 0
    options: CompileOptions = DEFAULT
    """How the circuit is compiled."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the result of one work belongs."""

    task: int
    rows: tuple[int, ...]
    """Bindings of the task that this work executes, in the order of the work."""
    columns: dict[int, int]
    """Last capture that writes each classical bit."""

    def to_document(self) -> dict[str, Any]:
        """Return the placement as JSON can say it."""
        return {"task": self.task, "rows": list(self.rows), "columns": self.columns}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Placement:
        """Return the placement that :meth:`to_document` described."""
        columns = {int(clbit): column for clbit, column in document["columns"].items()}
        return cls(document["task"], tuple(document["rows"]), columns)


@dataclass(frozen=True, slots=True, eq=False)
class TaskResult:
    """Every binding of one task, in the task's order."""

    bits: NDArray[np.uint8] | None
    """``(bindings, shots, nbytes)``; ``None`` if there was nothing to execute."""
    iq: NDArray[np.complex64] | None
    columns: dict[int, int]


def build_works(
    tasks: Sequence[Task],
    compile_circuit: Callable[[QuantumCircuit, CompileOptions], CompiledProgram],
    structural_parameters: Callable[[QuantumCircuit], Collection[Any]],
) -> tuple[tuple[Work, ...], tuple[Placement, ...]]:
    """Compile every circuit once and bind its values.

    Args:
        tasks: What is to be executed; equal circuit objects are compiled once for equal options.
        compile_circuit: The backend's compiler.
        structural_parameters: Which parameters of a circuit change the structure of its program.

    Returns:
        Works, and where the result of each belongs. A task without bindings makes no work.

    Raises:
        CompileError: A circuit or its values cannot be compiled.
    """
    compiled = _Compiled(compile_circuit)
    parts = [
        _Part(index, task, compiled.of(circuit, task.options), values, tuple(rows))
        for index, task in enumerate(tasks)
        for circuit, values, rows in _split(task, structural_parameters)
    ]
    patches = _bind(parts)
    works = [
        Work(part.program.program, patch, part.task.shots, part.task.capture_mode, part.task.pub_index)
        for part, patch in zip(parts, patches, strict=True)
    ]
    columns = {id(part.program): part.program.program.captures for part in parts}
    last = {key: last_captures(captures) for key, captures in columns.items()}
    return tuple(works), tuple(Placement(part.index, part.rows, last[id(part.program)]) for part in parts)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The bindings of a task that one program plays."""

    index: int
    task: Task
    program: CompiledProgram
    values: NDArray[np.float64]
    rows: tuple[int, ...]


class _Compiled:
    """The programs of a job, each circuit compiled once for equal options."""

    def __init__(self, compile_circuit: Callable[[QuantumCircuit, CompileOptions], CompiledProgram]) -> None:
        self._compile = compile_circuit
        # The circuits are kept beside their programs: the id of a dropped one could be given again.
        self._programs: dict[tuple[int, CompileOptions], tuple[QuantumCircuit, CompiledProgram]] = {}

    def of(self, circuit: QuantumCircuit, options: CompileOptions) -> CompiledProgram:
        key = (id(circuit), options)
        if key not in self._programs:
            self._programs[key] = (circuit, self._compile(circuit, options))
        return self._programs[key][1]


def _split(
    task: Task, structural_parameters: Callable[[QuantumCircuit], Collection[Any]]
) -> list[tuple[QuantumCircuit, NDArray[np.float64], list[int]]]:
    if task.shots > MAX_SHOTS:
        raise ResourceError(
            f"pub {task.pub_index} takes {task.shots} shots per binding, the limit is {MAX_SHOTS}; ask for fewer, of "
            "an estimate for a coarser precision, or use several jobs"
        )
    named = structural_parameters(task.circuit) if task.circuit.num_parameters and len(task.values) else ()
    return split_by_structure(task.circuit, task.values, named)


def _bind(parts: Sequence[_Part]) -> list[Patch | None]:
    """Return the words of each part; those of one program are bound at once, which costs little more than one part."""
    patches: list[Patch | None] = [None] * len(parts)
    alike: dict[int, list[int]] = {}
    for number, part in enumerate(parts):
        if part.values.shape != (1, 0):
            alike.setdefault(id(part.program), []).append(number)
    for numbers in alike.values():
        program = parts[numbers[0]].program
        try:
            words = program.bind(np.concatenate([parts[number].values for number in numbers])).words
        except CompileError:
            # Which binding of which pub is wrong, only binding part by part can say.
            for number in numbers:
                program.bind(parts[number].values)
            raise
        end = 0
        for number in numbers:
            first, end = end, end + len(parts[number].values)
            patches[number] = Patch(program.hash, words[first:end])
    return patches


def gather(
    n_tasks: int, placements: Sequence[Placement], works: Sequence[WorkResult | None]
) -> list[TaskResult | None]:
    """Return the result of every task, its bindings in the task's order; ``None`` while a work of it is missing.

    Args:
        n_tasks: Number of tasks.
        placements: Where the result of each work belongs.
        works: Results of the works from the first; of a running job, fewer than there are placements.
    """
    parts: list[list[tuple[Placement, WorkResult | None]]] = [[] for _ in range(n_tasks)]
    missing = [None] * (len(placements) - len(works))
    for placement, work in zip(placements, [*works, *missing], strict=True):
        parts[placement.task].append((placement, work))
    return [_merged([(place, work) for place, work in part if work is not None], len(part)) for part in parts]


def _merged(parts: Sequence[tuple[Placement, WorkResult]], n_parts: int) -> TaskResult | None:
    if len(parts) < n_parts:
        return None
    if not parts:
        return TaskResult(None, None, {})
    placement, work = parts[0]
    if len(parts) == 1:
        return TaskResult(work.bits, work.iq, placement.columns)
    order = np.argsort(np.concatenate([part.rows for part, _ in parts]))
    # While a job runs, the works of one task may have different numbers of shots.
    shots = min(each.bits.shape[1] for _, each in parts)
    bits = np.concatenate([each.bits[:, :shots] for _, each in parts])[order]
    clouds = [each.iq[:, :shots] if each.iq.ndim == 3 else each.iq for _, each in parts if each.iq is not None]
    return TaskResult(bits, np.concatenate(clouds)[order] if clouds else None, placement.columns)
