from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.physics.layouts import Layouts, Places, group, sheet_columns

SUPPORTS = st.lists(
    st.sets(st.integers(0, 8), min_size=1, max_size=4).map(lambda part: tuple(sorted(part))), max_size=20
)


def test_layouts_enumerate_every_row_once():
    layouts = Layouts(3, 4)
    for positions in ((0,), (3,), (1, 2), (0, 3), (0, 2, 3)):
        layouts.place(positions)
    offset_places, offsets, base_places, bases, inner, totals = layouts.table()
    for k in range(5):
        own = offsets[offset_places[k] : offset_places[k + 1]]
        rows = own[:, None, None] + bases[base_places[k] : base_places[k + 1], None] + np.arange(inner[k])
        assert np.array_equal(np.sort(rows.ravel()), np.arange(81))
    assert totals[:3].tolist() == [0, 1, 2]


def test_without_operators_there_is_a_table_all_the_same():
    assert [len(column) for column in Layouts(2, 3).table()] == [2, 2, 2, 1, 1, 2]


@given(supports=SUPPORTS, most=st.integers(4, 9))
def test_groups_hold_every_gate_once_and_exchange_none_that_share_a_digit(supports, most):
    found = group(supports, 9, most)
    order = [number for _, members in found for number in members]
    assert sorted(order) == list(range(len(supports)))
    for digits, members in found:
        assert len(digits) == most
        assert list(digits) == sorted(set(digits))
        assert all(set(supports[number]) <= set(digits) for number in members)
    for later, number in enumerate(order):
        for other in order[:later]:
            assert other < number or set(supports[other]).isdisjoint(supports[number])


@pytest.mark.parametrize(("levels", "n_qubits", "digits"), [(2, 5, 5), (2, 13, 13), (2, 14, 9), (3, 8, 8), (3, 9, 6)])
def test_sheets_beyond_the_cache_are_played_group_by_group(levels, n_qubits, digits):
    places = Places(levels, n_qubits)
    (layout, members, inside), *more = places.groups([(0, 1), (n_qubits - 2, n_qubits - 1), (0,)])
    assert places.digits == digits
    assert (layout == -1) == (digits == n_qubits)
    assert (members, more) == ([0, 1, 2], [])
    assert len(set(inside)) == 3


def test_a_sheet_holds_what_the_cache_does():
    assert [sheet_columns(2**n) for n in (1, 10, 12, 15, 16, 20)] == [64, 64, 16, 2, 1, 1]
