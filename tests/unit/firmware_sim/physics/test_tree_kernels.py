"""Columns of many shots against one shot at a time: random gates, random jumps, random phases of the drives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from firmware_sim.physics import _jump_kernels, _tree_kernels
from firmware_sim.physics.columns import ground_columns
from firmware_sim.physics.gates import Turning, make_gate
from firmware_sim.physics.kraus import JumpSet
from firmware_sim.physics.layouts import Layouts, Places
from firmware_sim.physics.mixed import evolve_mixed
from firmware_sim.physics.random import Draws, stream_key
from firmware_sim.physics.segment_gates import Channel, SegmentGates
from firmware_sim.physics.staff import write_staff
from firmware_sim.physics.tree import evolve_columns
from tests.reference import quantum_jumps as reference

KEY = stream_key(11, 0, b"tree kernels")
BINDING = 3
LOST = 0.8


def random_matrix(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def random_unitary(rng, dim):
    return np.linalg.qr(random_matrix(rng, dim, dim))[0]


def random_jumps(rng, dim, n_kinds, weight):
    """Jumps of any shape, a share ``weight`` of the norm at most, and the "no jump" that belongs to them."""
    jumps = random_matrix(rng, n_kinds, dim, dim)
    jumps *= np.sqrt(weight / np.linalg.eigvalsh(np.einsum("kji,kjl->il", jumps.conj(), jumps))[-1])
    weights = jumps.conj().swapaxes(1, 2) @ jumps
    keep = np.asarray(sqrtm(np.eye(dim) - weights.sum(axis=0)), dtype=complex)
    return JumpSet(keep, np.linalg.inv(keep), jumps, weights)


def random_segment(rng, levels, n_qubits, angles, *, apart=False):
    """A gate of two qubits and its drives, and channels of one and of two qubits; the same as a reference step.

    The channels share a qubit unless they are to be apart.
    """
    pair, dim = (0, n_qubits - 1), levels**2
    series = random_unitary(rng, dim), random_unitary(rng, dim)
    scale = np.sqrt(LOST) if levels == 2 else 1.0

    def driven(delta):
        turned = reference.turn(series[1], (0.0, -delta), levels)
        return scale * series[0] @ turned

    n_phases = 8
    matrices = np.array([driven(2 * np.pi * k / n_phases) for k in range(n_phases)])
    gates = [make_gate(Turning(pair, pair, (0, 1)), matrices, levels, 1 - scale**2)]
    whole = reference.turn(driven(angles[pair[1]] - angles[pair[0]]), tuple(angles[list(pair)]), levels)
    two = (1, n_qubits - 1) if apart else pair
    jumps = [((0,), -1, random_jumps(rng, levels, 2, 0.5)), (two, 0, random_jumps(rng, dim, 3, 0.4))]
    channels, turned = [], []
    for qubits, source, kinds in jumps:
        channels.append(Channel(qubits, source, kinds))
        gates.append(make_gate(Turning(qubits, (source,) * len(qubits), (0, 0)), kinds.keep[None], levels, 0.0))
        angle = (angles[source],) * len(qubits)
        operators = np.array([reference.turn(k, angle, levels) for k in (kinds.keep, *kinds.operators)])
        turned.append((qubits, operators))
    return SegmentGates(tuple(gates), tuple(channels), 2, 0.0, False, 0.0), reference.Step([(pair, whole)], turned)


@pytest.mark.parametrize(("levels", "n_qubits", "grouped"), [(3, 2, False), (2, 3, False), (2, 3, True)])
def test_columns_are_shots_that_jump_one_by_one(pace, levels, n_qubits, grouped):
    rng = np.random.default_rng(levels)
    n_shots = 2000 if pace == "compiled" else 130
    angles = np.column_stack([rng.uniform(-3, 3, (4, n_qubits)), np.zeros(4)])
    segments, steps = zip(*(random_segment(rng, levels, n_qubits, row) for row in angles), strict=True)
    qubits = tuple(range(n_qubits))
    draws = Draws(KEY, BINDING, np.arange(50, 50 + n_shots, dtype=np.uint64))
    columns = ground_columns(levels, draws).extend(qubits, None, draws)
    places = Places(levels, n_qubits)
    if grouped:
        places.digits, places.inner = n_qubits - 1, Layouts(levels, n_qubits - 1)
    score = write_staff(segments, places, qubits).with_phases(angles)
    found = evolve_columns(score, columns, draws, 1 << 30)
    expected = [
        reference.play(list(steps), levels, n_qubits, reference.uniforms(KEY, BINDING, 50 + shot))
        for shot in range(min(n_shots, 400))
    ]
    rows = slice(len(expected))
    kets = (found.real + 1j * found.imag)[:, found.column[rows]]
    assert found.threshold[rows] == pytest.approx(np.array([shot.threshold for shot in expected]), abs=1e-12)
    assert found.leaked[rows].tolist() == [shot.leaked for shot in expected]
    assert kets == pytest.approx(np.array([shot.ket for shot in expected]).T, abs=1e-10)
    assert 20 < found.n_columns <= n_shots
    assert found.leaked.any() == (levels == 2)


def test_density_matrices_take_every_history(pace):
    """Bindings side by side, some from the first segment on, some in two parts."""
    n_qubits, n_bindings = 4, 3
    angles = np.random.default_rng(8).uniform(-3, 3, (n_bindings, 5, n_qubits + 1))
    angles[:, :, -1] = 0
    qubits = tuple(range(n_qubits))
    start = random_matrix(np.random.default_rng(9), n_bindings, 2**n_qubits, 2**n_qubits)
    start = start + start.conj().swapaxes(1, 2)
    expected = []
    for rho, rows in zip(start, angles, strict=True):
        # Equal draws for all bindings, so that they differ in their phases alone.
        rng = np.random.default_rng(7)
        segments, steps = zip(*(random_segment(rng, 2, n_qubits, row, apart=True) for row in rows), strict=True)
        expected.append(reference.mix(list(steps), rho, 2, n_qubits))
    staff = write_staff(segments, Places(2, n_qubits), qubits, mixed=True)
    matrices = (start.real.copy(), start.imag.copy())
    for span in ((0, 2), (2, 5)):
        evolve_mixed(staff, span, angles, matrices)
    assert matrices[0] + 1j * matrices[1] == pytest.approx(np.array(expected), abs=1e-12)
    assert np.trace(matrices[0][0]) != pytest.approx(np.trace(start[0].real), abs=1e-3)


def test_columns_without_shots_are_filled_from_the_end(pace):
    kets = (np.arange(16.0), -np.arange(16.0), 2, 4)  # two sheets of four columns of two amplitudes
    head, norms = np.array([3, -1, 5, -1, 7, -1, -1, -1]), np.arange(8.0)
    book = (head, norms, np.zeros(8, dtype=np.int64), np.zeros(1, dtype=np.int64))
    free = np.array([3, 1, 5])
    width = _tree_kernels.close_gaps(kets, book, free, 3, 6, (np.empty(2), np.empty(2)))
    assert width == 3
    assert sorted(head[:width].tolist()) == [3, 5, 7]
    column = head.tolist().index(7)
    assert norms[column] == 4
    assert kets[0][[column, column + 4]].tolist() == [8, 12]
    assert kets[1][[column, column + 4]].tolist() == [-8, -12]


@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_jumps_are_weighed_by_what_they_leave(pace, angle):
    rng = np.random.default_rng(5)
    kinds = random_jumps(rng, 9, 4, 0.5)
    ket = random_matrix(rng, 9)
    layout = (np.arange(9), np.zeros(1, dtype=np.int64), 1)
    totals = np.indices((3, 3)).sum(axis=0).ravel()
    rho, work = np.empty((9, 9), dtype=complex), np.empty((9, 9), dtype=complex)
    _jump_kernels.reduce(layout, (ket.real.copy(), ket.imag.copy()), rho)
    assert rho == pytest.approx(np.outer(ket, ket.conj()))
    cumulative = np.empty(4)
    jumps = (np.array([0, 4]), kinds.operators, kinds.weights, kinds.keep[None], kinds.undo[None])
    _jump_kernels.turned(rho, -angle, totals, work)
    assert _jump_kernels.weigh(jumps, 0, work, 9, cumulative) == 4
    left = [reference.turn(jump, (angle, angle), 3) @ ket for jump in kinds.operators]
    assert cumulative == pytest.approx(np.cumsum([np.vdot(each, each).real for each in left]))


@pytest.mark.parametrize("n", [1, 4, 27])
def test_norms_are_summed_in_lanes(pace, n):
    ket = random_matrix(np.random.default_rng(n), n)
    assert _jump_kernels.squared_norm((ket.real.copy(), ket.imag.copy())) == pytest.approx(np.vdot(ket, ket).real)
