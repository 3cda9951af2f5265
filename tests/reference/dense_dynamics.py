"""Dense dynamics of a chip, sample by sample in the whole space, written from the model alone.

Independent of ``firmware_sim.physics``: tensor products of all qubits, SciPy's Krylov-free ``expm_multiply`` on sparse
matrices, Lindblad terms spelled out. Slow and obvious.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import expm_multiply


def operators(levels, n_qubits):
    """Lowering and number operators of each qubit in the whole space."""
    ladder = sparse.diags(np.sqrt(np.arange(1, levels)), 1)
    lower = []
    for q in range(n_qubits):
        before, after = sparse.identity(levels**q), sparse.identity(levels ** (n_qubits - q - 1))
        lower.append(sparse.kron(sparse.kron(before, ladder), after).tocsr())
    return lower, [(a.T @ a).tocsr() for a in lower]


def qubit_frequency_hz(qubit, level):
    """Koch's asymmetric transmon; ``frequency`` holds at level 0."""
    if qubit.flux is None:
        return qubit.frequency

    def root(x):
        flux = np.pi * (x - qubit.flux.offset_fs) / qubit.flux.period_fs
        return (np.cos(flux) ** 2 + qubit.flux.asymmetry**2 * np.sin(flux) ** 2) ** 0.25

    return (qubit.frequency - qubit.anharmonicity) * root(level) / root(0.0) + qubit.anharmonicity


def coupling_hz(truth, edge_name, level):
    """Direct coupling of an edge at a level of its coupler port."""
    edge = truth.edges[edge_name]
    if edge.coupler is None:
        return edge.g_idle
    a, b = (truth.qubits[name].frequency for name in edge_name.split("-"))
    middle = (a + b) / 2
    c = edge.coupler
    here = c.frequency * np.sqrt(np.cos(np.pi * level / c.period_fs))
    return edge.g_idle - c.g_qc**2 / (here - middle) + c.g_qc**2 / (c.frequency - middle)


def hamiltonian_hz(truth, samples, k, lo_hz, levels):
    """H / (2 pi hbar) during sample ``k`` in the frame of the LO; ``samples`` maps port names to DAC outputs."""
    names = list(truth.qubits)
    lower, number = operators(levels, len(names))
    h = sparse.csr_matrix(number[0].shape, dtype=complex)

    def at(port):
        return samples[port][k] if port in samples else 0.0

    for q, name in enumerate(names):
        qubit = truth.qubits[name]
        n = number[q]
        h = h + (qubit_frequency_hz(qubit, at(qubit.flux_port)) - lo_hz) * n
        h = h + 0.5 * qubit.anharmonicity * (n @ n - n)
        line = truth.lines[qubit.drive_port]
        e = line.rabi_hz_per_fs * np.exp(1j * line.phase) * at(qubit.drive_port)
        h = h + 0.5 * (np.conj(e) * lower[q].T + e * lower[q])
    for edge_name, edge in truth.edges.items():
        i, j = (names.index(name) for name in edge_name.split("-"))
        g = coupling_hz(truth, edge_name, at(edge.coupler.port) if edge.coupler else 0.0)
        h = h + g * (lower[i].T @ lower[j] + lower[j].T @ lower[i])
    return h.tocsc()


def evolve_ket(truth, samples, ket, *, lo_hz, levels=3, dt_s=1e-9):
    """Schroedinger evolution over all samples."""
    n_samples = len(next(iter(samples.values())))
    for k in range(n_samples):
        h = hamiltonian_hz(truth, samples, k, lo_hz, levels)
        ket = expm_multiply(-2j * np.pi * dt_s * h, ket)
    return ket


def jump_operators(truth, levels):
    """Decay 1 -> 0 and 2 -> 1 apart, and dephasing with the number operator; rates in 1/s."""
    names = list(truth.qubits)
    _, number = operators(levels, len(names))
    jumps = []
    for q, name in enumerate(names):
        qubit = truth.qubits[name]
        t1_21 = qubit.t1 / 2 if qubit.t1_21 is None else qubit.t1_21
        for upper, time in ((1, qubit.t1), (2, t1_21))[: levels - 1]:
            one = sparse.csr_matrix(([1.0], ([upper - 1], [upper])), shape=(levels, levels))
            before, after = sparse.identity(levels**q), sparse.identity(levels ** (len(names) - q - 1))
            jumps.append(np.sqrt(1 / time) * sparse.kron(sparse.kron(before, one), after))
        dephasing = 1 / qubit.t2_echo - 1 / (2 * qubit.t1)
        jumps.append(np.sqrt(2 * dephasing) * number[q])
    return jumps


def evolve_density(truth, samples, rho, *, lo_hz, levels=3, dt_s=1e-9):
    """Lindblad evolution over all samples."""
    dim = len(rho)
    one = sparse.identity(dim)
    dissipator = sparse.csr_matrix((dim**2, dim**2), dtype=complex)
    for jump in jump_operators(truth, levels):
        rate = (jump.conj().T @ jump).tocsr()
        dissipator = dissipator + sparse.kron(jump, jump.conj())
        dissipator = dissipator - 0.5 * (sparse.kron(rate, one) + sparse.kron(one, rate.T))
    vector = rho.reshape(-1)
    for k in range(len(next(iter(samples.values())))):
        h = hamiltonian_hz(truth, samples, k, lo_hz, levels)
        generator = -2j * np.pi * (sparse.kron(h, one) - sparse.kron(one, h.T)) + dissipator
        vector = expm_multiply((dt_s * generator).tocsc(), vector)
    return vector.reshape(dim, dim)
