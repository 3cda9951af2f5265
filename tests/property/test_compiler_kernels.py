"""Kernels, compiled and as plain Python, against versions written from their definitions."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qctrl.compiler import _bind_kernels, _kernels, _order_kernels
from qctrl.ir import CAPTURE, INSTRUCTION, PLAY, ROW, SHIFT, Opcode
from qctrl.protocol import EVENT, EventOp
from tests.reference import bind as reference_bind
from tests.reference import schedule as reference_schedule

COMPILED = pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "python"])
N_RESOURCES = N_GROUPS = 4

placed = st.lists(
    st.tuples(st.sets(st.integers(0, N_RESOURCES - 1), max_size=3), st.integers(0, 40), st.sampled_from([1, 2, 4, 8])),
    max_size=30,
)
RZ, OPEN = "rz", "open"
actions = st.lists(
    st.tuples(
        st.sampled_from([_kernels.PLAY, _kernels.SHIFT, RZ, OPEN]),
        st.integers(-1, N_GROUPS - 1),
        st.integers(0, 2**32 - 1),
    ).map(lambda action: (action[0], action[1] if action[0] == _kernels.PLAY else max(action[1], 0), action[2])),
    max_size=40,
)


def form(kernel, compiled):
    if compiled:
        return kernel

    def plain(*arguments):
        # Fields are attributes for Numba, and for records.
        columns = [a.view(np.recarray) if getattr(a, "dtype", np.dtype(int)).names else a for a in arguments]
        return kernel.py_func(*columns)

    return plain


def frozen(column):
    column.flags.writeable = False
    return column


def no_sites(n):
    return np.zeros((n, 8), dtype=np.int64)


@COMPILED
@given(rows=placed, is_late=st.booleans())
@settings(deadline=None)
def test_place_block_agrees_with_longest_paths(compiled, rows, is_late):
    uses = [used for used, _, _ in rows]
    instructions, sites = np.zeros(len(rows), dtype=INSTRUCTION), no_sites(len(rows))
    instructions["site"] = np.arange(len(rows))
    bounds = np.cumsum([0, *(len(used) for used in uses)])
    resource = np.array([item for used in uses for item in sorted(used)], dtype=np.int64)
    sites[:, _kernels.DURATION] = [duration for _, duration, _ in rows]
    sites[:, _kernels.ALIGNMENT] = [alignment for _, _, alignment in rows]
    sites[:, _kernels.FIRST_RESOURCE], sites[:, _kernels.LAST_RESOURCE] = bounds[:-1], bounds[1:]
    sites[:, _kernels.N_PLAYS] = 1
    plays = np.zeros(len(rows), dtype=PLAY)
    length = form(_kernels.place_block, compiled)(
        frozen(instructions),
        (np.int64(0), np.int64(len(rows)), np.int64(1)),
        is_late,
        frozen(sites),
        frozen(resource),
        frozen(np.zeros(0, dtype=np.int32)),
        np.zeros(N_RESOURCES, dtype=np.int64),
        plays,
        np.zeros(0, dtype=CAPTURE),
        np.array([len(rows), 0, 0, 0, 0]),
    )
    durations, starts = [duration for _, duration, _ in rows], plays["start_ticks"].tolist()
    # As soon as possible is as late as possible, in the mirror.
    turn = 1 if is_late else -1
    tails, needed = reference_schedule.place_alap(
        uses[::turn], durations[::turn], [alignment for _, _, alignment in rows][::turn]
    )
    # An instruction that uses nothing still lies in the block.
    assert length == max([needed, *(duration for used, duration, _ in rows if not used)], default=0)
    from_end = [length - start - duration for start, duration in zip(starts, durations, strict=True)]
    assert (from_end if is_late else starts) == tails[::turn]


@COMPILED
@given(ticks=st.integers(-(2**40), 2**40), grid=st.integers(1, 100) | st.sampled_from([2**k for k in range(31)]))
@settings(deadline=None)
def test_round_up_is_the_next_multiple(compiled, ticks, grid):
    found = form(_kernels.round_up, compiled)(ticks, grid)
    assert found % grid == 0
    assert 0 <= found - ticks < grid


@COMPILED
@given(rows=actions, next_row=st.integers(1, 5))
@settings(deadline=None)
def test_fold_block_sums_the_whole_history(compiled, rows, next_row):
    n = len(rows)
    instructions, sites, table = np.zeros(n, dtype=INSTRUCTION), no_sites(n), np.zeros((n, 7), dtype=np.int64)
    for i, (kind, group, word) in enumerate(rows):
        is_rz = kind in (RZ, OPEN)
        instructions[i]["site"], instructions[i]["qubit"] = i, max(group, 0)
        instructions[i]["opcode"] = Opcode.RZ if is_rz else Opcode.GATE
        instructions[i]["expression"] = i if kind == OPEN else -1
        instructions[i]["angle_rad"] = word / 2**32 * 2 * np.pi if kind == RZ else 0.0
        table[i, _kernels.KIND] = _kernels.SHIFT if is_rz else kind
        table[i, _kernels.GROUP], table[i, _kernels.WORD] = group, 0 if is_rz else word
        sites[i, _kernels.FIRST_ACTION], sites[i, _kernels.LAST_ACTION] = i, i + 1
    reached, row_of = np.zeros(N_GROUPS, dtype=np.int64), np.zeros(N_GROUPS, dtype=np.int64)
    plays, open_rows = np.zeros(n, dtype=PLAY), np.zeros(n + next_row, dtype=ROW)
    counts = np.array([0, 0, next_row])
    form(_kernels.fold_block, compiled)(
        frozen(instructions),
        (np.int64(0), np.int64(n), np.int64(0)),
        frozen(sites),
        frozen(table),
        frozen(np.zeros(n)),
        reached,
        row_of,
        plays,
        np.zeros(0, dtype=CAPTURE),
        open_rows,
        counts,
    )
    opened = [i for i in range(n) if rows[i][0] == OPEN]
    played = [i for i in range(n) if rows[i][0] == _kernels.PLAY]
    assert counts.tolist() == [len(played), 0, next_row + len(opened)]

    def row_before(i):
        mine = [j for j in opened if j < i and rows[j][1] == rows[i][1]]
        return next_row + opened.index(mine[-1]) if mine else 0

    for k, i in enumerate(played):
        shifts = sum(word for kind, group, word in rows[:i] if kind in (_kernels.SHIFT, RZ) and group == rows[i][1])
        assert plays["phase"][k] == (rows[i][2] + shifts) % 2**32
        assert plays["phase_row"][k] == row_before(i)
    for k, i in enumerate(opened):
        assert open_rows[next_row + k].tolist() == (row_before(i), i)
    for g in range(N_GROUPS):
        shifts = [word for kind, group, word in rows if kind in (_kernels.SHIFT, RZ) and group == g]
        assert reached[g] == sum(shifts) % 2**32


@COMPILED
@given(
    state=st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 1), st.integers(0, 1)), max_size=6),
    first=st.integers(0, 3),
)
@settings(deadline=None)
def test_carry_block_lists_the_frames_whose_group_moved(compiled, state, first):
    frame_group = np.array([group for group, _, _ in state], dtype=np.int64)
    reached, row_of = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    for group, word, row in state:
        if group >= 0:
            reached[group], row_of[group] = word, row
    shifts = np.zeros(first + len(state), dtype=SHIFT)
    total = form(_kernels.carry_block, compiled)(7, frozen(frame_group), reached, row_of, shifts, first)
    moved = [f for f, (g, _, _) in enumerate(state) if g >= 0 and (reached[g] or row_of[g])]
    assert shifts[first:total].tolist() == [(7, f, reached[frame_group[f]], row_of[frame_group[f]]) for f in moved]


raw_events = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 9), st.sampled_from([0, 1, 2]), st.integers(0, 3), st.integers(0, 5)),
    max_size=25,
)


def event_column(rows):
    events = np.zeros(len(rows), dtype=EVENT)
    for event, (start, length, op, frame, gain) in zip(events, rows, strict=True):
        event["start_ticks"], event["length_ticks"], event["op"] = start, length, op
        event["frame"], event["gain"] = frame, gain * 2**28 * (-1) ** gain
    return events


@COMPILED
@given(rows=raw_events, first=st.integers(0, 3))
@settings(deadline=None)
def test_sort_events_agrees_with_a_stable_sort(compiled, rows, first):
    events = event_column(rows)
    first = min(first, len(events))
    left = form(_order_kernels.sort_events, compiled)(events, first, len(events), 10_000)
    key = lambda row: (row[0], row[2] <= EventOp.CAPTURE, row[3])  # noqa: E731
    expected = event_column([*rows[:first], *sorted(rows[first:], key=key)])
    assert events.tolist() == expected.tolist()
    assert left <= 10_000


@COMPILED
def test_sort_events_gives_up_when_its_budget_is_spent(compiled):
    events = event_column([(20 - k, 1, 0, 0, 1) for k in range(20)])
    assert form(_order_kernels.sort_events, compiled)(events, 0, len(events), 3) < 0


@COMPILED
@given(rows=raw_events, in_order=st.booleans())
@settings(deadline=None)
def test_look_through_finds_the_highest_play_and_any_disorder(compiled, rows, in_order):
    key = lambda row: (row[0], row[2] <= EventOp.CAPTURE, row[3])  # noqa: E731
    rows = sorted(rows, key=key) if in_order else rows
    highest, is_neat = form(_order_kernels.look_through, compiled)(
        event_column(rows), 0, len(rows), frozen(np.array([0.5]))
    )
    plays = [row for row in rows if row[2] == EventOp.PLAY]
    overlap = any(first[0] + first[1] > second[0] for first, second in itertools.pairwise(plays))
    assert highest == max((row[4] / 8 for row in plays), default=0)
    assert is_neat == (sorted(rows, key=key) == rows and not overlap)


@COMPILED
@given(rows=raw_events)
@settings(deadline=None)
def test_peak_of_port_is_the_largest_sum_at_any_tick(compiled, rows):
    rows = sorted(rows)
    peaks = np.array([0.5])
    found = form(_order_kernels.peak_of_port, compiled)(
        event_column(rows), 0, len(rows), frozen(peaks), np.zeros((2, len(rows) + 1))
    )
    sums = [sum(r[4] / 8 for r in rows if r[2] == 0 and r[0] <= tick < r[0] + r[1]) for tick in range(31)]
    assert found == max(sums)


@COMPILED
@given(data=st.data(), n_rows=st.integers(1, 12), n_bindings=st.integers(0, 3))
@settings(deadline=None)
def test_bind_rows_walks_every_chain(compiled, data, n_rows, n_bindings):
    n_columns = 3
    angles = np.array(
        data.draw(st.lists(st.floats(-50, 50), min_size=3 * n_bindings, max_size=3 * n_bindings)), dtype=np.float64
    ).reshape(n_bindings, n_columns)
    column = [-1, *data.draw(st.lists(st.integers(0, 2), min_size=n_rows - 1, max_size=n_rows - 1))]
    previous = [0, *(data.draw(st.integers(0, row - 1)) for row in range(1, n_rows))]
    out = np.zeros((n_bindings, n_rows), dtype=np.uint32)
    bad = form(_bind_kernels.bind_rows, compiled)(
        frozen(angles), frozen(np.array(column)), frozen(np.array(previous)), out
    )
    assert bad == -1
    for binding in range(n_bindings):
        assert out[binding].tolist() == reference_bind.words(angles[binding].tolist(), column, previous)


@COMPILED
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0**20 * 2 * np.pi])
def test_bind_rows_names_the_binding_that_is_no_phase(compiled, value):
    out = np.zeros((3, 2), dtype=np.uint32)
    angles = np.array([[0.5], [value], [value]])
    columns = frozen(np.array([0, 0])), frozen(np.array([0, 0]))
    assert form(_bind_kernels.bind_rows, compiled)(frozen(angles), *columns, out) == 1
