"""Gate lists of the workloads, for peers that do not know Qiskit; as in ``benchmarks/devices.py``."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable

ROUNDS = 9
N_PLAYS = 100_000
SAMPLES_PER_PLAY = 48


def brick(n_qubits: int, n_layers: int, seed: int) -> list[tuple[str, tuple[int, ...], float]]:
    """Return (name, qubits, angle): layers of rz and sx on every qubit and cz in brick order, then measurements."""
    rng = random.Random(seed)  # noqa: S311
    gates: list[tuple[str, tuple[int, ...], float]] = []
    for layer in range(n_layers):
        for qubit in range(n_qubits):
            gates += [("rz", (qubit,), rng.uniform(-3, 3)), ("sx", (qubit,), 0.0)]
        gates += [("cz", (qubit, qubit + 1), 0.0) for qubit in range(layer % 2, n_qubits - 1, 2)]
    return [*gates, *(("measure", (qubit,), 0.0) for qubit in range(n_qubits))]


def chain(n_gates: int = 1000) -> list[tuple[str, tuple[int, ...], float]]:
    """Return sx gates on one qubit, each behind a random multiple of a quarter turn, then a measurement."""
    rng = random.Random(1)  # noqa: S311
    gates: list[tuple[str, tuple[int, ...], float]] = []
    for _ in range(n_gates):
        gates += [("rz", (0,), rng.randrange(4) * 1.5707963267948966), ("sx", (0,), 0.0)]
    return [*gates, ("measure", (0,), 0.0)]


WORKLOADS = {
    "W1": lambda: [chain()],
    "W2": lambda: [brick(20, 100, 2)],
    "W3": lambda: [brick(5, 20, seed) for seed in range(100)],
}


def least_s(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the shortest of several calls, after one to warm up."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def report(figures: dict[str, float]) -> None:
    """Hand the figures to the process that prints the table."""
    json.dump(figures, sys.stdout)
