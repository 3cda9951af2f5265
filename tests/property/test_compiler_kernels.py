"""Kernels, compiled and as plain Python, against versions written from their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qctrl.compiler import _kernels
from tests.reference import bind as reference_bind
from tests.reference import schedule as reference_schedule

COMPILED = pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "python"])
N_RESOURCES = N_GROUPS = 4

placed = st.lists(
    st.tuples(st.sets(st.integers(0, N_RESOURCES - 1), max_size=3), st.integers(0, 40), st.sampled_from([1, 2, 4, 8])),
    max_size=30,
)
actions = st.lists(
    st.tuples(st.integers(0, 2), st.integers(-1, N_GROUPS - 1), st.integers(0, 2**32 - 1)).map(
        lambda action: (action[0], max(action[1], 0) if action[0] else action[1], action[2])
    ),
    max_size=40,
)


def form(kernel, compiled):
    return kernel if compiled else kernel.py_func


@COMPILED
@given(rows=placed)
@settings(deadline=None)
def test_place_alap_agrees_with_longest_paths(compiled, rows):
    uses = [used for used, _, _ in rows]
    pointer = np.cumsum([0, *(len(used) for used in uses)]).astype(np.int64)
    resource = np.array([item for used in uses for item in sorted(used)], dtype=np.int64)
    duration = np.array([duration for _, duration, _ in rows], dtype=np.int64)
    alignment = np.array([alignment for _, _, alignment in rows], dtype=np.int64)
    start = np.zeros(len(rows), dtype=np.int64)
    kernel = form(_kernels.place_alap, compiled)
    needed = kernel(pointer, resource, duration, alignment, np.zeros(N_RESOURCES, dtype=np.int64), start)
    expected = reference_schedule.place_alap(uses, duration.tolist(), alignment.tolist())
    assert (start.tolist(), needed) == expected


@COMPILED
@given(rows=actions, next_row=st.integers(1, 5))
@settings(deadline=None)
def test_fold_phases_sums_the_whole_history(compiled, rows, next_row):
    n = len(rows)
    kind = np.array([kind for kind, _, _ in rows], dtype=np.uint8)
    group = np.array([group for _, group, _ in rows], dtype=np.int64)
    word = np.array([word for _, _, word in rows], dtype=np.int64)
    reached, row_of = np.zeros(N_GROUPS, dtype=np.int64), np.zeros(N_GROUPS, dtype=np.int64)
    phase, row = np.zeros(n, dtype=np.uint32), np.zeros(n, dtype=np.int64)
    kernel = form(_kernels.fold_phases, compiled)
    end_row = kernel(kind, group, word, reached, row_of, next_row, phase, row)
    opened = [i for i in range(n) if kind[i] == _kernels.ROW]
    assert end_row == next_row + len(opened)
    for i in range(n):
        before = [j for j in range(i) if group[j] == group[i] >= 0]
        if kind[i] == _kernels.PLAY:
            shifts = sum(int(word[j]) for j in before if kind[j] == _kernels.SHIFT)
            assert phase[i] == (int(word[i]) + shifts) % 2**32
        if kind[i] != _kernels.SHIFT:
            rows_before = [next_row + opened.index(j) for j in before if kind[j] == _kernels.ROW]
            assert row[i] == (rows_before[-1] if rows_before else 0)
    for g in range(N_GROUPS):
        mine = [j for j in range(n) if group[j] == g]
        assert reached[g] == sum(int(word[j]) for j in mine if kind[j] == _kernels.SHIFT) % 2**32


@COMPILED
@given(data=st.data(), n_rows=st.integers(1, 12), n_bindings=st.integers(0, 3))
@settings(deadline=None)
def test_sum_rows_walks_every_chain(compiled, data, n_rows, n_bindings):
    n_expressions = 3
    angles = np.array(
        data.draw(st.lists(st.floats(-50, 50), min_size=3 * n_bindings, max_size=3 * n_bindings)), dtype=np.float64
    ).reshape(n_bindings, n_expressions)
    expression = [-1, *data.draw(st.lists(st.integers(0, 2), min_size=n_rows - 1, max_size=n_rows - 1))]
    previous = [0, *(data.draw(st.integers(0, row - 1)) for row in range(1, n_rows))]
    words = np.rint(angles / (2 * np.pi) * 2**32).astype(np.int64).astype(np.uint32)
    out = np.zeros((n_bindings, n_rows), dtype=np.uint32)
    form(_kernels.sum_rows, compiled)(words, np.array(expression), np.array(previous), out)
    for binding in range(n_bindings):
        assert out[binding].tolist() == reference_bind.words(angles[binding].tolist(), expression, previous)
