"""One DRAG pulse by qiskit-dynamics: the unitary of three levels by DOP853, with the samples that ours plays."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from qiskit_dynamics import DiscreteSignal, Solver
from workloads import least_s, report

problem = np.load(Path(sys.argv[1]))
lower = np.diag(np.sqrt([1.0, 2.0]), 1).astype(complex)
number = np.diag([0.0, 1.0, 2.0]).astype(complex)
at_rest = problem["pulse_detuning"] * number + problem["anharmonicity"] / 2 * (number @ number - number)
quadratures = [(lower + lower.T) / 2, 1j * (lower - lower.T) / 2]
solver = Solver(static_hamiltonian=at_rest, hamiltonian_operators=quadratures)
drive = problem["pulse"]
signals = [DiscreteSignal(1.0, drive.real), DiscreteSignal(1.0, drive.imag)]


def solve() -> np.ndarray:
    """Return the unitary; times in ns, angular frequencies in rad/ns."""
    span = [0.0, float(len(drive))]
    solved = solver.solve(span, y0=np.eye(3, dtype=complex), signals=signals, method="DOP853", atol=1e-8, rtol=1e-8)
    return np.asarray(solved.y[-1])


report({"pulse": least_s(solve, 3), "error": float(np.abs(solve() - problem["pulse_unitary"]).max())})
