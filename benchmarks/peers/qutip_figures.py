"""Five qutrits over two microseconds by QuTiP: the ket alone, without noise, with the controls that ours works out."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import qutip
from workloads import least_s, report

problem = np.load(Path(sys.argv[1]))
n_qubits = problem["detuning"].shape[1]
# A step function holds each value up to the next; the last one needs an end.
detuning, drives, coupling = (
    np.concatenate([problem[name], problem[name][-1:]]).astype(complex) for name in ("detuning", "drive", "coupling")
)


def placed(operator: qutip.Qobj, qubit: int) -> qutip.Qobj:
    """Return an operator on one qutrit as one on all."""
    return qutip.tensor([operator if k == qubit else qutip.qeye(3) for k in range(n_qubits)])


lower = [placed(qutip.destroy(3), k) for k in range(n_qubits)]
number = [a.dag() * a for a in lower]
at_rest = sum(problem["anharmonicity"] / 2 * (n * n - n) for n in number)
terms: list[object] = [at_rest]
for k in range(n_qubits):
    terms.append([number[k], detuning[:, k]])
    drive = drives[:, k]
    if drive.any():
        terms += [[lower[k] / 2, drive], [lower[k].dag() / 2, drive.conj()]]
for column, (i, j) in enumerate(problem["pairs"]):
    exchange = lower[i].dag() * lower[j]
    terms.append([exchange + exchange.dag(), coupling[:, column]])
times = np.arange(len(detuning), dtype=float)
hamiltonian = qutip.QobjEvo(terms, tlist=times, order=0)
start = qutip.tensor([qutip.basis(3, 0)] * n_qubits)


def solve() -> np.ndarray:
    """Return the final ket; times in ns, angular frequencies in rad/ns."""
    options = {"atol": 1e-8, "rtol": 1e-6, "nsteps": 10**6, "max_step": 1.0, "store_final_state": True}
    return qutip.sesolve(hamiltonian, start, [0.0, times[-1]], options=options).final_state.full()[:, 0]


ket = solve()
overlap = abs(np.vdot(ket, problem["ket"])) ** 2
report({"ket": least_s(solve, 1), "error": float(1 - overlap)})
