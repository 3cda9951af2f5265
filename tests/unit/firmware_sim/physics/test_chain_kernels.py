from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from firmware_sim.physics import _chain_kernels
from firmware_sim.physics.random import stream_key
from tests.reference.quantum_jumps import uniforms

KEY = stream_key(3, 0, b"chains")


def make_shots(threshold):
    """Header of shots 100, 101, .. of binding 2."""
    n = len(threshold)
    numbers = np.arange(100, 100 + n, dtype=np.uint64)
    drawn, leaked = np.zeros(n, dtype=np.uint64), np.zeros(n, dtype=bool)
    return KEY, np.uint64(2), numbers, threshold, drawn, leaked, np.full(n, -1)


def book_of(head, n_kinds):
    return np.array([head]), np.ones(1), np.zeros(1, dtype=np.int64), np.full(n_kinds, 9)


def walk(head, after):
    found = []
    while head >= 0:
        found.append(int(head))
        head = after[head]
    return found


def chain_of(order, after):
    for first, second in pairwise([*order, -1]):
        after[first] = second
    return order[0]


def test_thresholds_are_philox_counted_by_draw(pace):
    shots = make_shots(np.zeros(5))
    _chain_kernels.draw_thresholds(shots)
    again = _chain_kernels.fresh(shots, 4, np.zeros(4, dtype=np.uint64), np.zeros(4, dtype=np.uint64))
    expected = [uniforms(KEY, 2, 100 + shot) for shot in range(5)]
    assert shots[3].tolist() == [next(numbers) for numbers in expected]
    assert again == next(expected[4])
    assert shots[4].tolist() == [1, 1, 1, 1, 2]


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_a_chain_is_sorted_by_falling_threshold(pace, n):
    rng = np.random.default_rng(n)
    threshold, after = rng.integers(0, max(n // 2, 1), n) / n, np.full(n, -1)
    head = chain_of(rng.permutation(n).tolist(), after)
    found = walk(_chain_kernels.sort_chain(head, after, threshold), after)
    assert sorted(found) == list(range(n))
    assert threshold[found].tolist() == sorted(threshold.tolist(), reverse=True)


def test_an_empty_chain_is_sorted(pace):
    assert _chain_kernels.sort_chain(-1, np.full(1, -1), np.zeros(1)) == -1


def test_shots_are_chained_by_column_and_found_again(pace):
    rng = np.random.default_rng(1)
    column = rng.choice([0, 1, 3], 50)
    shots, head = make_shots(rng.random(50)), np.full(6, 7)
    _chain_kernels.chain_shots(column, np.argsort(shots[3]), shots[6], head)
    for c in range(4):
        own = np.flatnonzero(column == c)
        assert walk(head[c], shots[6]) == own[np.argsort(-shots[3][own])].tolist()
    assert head[[2, 4, 5]].tolist() == [-1, -1, -1]
    found = np.full(50, 9)
    _chain_kernels.unchain_shots(found, 4, shots, head)
    assert np.array_equal(found, column)


def test_the_shots_above_a_norm_are_cut_off(pace):
    threshold = np.random.default_rng(2).random(60)
    shots = make_shots(threshold)
    book = book_of(chain_of(np.argsort(-threshold).tolist(), shots[6]), 1)
    rising = walk(_chain_kernels.cut(0, 0.4, book, shots), shots[6])
    assert rising == [k for k in np.argsort(threshold).tolist() if threshold[k] > 0.4]
    assert walk(book[0][0], shots[6]) == [k for k in np.argsort(-threshold).tolist() if threshold[k] <= 0.4]


def test_the_place_of_a_threshold_chooses_the_kind_of_jump(pace):
    rng = np.random.default_rng(2)
    # The heaviest threshold, at the norm before; one by rounding above; and one that jumped in an earlier channel.
    threshold = np.concatenate([[0.9, 0.9 + 1e-13, 0.95], rng.uniform(0.4, 0.9, 60)])
    shots, cumulative = make_shots(threshold), np.array([0.1, 0.1, 0.4])
    first = chain_of(np.argsort(threshold).tolist(), shots[6])
    taken = np.full(4, 9)
    rest = _chain_kernels.peel(first, (0.9, 0.4, 0.9 + 1e-12), cumulative, taken, shots)
    kinds = np.searchsorted(cumulative, np.maximum(0.9 - threshold, 0) / 0.5 * 0.4, side="right")
    assert kinds[0] == 0
    for kind in range(3):
        assert sorted(walk(taken[kind], shots[6])) == np.flatnonzero((kinds == kind) & (threshold < 0.94)).tolist()
    assert taken[[1, 3]].tolist() == [-1, 9]
    assert walk(rest, shots[6]) == [2]


@pytest.mark.parametrize("norm", [0.5, 0.0, 1.0])
def test_lost_shots_stay_with_thresholds_within_the_norm(pace, norm):
    before = np.random.default_rng(3).random(40)
    shots = make_shots(before.copy())
    book = book_of(chain_of(np.argsort(-before).tolist(), shots[6]), 1)
    random = np.zeros(4, dtype=np.uint64), np.zeros(4, dtype=np.uint64)
    _chain_kernels.leak(0, _chain_kernels.cut(0, norm, book, shots), norm, book, shots, random)
    fresh = np.array([next(uniforms(KEY, 2, 100 + shot)) for shot in range(40)]) * norm
    assert np.array_equal(shots[5], before > norm)
    assert np.array_equal(shots[3], np.where(before > norm, fresh, before))
    found = walk(book[0][0], shots[6])
    assert sorted(found) == list(range(40))
    assert np.all(np.diff(shots[3][found]) <= 0)


def test_outcomes_are_those_of_each_shots_column(pace):
    cumulative = np.array([[0.2, 0.2, 0.7, 1.0], [0.0, 0.5, 0.5, 1.0], [0.0, 0.0, 0.0, 1.0]])
    column = np.arange(90) % 3
    shots, found = np.arange(90, dtype=np.uint64), np.full(90, -1)
    _chain_kernels.draw_column_outcomes((KEY, np.uint64(1), np.uint64(6)), shots, column, cumulative, found)
    for shot, outcome in enumerate(found.tolist()):
        counter = 6 + (1 << 64) + (shot << 128) - 1
        value = (int(np.random.Philox(counter=counter, key=KEY).random_raw(1)[0]) >> 11) * 2.0**-53
        assert outcome == np.searchsorted(cumulative[column[shot]], value, side="right")
