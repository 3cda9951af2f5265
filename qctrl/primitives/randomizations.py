"""Shots spread over random twirls: every point of a task becomes several bindings, and their results one again."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qctrl.primitives.suppression import TwirlingOptions
from qctrl.primitives.tasks import Task, TaskResult
from qctrl.primitives.twirled_circuit import TwirledCircuit
from qctrl.primitives.twirling import twirled
from qctrl.service import Blob

_LEAST_SHOTS, _MOST_DRAWS = 64, 32
"""What ``auto`` stands for: up to so many twirls, with so many shots each or more."""
_KEY, _FLIPS = "randomizations", "flips"


@dataclass(frozen=True, slots=True, eq=False)
class Randomization:
    """How the shots of one task were spread."""

    n_draws: int = 1
    """Twirls of each point; the bindings of one point stand behind one another."""
    shots: int = 0
    """Shots of each point; what its twirls brought beyond is dropped."""
    flips: NDArray[np.uint8] | None = None
    """Bits that were inverted, ``(n_points * n_draws, nbytes)``; ``None`` if nothing was twirled."""

    def merged(self, part: TaskResult) -> TaskResult:
        """Return the result of a task, the shots of its twirls behind one another, inverted bits put right."""
        if self.flips is None or part.bits is None:
            return part
        n_bytes = self.flips.shape[1]
        bits = part.bits.copy()
        bits[:, :, :n_bytes] ^= self.flips[:, None]
        return TaskResult(self._joined(bits), None if part.iq is None else self._points(part.iq), part.columns)

    def _points(self, iq: NDArray[np.complex64]) -> NDArray[np.complex64]:
        if iq.ndim == 3:
            return self._joined(iq)
        return iq.reshape(-1, self.n_draws, iq.shape[1]).mean(axis=1, dtype=np.complex64)

    def _joined(self, shots: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(shots.reshape(-1, self.n_draws * shots.shape[1], shots.shape[2])[:, : self.shots])


class Randomizer:
    """Spreads the tasks of one job over twirls.

    Args:
        options: What is twirled, and how often.
        seed: Of all Paulis of the job; ``None`` draws a new one.
        playable: Qubits that can be driven; ``None`` is all.
    """

    def __init__(self, options: TwirlingOptions, seed: int | None, playable: Collection[int] | None = None) -> None:
        self._options = options
        self._playable = playable
        self._rng = np.random.default_rng(seed)
        self._circuits: dict[int, tuple[QuantumCircuit, TwirledCircuit]] = {}

    def spread(self, tasks: Sequence[Task]) -> tuple[list[Task], list[Randomization]]:
        """Return tasks for all twirls, and how to make results of them."""
        if not self._options.is_enabled:
            return list(tasks), [Randomization() for _ in tasks]
        pairs = [self._of_task(task) for task in tasks]
        return [task for task, _ in pairs], [randomization for _, randomization in pairs]

    def _of_task(self, task: Task) -> tuple[Task, Randomization]:
        circuit = self._twirled(task.circuit)
        if not (circuit.gates or circuit.measured):
            return task, Randomization()
        n_draws, shots = spread_shots(task.shots, self._options)
        draw = circuit.draw(task.values, n_draws, self._rng)
        made = replace(task, circuit=circuit.circuit, values=draw.values, shots=shots)
        return made, Randomization(n_draws, task.shots, draw.flips)

    def _twirled(self, circuit: QuantumCircuit) -> TwirledCircuit:
        # The circuits are kept: the id of a dropped one could be given again.
        if id(circuit) not in self._circuits:
            options = self._options
            made = twirled(
                circuit,
                gates=options.enable_gates,
                measurements=options.enable_measure,
                strategy=options.strategy,
                playable=self._playable,
            )
            self._circuits[id(circuit)] = (circuit, made)
        return self._circuits[id(circuit)][1]


def spread_shots(shots: int, options: TwirlingOptions) -> tuple[int, int]:
    """Return into how many twirls shots are spread, and how many each takes; together at least as many.

    Where both numbers are given, what a heavy observable wants beyond their product takes more twirls.
    """
    n_draws, each = options.counts()
    if each is not None:
        least = math.ceil(shots / each)
        return (least if n_draws is None else max(n_draws, least)), each
    if n_draws is None:
        n_draws = math.ceil(shots / max(_LEAST_SHOTS, math.ceil(shots / _MOST_DRAWS)))
    return n_draws, math.ceil(shots / n_draws)


def store(randomizations: Sequence[Randomization], blob: Blob) -> Blob:
    """Return a blob that says in addition how the shots were spread."""
    if all(each.flips is None for each in randomizations):
        return blob
    arrays = {f"{_FLIPS}{k}": each.flips for k, each in enumerate(randomizations) if each.flips is not None}
    rows = [[each.n_draws, each.shots] for each in randomizations]
    return Blob({**blob.document, _KEY: rows}, {**blob.arrays, **arrays})


def restore(blob: Blob, n_tasks: int) -> list[Randomization]:
    """Return how the shots of each task of a stored job were spread."""
    rows: Sequence[Sequence[int]] = blob.document.get(_KEY, [[1, 0]] * n_tasks)
    arrays: Mapping[str, NDArray[Any]] = blob.arrays
    return [Randomization(draws, shots, arrays.get(f"{_FLIPS}{k}")) for k, (draws, shots) in enumerate(rows)]
