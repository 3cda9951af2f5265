from __future__ import annotations

import numpy as np

from firmware_sim.physics.segments import Hold, Segment, cut, hold, spans


def acting(n_samples, *spans):
    row = np.zeros(n_samples, dtype=bool)
    for first, last in spans:
        row[first:last] = True
    return row


def test_a_block_is_cut_where_a_line_starts_or_stops():
    rows = np.array([acting(100, (0, 20)), acting(100, (20, 60)), acting(100, (30, 60))])
    assert [(s.first, s.last) for s in cut(rows, 100, [])] == [(0, 20), (20, 30), (30, 60), (60, 100)]


def test_a_short_gap_is_no_cut():
    rows = np.array([acting(100, (10, 30), (33, 50), (70, 80))])
    assert [(s.first, s.last) for s in cut(rows, 100, [])] == [(0, 10), (10, 50), (50, 70), (70, 80), (80, 100)]


def test_marks_cut_and_those_outside_do_not():
    rows = np.zeros((1, 50), dtype=bool)
    assert cut(rows, 50, [10, 0, 50, 90, -3]) == [Segment(0, 10), Segment(10, 50)]


def test_an_empty_block_has_no_segments():
    assert cut(np.zeros((2, 0), dtype=bool), 0, []) == []


def test_a_line_acts_from_its_first_sample_to_its_last_beside_short_gaps():
    assert spans(acting(100, (10, 30), (33, 50), (70, 80))) == [(10, 50), (70, 80)]
    assert spans(acting(100)) == []


def test_a_segment_knows_the_pulses_that_it_cuts():
    segments = [Segment(0, 20), Segment(20, 30), Segment(30, 60), Segment(60, 80)]
    long, short = Hold((0, 1), 0, 60), Hold((2,), 20, 30)
    assert hold(segments, [short, long]) == [
        Segment(0, 20, (long,)),
        Segment(20, 30, (long,)),
        Segment(30, 60, (long,)),
        Segment(60, 80),
    ]
    assert hold(segments, [short, Hold((0, 1), 60, 80)]) == segments


def test_pulses_that_meet_on_a_qubit_are_one_and_neighbours_in_time_are_two():
    segments = [Segment(10 * k, 10 * k + 10) for k in range(12)]
    early, middle, chained = Hold((2, 3), 20, 50), Hold((0, 1), 0, 100), Hold((1, 2), 90, 120)
    alone, after = Hold((4,), 0, 30), Hold((4,), 30, 60)
    found = hold(segments, [chained, early, middle, after, alone])
    whole = Hold((0, 1, 2, 3), 0, 120)
    assert [set(segment.holds) for segment in found] == [
        {whole, *({alone} if k < 3 else {after} if k < 6 else set())} for k in range(12)
    ]
