from __future__ import annotations

import numpy as np
import pytest

from firmware_sim.physics.columns import Columns, column_bytes, ground_columns, join
from firmware_sim.physics.random import Draws, stream_key

KEY = stream_key(1, 0, b"columns")
N_SHOTS = 60


def draws_of(first=0, n=N_SHOTS):
    return Draws(KEY, 0, np.arange(first, first + n, dtype=np.uint64))


def some(levels=3, qubits=(1, 4, 6), n_columns=4):
    """Random kets of different norms, and shots in all of them."""
    rng = np.random.default_rng(8)
    shape = (levels ** len(qubits), n_columns)
    column = np.arange(N_SHOTS) % n_columns
    real, imag = rng.normal(size=shape), rng.normal(size=shape)
    norm = (real**2 + imag**2).sum(axis=0)
    threshold = rng.random(N_SHOTS) * norm[column]
    return Columns(qubits, levels, real, imag, column, threshold, np.arange(N_SHOTS, dtype=np.uint64), column == 2)


def kets(columns):
    """The normalised ket of each shot, an axis per qubit."""
    found = (columns.real + 1j * columns.imag)[:, columns.column]
    return (found / np.linalg.norm(found, axis=0)).reshape(*(columns.levels,) * len(columns.qubits), -1)


def test_marginals_are_means_over_shots_in_the_order_asked_for():
    columns = some()
    whole = (np.abs(kets(columns)) ** 2).mean(axis=-1)
    assert columns.marginal([6, 1]) == pytest.approx(whole.sum(axis=1).T)
    assert columns.marginal([4]) == pytest.approx(whole.sum(axis=(0, 2)))
    assert columns.probabilities().sum(axis=0) == pytest.approx(1)


def test_shots_find_levels_of_their_own_column():
    sure = np.eye(9)[:, [5, 7]]  # levels (1, 2) and (2, 1)
    column = np.arange(N_SHOTS) % 2
    ones, zeros = np.ones(N_SHOTS), np.zeros(N_SHOTS, dtype=np.uint64)
    columns = Columns((0, 3), 3, sure, np.zeros((9, 2)), column, ones, zeros, zeros > 0)
    expected = np.where(column[:, None] == 0, [2, 1], [1, 2])
    assert np.array_equal(columns.draw(draws_of(), 0, [3, 0]), expected)


@pytest.mark.parametrize("qubits", [[6], [6, 1], [1, 4, 6]])
def test_collapse_projects_each_shot_and_leaves_the_level_it_is_told(qubits):
    columns, rng = some(), np.random.default_rng(2)
    found = rng.integers(0, 3, (N_SHOTS, len(qubits))).astype(np.uint8)
    left = rng.integers(0, 2, (N_SHOTS, len(qubits))).astype(np.uint8)
    after = columns.collapse(qubits, found, left)
    axes = [columns.qubits.index(qubit) for qubit in qubits]
    before, result = kets(columns), kets(after)
    for shot in range(N_SHOTS):
        source: list[slice | int] = [slice(None)] * 3
        target = source.copy()
        for axis, was, becomes in zip(axes, found[shot], left[shot], strict=True):
            source[axis], target[axis] = int(was), int(becomes)
        kept = before[(*source, shot)]
        expected = np.zeros((3, 3, 3), dtype=complex)
        expected[tuple(target)] = kept / np.linalg.norm(kept)
        assert abs(np.vdot(expected, result[..., shot])) == pytest.approx(1)
    norms = (columns.real**2 + columns.imag**2).sum(axis=0)
    assert after.threshold == pytest.approx(columns.threshold / norms[columns.column])
    assert (after.real**2 + after.imag**2).sum(axis=0) == pytest.approx(1)


def test_histories_of_wholly_measured_states_are_what_the_readout_left():
    columns, found = some(), np.tile([[0, 1, 2], [2, 2, 2]], (N_SHOTS // 2, 1)).astype(np.uint8)
    assert columns.collapse([1, 4, 6], found, np.zeros_like(found)).n_columns == 1


def test_qubits_enter_in_their_place_and_in_the_level_that_each_shot_draws():
    columns, draws = some(), draws_of()
    grown = columns.extend([5, 4], {5: (0.5, 0.3, 0.2)}, draws)
    level = draws.levels(5, (0.5, 0.3, 0.2))
    assert grown.qubits == (1, 4, 5, 6)
    assert set(level.tolist()) == {0, 1, 2}
    expected = np.zeros((3, 3, 3, 3, N_SHOTS), dtype=complex)
    for shot in range(N_SHOTS):
        expected[:, :, level[shot], :, shot] = kets(columns)[..., shot]
    assert kets(grown) == pytest.approx(expected)


def test_parts_join_to_the_whole():
    columns = some()
    first = np.arange(N_SHOTS) < 25
    joined = join([columns.take(first), columns.take(~first)])
    assert np.array_equal(kets(joined), kets(columns))
    for name in ("threshold", "drawn", "leaked"):
        assert np.array_equal(getattr(joined, name), getattr(columns, name))


def test_shots_begin_in_one_column_of_no_qubits():
    columns = ground_columns(2, draws_of())
    assert (columns.n_columns, columns.qubits) == (1, ())
    assert np.all((columns.threshold >= 0) & (columns.threshold < 1))
    assert columns.drawn.tolist() == [1] * N_SHOTS
    assert columns.extend([3, 1], None, draws_of()).real.ravel().tolist() == [1, 0, 0, 0]


def test_a_column_takes_half_from_16_qubits_on():
    assert column_bytes(2, 15) == 32 << 15
    assert column_bytes(2, 16) == 16 << 16


def test_numbers_are_single_from_16_qubits_on_whatever_is_measured():
    columns = ground_columns(2, draws_of()).extend(range(15), None, draws_of())
    assert columns.real.dtype == np.float64
    columns = columns.extend([15], None, draws_of())
    assert columns.real.dtype == columns.imag.dtype == np.float32
    level = np.zeros((N_SHOTS, 1), dtype=np.uint8)
    assert columns.collapse([3], level, level).real.dtype == np.float32
    assert columns.outcome_table([3]).dtype == np.float64
