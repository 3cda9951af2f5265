"""Numba kernels: density matrices of two-level qubits through the tables of the tree, one binding after the other.

A density matrix is held like that many columns side by side: a gate multiplies them, and, once they are transposed and
conjugated, multiplies them again. A channel of one qubit is a real matrix on its Pauli components; one of two adds rows
with their columns exchanged, each with a factor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from firmware_sim.physics._gate_kernels import CHUNK, MOST, dress
from firmware_sim.physics._group_kernels import apply_span, layout_of
from qctrl.jit import JIT

if TYPE_CHECKING:
    from firmware_sim.physics.tables import (
        Blends,
        Channels,
        Gates,
        Groups,
        Integers,
        Layout,
        Layouts,
        Patterns,
        Reals,
        Templates,
    )


@njit(**JIT)
def conjugate(real: Reals, imag: Reals, dim: int) -> None:
    """Transpose and conjugate a square matrix in place, flat ``(dim, dim)``."""
    for i in range(dim):
        for j in range(i):
            x = real[i * dim + j]
            real[i * dim + j] = real[j * dim + i]
            real[j * dim + i] = x
            y = imag[i * dim + j]
            imag[i * dim + j] = -imag[j * dim + i]
            imag[j * dim + i] = -y
        imag[i * dim + i] = -imag[i * dim + i]


@njit(**JIT)
def turn_pauli(plain: Reals, angle: float, turned: Reals) -> None:
    """Write a real matrix on Pauli components as a drive of some phase turns it: ``R M R^T``, both shape (4, 4)."""
    c = np.cos(angle)
    s = np.sin(angle)
    turned[:] = plain
    for k in range(4):
        x = turned[1, k]
        y = turned[2, k]
        turned[1, k] = c * x + s * y
        turned[2, k] = c * y - s * x
    for k in range(4):
        x = turned[k, 1]
        y = turned[k, 2]
        turned[k, 1] = c * x + s * y
        turned[k, 2] = c * y - s * x


@njit(**JIT)
def blend_one(rho: tuple[Reals, Reals, int], layout: Layout, matrix: Reals, angle: float, turned: Reals) -> None:
    """Apply what a channel of one qubit does beside its "no jump" to a density matrix, in place.

    Args:
        rho: Real and imaginary parts, flat ``(dim, dim)``, and dim.
        layout: Of the qubit among all, see ``_tree_kernels.advance``.
        matrix: On the Pauli components of the qubit, shape (4, 4); see ``staff.pauli_table``.
        angle: Phase of the drive that turns it.
        turned: Scratch, shape (4, 4).
    """
    real, imag, dim = rho
    offsets, bases, inner = layout
    step = offsets[1]
    turn_pauli(matrix, angle, turned)
    a0, a1, a2, a3 = turned[0, 0], turned[0, 1], turned[0, 2], turned[0, 3]
    b0, b1, b2, b3 = turned[1, 0], turned[1, 1], turned[1, 2], turned[1, 3]
    c0, c1, c2, c3 = turned[2, 0], turned[2, 1], turned[2, 2], turned[2, 3]
    d0, d1, d2, d3 = turned[3, 0], turned[3, 1], turned[3, 2], turned[3, 3]
    for row in range(bases.shape[0] * inner):
        upper = (bases[row // inner] + row % inner) * dim
        lower = upper + step * dim
        for base in bases:
            p, q, r, s = upper + base, upper + base + step, lower + base, lower + base + step
            p_real, q_real, r_real, s_real = real[p : p + inner], real[q : q + inner], real[r : r + inner], real[s:]
            p_imag, q_imag, r_imag, s_imag = imag[p : p + inner], imag[q : q + inner], imag[r : r + inner], imag[s:]
            for j in range(inner):
                # Components 1, X, Y and Z of a block that need not be its own adjoint, halved.
                e = 0.5 * (p_real[j] + s_real[j])
                x = 0.5 * (q_real[j] + r_real[j])
                y = 0.5 * (r_imag[j] - q_imag[j])
                z = 0.5 * (p_real[j] - s_real[j])
                e_imag = 0.5 * (p_imag[j] + s_imag[j])
                x_imag = 0.5 * (q_imag[j] + r_imag[j])
                y_imag = 0.5 * (q_real[j] - r_real[j])
                z_imag = 0.5 * (p_imag[j] - s_imag[j])
                new_e = a0 * e + a1 * x + a2 * y + a3 * z
                new_x = b0 * e + b1 * x + b2 * y + b3 * z
                new_y = c0 * e + c1 * x + c2 * y + c3 * z
                new_z = d0 * e + d1 * x + d2 * y + d3 * z
                new_e_imag = a0 * e_imag + a1 * x_imag + a2 * y_imag + a3 * z_imag
                new_x_imag = b0 * e_imag + b1 * x_imag + b2 * y_imag + b3 * z_imag
                new_y_imag = c0 * e_imag + c1 * x_imag + c2 * y_imag + c3 * z_imag
                new_z_imag = d0 * e_imag + d1 * x_imag + d2 * y_imag + d3 * z_imag
                p_real[j] = new_e + new_z
                s_real[j] = new_e - new_z
                q_real[j] = new_x + new_y_imag
                r_real[j] = new_x - new_y_imag
                p_imag[j] = new_e_imag + new_z_imag
                s_imag[j] = new_e_imag - new_z_imag
                q_imag[j] = new_x_imag - new_y
                r_imag[j] = new_x_imag + new_y


@njit(**JIT)
def weigh(
    layout: Layout, others: Integers, span: tuple[int, int], blends: Blends, angle: float, weights: tuple[Reals, Reals]
) -> None:
    """Write the factor of each column in each term of a channel; arguments as of :func:`blend`."""
    _, _, _, _, steps, values = blends
    offsets = layout[0]
    d = offsets.shape[0]
    for t in range(span[0], span[1]):
        real = weights[0][t - span[0]]
        imag = weights[1][t - span[0]]
        for c in range(d):
            value = values[t, c]
            if angle != 0.0:
                value *= np.cos(steps[t, c] * angle) - 1j * np.sin(steps[t, c] * angle)
            for other in others:
                real[other + offsets[c]] = value.real
                imag[other + offsets[c]] = value.imag


@njit(**JIT)
def blend(
    rho: tuple[Reals, Reals, int], layout: Layout, span: tuple[int, int], blends: Blends, angle: float,
    weights: tuple[Reals, Reals], rows: tuple[Reals, Reals, Reals, Reals],
) -> None:  # fmt: skip
    """Apply what a channel does beside its "no jump" to a density matrix, in place.

    Args:
        rho: Real and imaginary parts, flat ``(dim, dim)``, and dim.
        layout: Of the channel's qubits among all, see ``_tree_kernels.advance``.
        span: Its terms among those of ``blends``.
        blends: See ``staff.blend_table``.
        angle: Phase of the drive that turns it.
        weights: Two arrays of shape (64, dim).
        rows: Two arrays of shape (16, dim), and two of shape (4, dim).
    """
    real, imag, dim = rho
    _, into, out_of, flip, _, _ = blends
    offsets, bases, inner = layout
    d = offsets.shape[0]
    old_real, old_imag, new_real, new_imag = rows
    others = np.empty(bases.shape[0] * inner, dtype=np.int64)
    for i in range(others.shape[0]):
        others[i] = bases[i // inner] + i % inner
    weigh(layout, others, span, blends, angle, weights)
    flipped = np.zeros(16, dtype=np.bool_)
    for t in range(span[0], span[1]):
        flipped[out_of[t] * d + flip[t]] = True
    for other in others:
        for k in range(d * d):
            if flipped[k]:
                begin = (other + offsets[k // d]) * dim
                mask = offsets[k % d]
                for j in range(dim):
                    old_real[k, j] = real[begin + (j ^ mask)]
                    old_imag[k, j] = imag[begin + (j ^ mask)]
        new_real[:] = 0.0
        new_imag[:] = 0.0
        for t in range(span[0], span[1]):
            g = weights[0][t - span[0]]
            h = weights[1][t - span[0]]
            x = old_real[out_of[t] * d + flip[t]]
            y = old_imag[out_of[t] * d + flip[t]]
            a = new_real[into[t]]
            b = new_imag[into[t]]
            for j in range(dim):
                a[j] += g[j] * x[j] - h[j] * y[j]
                b[j] += g[j] * y[j] + h[j] * x[j]
        for r in range(d):
            begin = (other + offsets[r]) * dim
            real[begin : begin + dim] = new_real[r]
            imag[begin : begin + dim] = new_imag[r]


@njit(**JIT)
def advance_mixed(
    span: tuple[int, int], rho: tuple[Reals, Reals, int], groups: Groups, gates: Gates, channels: Channels,
    layouts: Layouts, patterns: Patterns, blends: Blends, pauli: Reals,
) -> None:  # fmt: skip
    """Take one density matrix through a range of segments, in place; tables as in ``_tree_kernels.advance``."""
    real, imag, dim = rho
    first_group, first_gate, _ = groups
    channel_starts, channel_layout, channel_jumps, channel_angle = channels
    scratch = (np.empty((MOST, CHUNK)), np.empty((MOST, CHUNK)))
    turned = np.empty((4, 4))
    weights = (np.empty((64, dim)), np.empty((64, dim)))
    rows = (np.empty((16, dim)), np.empty((16, dim)), np.empty((4, dim)), np.empty((4, dim)))
    for segment in range(span[0], span[1]):
        gate_span = (int(first_gate[first_group[segment]]), int(first_gate[first_group[segment + 1]]))
        if gate_span[1] > gate_span[0]:
            # A density matrix is its own adjoint, so that the second product completes G rho G^dag.
            apply_span(gate_span, (real, imag, dim), gates, layouts, patterns, scratch)
            conjugate(real, imag, dim)
            apply_span(gate_span, (real, imag, dim), gates, layouts, patterns, scratch)
        for c in range(channel_starts[segment], channel_starts[segment + 1]):
            jumps = channel_jumps[c]
            layout = layout_of(layouts, channel_layout[c])
            if layout[0].shape[0] == 2:
                blend_one(rho, layout, pauli[jumps], channel_angle[c], turned)
                continue
            terms = (int(blends[0][jumps]), int(blends[0][jumps + 1]))
            blend(rho, layout, terms, blends, channel_angle[c], weights, rows)


@njit(**JIT)
def advance_bindings(
    span: tuple[int, int], real: Reals, imag: Reals, templates: Templates, which: Integers, first: Integers,
    angles: tuple[Reals, Reals], groups: Groups, gate_layout: Integers, channels: tuple[Integers, Integers, Integers],
    layouts: Layouts, patterns: Patterns, blends: Blends, pauli: Reals,
) -> None:  # fmt: skip
    """Take the density matrices of some bindings through a range of segments, in place.

    Args:
        span: First segment, and one past the last.
        real: Real parts, shape (n_bindings, dim, dim).
        imag: Imaginary parts, same shape.
        templates: See ``_gate_kernels.dress``.
        which: Template of each gate.
        first: Place of each gate's first entry.
        angles: Drive phases of the qubits of each gate, shape (n_bindings, n_gates, 4), and of each channel, shape
            (n_bindings, n_channels).
        groups: See ``_tree_kernels.advance``; each group is of all digits.
        gate_layout: Layout of each gate.
        channels: Without their angles.
        layouts: Of gates and channels.
        patterns: Of gates.
        blends: Of channels of two qubits.
        pauli: Of channels of one, see ``staff.pauli_table``.
    """
    dim = real.shape[1]
    a, b = groups[1][groups[0][span[0]]], groups[1][groups[0][span[1]]]
    value_real = np.empty(first[-1])
    value_imag = np.empty(first[-1])
    gates = (gate_layout, which, first, value_real, value_imag)
    for k in range(real.shape[0]):
        dress(templates, which[a:b], angles[0][k, a:b], first[a : b + 1], value_real, value_imag)
        rho = (real[k].ravel(), imag[k].ravel(), dim)
        dressed = (channels[0], channels[1], channels[2], angles[1][k])
        advance_mixed(span, rho, groups, gates, dressed, layouts, patterns, blends, pauli)
