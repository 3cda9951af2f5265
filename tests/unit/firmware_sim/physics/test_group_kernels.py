from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from firmware_sim.physics import _gate_kernels, _group_kernels
from firmware_sim.physics.gates import sectors_of
from firmware_sim.physics.layouts import Layouts
from tests.reference.quantum_jumps import embed


def memory(room=0):
    """Scratch of gates and room for lanes."""
    shape = (_gate_kernels.MOST, _gate_kernels.CHUNK)
    return np.empty(shape), np.empty(shape), np.empty(room), np.empty(room)


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
    groups = np.array([0, 1]), np.array([0, 1]), np.array([-1])
    gates = (np.array([which]), np.array([0]), np.array([1, 1 + len(entries)]), *value)
    patterns = (np.array([0, len(states)]), states, np.array([0, len(sectors)]), sectors)
    tables = layouts.table(), layouts.table()
    kets = (real, imag, dim, sheet)
    _group_kernels.apply_groups((0, 1), kets, 2 * sheet - 3, groups, gates, tables, patterns, memory())
    expected = embed(operator, positions, levels, n_qubits) @ columns
    assert real == pytest.approx(sheets_of(expected.real, sheet), abs=1e-12)
    assert imag == pytest.approx(sheets_of(expected.imag, sheet), abs=1e-12)
    norms = np.full(2 * sheet, 7.0)
    _group_kernels.measure_norms((real, imag, dim, sheet), sheet, norms)
    assert norms[:sheet] == pytest.approx((np.abs(expected) ** 2).sum(axis=0)[:sheet])
    assert norms[sheet:].tolist() == [7.0] * sheet


def test_sheets_behind_the_last_column_stay_as_they_are(pace):
    real, imag = np.arange(32.0), np.zeros(32)  # two sheets of eight columns of two amplitudes
    layouts = Layouts(2, 1)
    layouts.place((0,))
    groups = np.array([0, 1]), np.array([0, 1]), np.array([-1])
    gates = (np.array([0]), np.array([0]), np.array([0, 2]), np.array([2.0, 3.0]), np.zeros(2))
    patterns = (np.array([0, 2]), np.array([0, 1]), np.array([0, 3]), np.array([0, 1, 2]))
    tables = layouts.table(), layouts.table()
    _group_kernels.apply_groups((0, 1), (real, imag, 2, 8), 5, groups, gates, tables, patterns, memory())
    assert real.tolist() == [*(2 * np.arange(8.0)), *(3 * np.arange(8.0, 16.0)), *np.arange(16.0, 32.0)]


@pytest.mark.parametrize("sheet", [1, 2, 40])
@pytest.mark.parametrize(("levels", "n_qubits", "digits"), [(2, 6, (0, 1, 4)), (2, 7, (2, 3, 6)), (3, 4, (1, 3))])
def test_a_group_of_digits_takes_its_gates_lane_by_lane(pace, levels, n_qubits, digits, sheet):
    rng, dim = np.random.default_rng(3), levels**n_qubits
    whole, inner = Layouts(levels, n_qubits), Layouts(levels, len(digits))
    whole.place((0,))
    supports = [(0,), tuple(range(len(digits))), (len(digits) - 1,)]
    dims = [levels ** len(support) for support in supports]
    operators = [rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d)) for d in dims]
    squares = np.concatenate([operator.ravel() for operator in operators])
    groups = np.array([0, 1]), np.array([0, 3]), np.array([whole.place(digits)])
    starts = np.cumsum([0, *(d * d for d in dims)])
    layout = np.array([inner.place(support) for support in supports])
    gates = (layout, np.arange(3), starts, squares.real.copy(), squares.imag.copy())
    states = np.concatenate([np.arange(d) for d in dims])
    sectors = np.array([0, dims[0], 0, dims[1], 0, dims[2]])
    patterns = (np.cumsum([0, *dims]), states, np.array([0, 2, 4, 6]), sectors)
    columns = rng.normal(size=(dim, 2 * sheet)) + 1j * rng.normal(size=(dim, 2 * sheet))
    real, imag = sheets_of(columns.real, sheet), sheets_of(columns.imag, sheet)
    room = memory(levels ** len(digits) * _group_kernels.LANES)
    tables = whole.table(), inner.table()
    kets = (real, imag, dim, sheet)
    _group_kernels.apply_groups((0, 1), kets, 2 * sheet, groups, gates, tables, patterns, room)
    for support, operator in zip(supports, operators, strict=True):
        columns = embed(operator, tuple(digits[k] for k in support), levels, n_qubits) @ columns
    assert real == pytest.approx(sheets_of(columns.real, sheet), abs=1e-11)
    assert imag == pytest.approx(sheets_of(columns.imag, sheet), abs=1e-11)
