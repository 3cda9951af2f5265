from __future__ import annotations

import numpy as np
import pytest

from firmware_sim.physics import _gate_kernels, _group_kernels
from firmware_sim.physics.layouts import Layouts
from tests.reference.quantum_jumps import embed


@pytest.mark.parametrize(("levels", "n_qubits"), [(2, 4), (3, 3), (2, 8)])
def test_narrow_stretches_are_a_matrix_product(pace, levels, n_qubits):
    rng, dim = np.random.default_rng(2), levels**n_qubits
    scratch = np.empty((_gate_kernels.MOST, _gate_kernels.CHUNK)), np.empty((_gate_kernels.MOST, _gate_kernels.CHUNK))
    for positions in ((n_qubits - 1,), (0, n_qubits - 1), (n_qubits - 2, n_qubits - 1), (0, 1)):
        small = levels ** len(positions)
        operator = rng.normal(size=(small, small)) + 1j * rng.normal(size=(small, small))
        ket = rng.normal(size=dim) + 1j * rng.normal(size=dim)
        layouts = Layouts(levels, n_qubits)
        which = layouts.place(positions)
        layout = _group_kernels.layout_of(layouts.table(), which)
        found = ket.real.copy(), ket.imag.copy()
        _gate_kernels.apply_narrow(found, layout, (operator.real.ravel().copy(), operator.imag.ravel().copy()), scratch)
        assert found[0] + 1j * found[1] == pytest.approx(embed(operator, positions, levels, n_qubits) @ ket)


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
        np.concatenate([[2], steps.ravel()]),
        np.array([0, 0, 0, 1]),
    )
    turned_by = np.array([[*angles, 9.0, 9.0], [0.3, 9.0, 9.0, 9.0]])
    real, imag = np.empty(4), np.empty(4)
    _gate_kernels.dress(templates, np.array([1, 0]), turned_by, np.array([0, 3, 4]), real, imag)
    order = np.fft.fftfreq(harmonics, 1 / harmonics)
    series = np.exp(1j * (angles[1] - angles[0]) * order) @ table
    expected = np.append(series * np.exp(-1j * steps @ np.array(angles)), plain * np.exp(-0.6j))
    assert real + 1j * imag == pytest.approx(expected, abs=1e-13)
