from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from firmware_sim.physics import _gate_kernels
from firmware_sim.physics.gates import sectors_of
from firmware_sim.physics.tree import Layouts
from tests.reference.quantum_jumps import embed


def sheets_of(columns, sheet):
    """Columns ``(dim, n)`` flat, sheet after sheet."""
    dim, n = columns.shape
    return np.ascontiguousarray(columns.reshape(dim, n // sheet, sheet).transpose(1, 0, 2)).ravel()


def by_sector(operator):
    states, sectors = sectors_of(operator != 0)
    blocks = [states[a:b] for a, b in pairwise(sectors)]
    return states, sectors, np.concatenate([operator[np.ix_(block, block)].ravel() for block in blocks])


@pytest.mark.parametrize("sheet", [8, 64])
@pytest.mark.parametrize(
    ("levels", "positions"), [(3, (1,)), (3, (0, 2)), (2, (0, 1, 3)), (2, (0, 1, 2, 3)), (3, (1, 2))]
)
def test_a_gate_is_a_matrix_product(pace, levels, positions, sheet):
    rng, n_qubits = np.random.default_rng(1), 4 if levels == 2 else 3
    dim, small = levels**n_qubits, levels ** len(positions)
    # Sectors of every length up to the largest: states of one label are joined.
    label = rng.integers(0, 3, small)
    operator = (rng.normal(size=(small, small)) + 1j * rng.normal(size=(small, small))) * (label[:, None] == label)
    columns = rng.normal(size=(dim, 2 * sheet)) + 1j * rng.normal(size=(dim, 2 * sheet))
    real, imag = sheets_of(columns.real, sheet), sheets_of(columns.imag, sheet)
    states, sectors, entries = by_sector(operator)
    layouts = Layouts(levels, n_qubits)
    layouts.place((0,))
    which = layouts.place(positions)
    value = (np.concatenate([[9.0], entries.real]), np.concatenate([[9.0], entries.imag]))
    gates = (np.array([0, 1]), np.array([which]), np.array([0]), np.array([1, 1 + len(entries)]), *value)
    patterns = (np.array([0, len(states)]), states, np.array([0, len(sectors)]), sectors)
    scratch = np.empty((_gate_kernels.MOST, _gate_kernels.CHUNK)), np.empty((_gate_kernels.MOST, _gate_kernels.CHUNK))
    _gate_kernels.apply_gates(
        (0, 1), (real, imag, dim, sheet), 2 * sheet - 3, gates, layouts.table(), patterns, scratch
    )
    expected = embed(operator, positions, levels, n_qubits) @ columns
    assert real == pytest.approx(sheets_of(expected.real, sheet), abs=1e-12)
    assert imag == pytest.approx(sheets_of(expected.imag, sheet), abs=1e-12)
    norms = np.full(2 * sheet, 7.0)
    _gate_kernels.measure_norms((real, imag, dim, sheet), sheet, norms)
    assert norms[:sheet] == pytest.approx((np.abs(expected) ** 2).sum(axis=0)[:sheet])
    assert norms[sheet:].tolist() == [7.0] * sheet


def test_sheets_behind_the_last_column_stay_as_they_are(pace):
    real, imag = np.arange(32.0), np.zeros(32)  # two sheets of eight columns of two amplitudes
    layouts = Layouts(2, 1)
    layouts.place((0,))
    gates = (np.array([0, 1]), np.array([0]), np.array([0]), np.array([0, 2]), np.array([2.0, 3.0]), np.zeros(2))
    patterns = (np.array([0, 2]), np.array([0, 1]), np.array([0, 3]), np.array([0, 1, 2]))
    scratch = np.empty((_gate_kernels.MOST, _gate_kernels.CHUNK)), np.empty((_gate_kernels.MOST, _gate_kernels.CHUNK))
    _gate_kernels.apply_gates((0, 1), (real, imag, 2, 8), 5, gates, layouts.table(), patterns, scratch)
    assert real.tolist() == [*(2 * np.arange(8.0)), *(3 * np.arange(8.0, 16.0)), *np.arange(16.0, 32.0)]


@pytest.mark.parametrize("harmonics", [4, 5])
@pytest.mark.parametrize("angles", [(0.0, 0.0), (0.4, -1.1), (0.0, 2.0)])
def test_drives_dress_entries(pace, harmonics, angles):
    rng = np.random.default_rng(harmonics)
    shape = (harmonics, 3)
    table = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    steps = np.array([[0, 0], [1, -2], [-1, 0]])
    plain = np.array([2 - 1j])
    templates = (
        np.array([1, 2]),
        np.array([1, harmonics]),
        np.array([0, 1, 1 + table.size]),
        np.concatenate([plain, table.ravel()]),
        np.array([0, 1, 7]),
        np.concatenate([[3], steps.ravel()]),
        np.array([0, 0, 0, 1]),
    )
    turned_by = np.array([[*angles, 9.0, 9.0], [0.3, 9.0, 9.0, 9.0]])
    real, imag = np.empty(4), np.empty(4)
    _gate_kernels.dress(templates, np.array([1, 0]), turned_by, np.array([0, 3, 4]), real, imag)
    order = np.fft.fftfreq(harmonics, 1 / harmonics)
    series = np.exp(1j * (angles[1] - angles[0]) * order) @ table
    expected = np.append(series * np.exp(-1j * steps @ np.array(angles)), plain * np.exp(-0.9j))
    assert real + 1j * imag == pytest.approx(expected, abs=1e-13)
