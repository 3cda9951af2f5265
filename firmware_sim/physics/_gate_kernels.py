"""Numba kernels: small operators on many pure states side by side.

A gate is a few loops over numbers that follow each other without a gap, which the compiler vectorises. Each column's
numbers are the same whatever stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from qctrl.jit import JIT

if TYPE_CHECKING:
    from firmware_sim.physics.tables import Integers, Layout, Pattern, Reals, Templates

CHUNK: Final = 64
"""Columns that a gate takes at once, so that its rows stay in the first cache."""
MOST: Final = 81
"""Largest dimension of a gate."""
MOST_HARMONICS: Final = 64
"""Of a gate with two drives."""
_MOST_STEPS: Final = 2
"""Most levels between a row and a column, by qubit."""


@njit(**JIT)
def dress(
    templates: Templates, which: Integers, angles: Reals, first: Integers, value_real: Reals, value_imag: Reals
) -> None:
    """Write the entries of gates whose drives have given phases.

    A drive phase theta turns an operator into ``D F D^dag``, ``D = exp(-i theta n)``; what depends on the difference
    delta of two drives' phases is a Fourier series, ``F = sum_m F_m exp(i m delta)``, m = 0, 1, .., -2, -1.

    Args:
        templates: By template: qubits, harmonics, place of its entries in the table; the table, harmonic by harmonic;
            by template, place of its rows and columns (by entry and qubit: level of the row minus that of the column),
            and the positions of its two drives.
        which: Template of each gate, shape (n_gates,).
        angles: Drive phase of each qubit of each gate, shape (n_gates, 4).
        first: Place of each gate's first entry, shape (n_gates + 1,).
        value_real: Real parts of all entries, written.
        value_imag: Imaginary parts, written.
    """
    n_qubits, harmonics, places, table, step_places, steps, drives = templates
    waves = np.empty(MOST_HARMONICS, dtype=np.complex128)
    turns = np.ones((4, 2 * _MOST_STEPS + 1), dtype=np.complex128)
    for g in range(which.shape[0]):
        t = which[g]
        k = n_qubits[t]
        n_harmonics = harmonics[t]
        begin = first[g]
        count = first[g + 1] - begin
        place = places[t]
        delta = angles[g, drives[2 * t + 1]] - angles[g, drives[2 * t]]
        for m in range(1, n_harmonics):
            order = m if 2 * m < n_harmonics else m - n_harmonics
            waves[m] = np.cos(order * delta) + 1j * np.sin(order * delta)
        turned = False
        for q in range(k):
            turned = turned or angles[g, q] != 0.0
            for step in range(-_MOST_STEPS, _MOST_STEPS + 1):
                turns[q, step + _MOST_STEPS] = np.cos(step * angles[g, q]) - 1j * np.sin(step * angles[g, q])
        for e in range(count):
            value = table[place + e]
            for m in range(1, n_harmonics):
                value += table[place + m * count + e] * waves[m]
            if turned:
                for q in range(k):
                    value *= turns[q, steps[step_places[t] + e * k + q] + _MOST_STEPS]
            value_real[begin + e] = value.real
            value_imag[begin + e] = value.imag


@njit(**JIT)
def apply_gate(
    sheet: tuple[Reals, Reals, int], layout: Layout, pattern: Pattern, entries: tuple[Reals, Reals],
    scratch: tuple[Reals, Reals],
) -> None:  # fmt: skip
    """Multiply the columns of a sheet by an operator on some digits of the row index, in place.

    Args:
        sheet: Real and imaginary parts, flat ``(dim, width)``, and the width.
        layout: Row offset of each of the operator's basis states, rows where the other digits begin, rows that follow
            each of these without a gap.
        pattern: Basis states sorted by sector, and where each sector begins and ends in them.
        entries: Real and imaginary parts, one dense square per sector.
        scratch: Two arrays of ``MOST`` rows of ``CHUNK``.
    """
    real, imag, capacity = sheet
    offsets, bases, inner = layout
    states, sectors = pattern
    gate_real, gate_imag = entries
    old_real, old_imag = scratch
    length = inner * capacity
    for b in range(bases.shape[0]):
        begin = bases[b] * capacity
        for c in range(0, length, CHUNK):
            w = min(CHUNK, length - c)
            p = 0
            for s in range(sectors.shape[0] - 1):
                lowest = sectors[s]
                size = sectors[s + 1] - lowest
                for m in range(size):
                    at = begin + offsets[states[lowest + m]] * capacity + c
                    source_real = real[at : at + w]
                    source_imag = imag[at : at + w]
                    x = old_real[m]
                    y = old_imag[m]
                    for j in range(w):
                        x[j] = source_real[j]
                        y[j] = source_imag[j]
                for m in range(size):
                    at = begin + offsets[states[lowest + m]] * capacity + c
                    a = real[at : at + w]
                    b_ = imag[at : at + w]
                    g = gate_real[p]
                    h = gate_imag[p]
                    x = old_real[0]
                    y = old_imag[0]
                    for j in range(w):
                        a[j] = g * x[j] - h * y[j]
                        b_[j] = g * y[j] + h * x[j]
                    q = 1
                    while q + 2 < size:
                        g = gate_real[p + q]
                        h = gate_imag[p + q]
                        g1 = gate_real[p + q + 1]
                        h1 = gate_imag[p + q + 1]
                        g2 = gate_real[p + q + 2]
                        h2 = gate_imag[p + q + 2]
                        x = old_real[q]
                        y = old_imag[q]
                        x1 = old_real[q + 1]
                        y1 = old_imag[q + 1]
                        x2 = old_real[q + 2]
                        y2 = old_imag[q + 2]
                        for j in range(w):
                            a[j] += (g * x[j] - h * y[j]) + (g1 * x1[j] - h1 * y1[j]) + (g2 * x2[j] - h2 * y2[j])
                            b_[j] += (g * y[j] + h * x[j]) + (g1 * y1[j] + h1 * x1[j]) + (g2 * y2[j] + h2 * x2[j])
                        q += 3
                    while q < size:
                        g = gate_real[p + q]
                        h = gate_imag[p + q]
                        x = old_real[q]
                        y = old_imag[q]
                        for j in range(w):
                            a[j] += g * x[j] - h * y[j]
                            b_[j] += g * y[j] + h * x[j]
                        q += 1
                    p += size


@njit(**JIT)
def apply_narrow(
    ket: tuple[Reals, Reals], layout: Layout, entries: tuple[Reals, Reals], scratch: tuple[Reals, Reals]
) -> None:
    """Multiply one ket by an operator on some digits, in place, where few numbers follow each other without a gap.

    Args:
        ket: Real and imaginary parts.
        layout: As in :func:`apply_gate`; fewer than ``CHUNK`` rows follow each other.
        entries: Real and imaginary parts of one dense square of at most half of ``MOST`` rows.
        scratch: As in :func:`apply_gate`.
    """
    real, imag = ket
    offsets, bases, inner = layout
    gate_real, gate_imag = entries
    old_real, old_imag = scratch
    size = offsets.shape[0]
    stretches = CHUNK // inner
    for first in range(0, bases.shape[0], stretches):
        n = min(stretches, bases.shape[0] - first)
        for m in range(size):
            for i in range(n):
                at = bases[first + i] + offsets[m]
                for j in range(inner):
                    old_real[m, i * inner + j] = real[at + j]
                    old_imag[m, i * inner + j] = imag[at + j]
        for m in range(size):
            a = old_real[size + m]
            b = old_imag[size + m]
            a[: n * inner] = 0.0
            b[: n * inner] = 0.0
            for q in range(size):
                g = gate_real[m * size + q]
                h = gate_imag[m * size + q]
                x = old_real[q]
                y = old_imag[q]
                for j in range(n * inner):
                    a[j] += g * x[j] - h * y[j]
                    b[j] += g * y[j] + h * x[j]
        for m in range(size):
            for i in range(n):
                at = bases[first + i] + offsets[m]
                for j in range(inner):
                    real[at + j] = old_real[size + m, i * inner + j]
                    imag[at + j] = old_imag[size + m, i * inner + j]
