from __future__ import annotations

import numpy as np

from firmware_sim.physics.segments import Segment, cut


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
