"""Dropping what nobody waits for changes no time."""

from hypothesis import given
from hypothesis import strategies as st

from qctrl.compiler.site_resources import waited_for
from tests.reference.schedule import place_alap

N_QUBITS = 3
sites = st.lists(
    st.tuples(st.sets(st.integers(0, N_QUBITS - 1), min_size=1), st.sets(st.integers(N_QUBITS, N_QUBITS + 3))),
    min_size=1,
    max_size=5,
).map(lambda found: [[*sorted(qubits), *sorted(frames)] for qubits, frames in found])


def test_a_frame_is_kept_where_two_sites_share_nothing_else():
    assert waited_for([[0, 3], [1, 3]], [-1], 3) == [(0, 3), (1, 3)]


def test_a_frame_whose_users_share_a_qubit_is_left_out():
    assert waited_for([[0, 3], [0, 1, 3, 4], [2, 0, 3]], [0, -1], 3) == [(0,), (0, 1), (2, 0)]


def test_a_frame_of_another_qubit_keeps_that_qubit_busy():
    assert waited_for([[0, 3], [0, 1, 3]], [1], 3) == [(0, 3), (0, 1, 3)]


@given(busy=sites, data=st.data())
def test_no_instruction_starts_elsewhere(busy, data):
    order = data.draw(st.lists(st.integers(0, len(busy) - 1), max_size=20))
    durations = data.draw(st.lists(st.integers(0, 9), min_size=len(busy), max_size=len(busy)))
    ticks, alignments = [durations[site] for site in order], [1 + site % 2 for site in order]
    groups = data.draw(st.lists(st.integers(-1, N_QUBITS - 1), min_size=4, max_size=4))
    kept = waited_for(busy, groups, N_QUBITS)
    all_of, some_of = ([set(of[site]) for site in order] for of in (busy, kept))
    assert place_alap(all_of, ticks, alignments) == place_alap(some_of, ticks, alignments)
