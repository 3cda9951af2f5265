"""Places of ticks on the page."""

import numpy as np
import pytest

from qctrl.plot.drawing import read
from qctrl.plot.timeline import nice_step, reference_ticks, timeline

from .conftest import DRIVE, pack, play


def test_ticks_keep_their_order(program, setup):
    block = read(program, setup).blocks[0]
    line = timeline(block, 6, 0.1)
    places = line.place(np.arange(1041))
    assert (np.diff(places) > 0).all()
    assert places[0] == 0
    assert places[-1] == line.width_in


def test_only_long_stretches_without_change_are_cut(program, setup):
    block = read(program, setup).blocks[0]
    line = timeline(block, 6, 0.1)
    assert line.cuts == ((46, 1040),)
    assert line.place(20) - line.place(0) == pytest.approx(2.0)
    assert line.place(1040) - line.place(46) == pytest.approx(1.2)


def test_ticks_outside_stand_on_the_edge(program, setup):
    line = timeline(read(program, setup, time_range_s=(0, 20e-9)).blocks[0], 6, 0.1)
    assert line.place(-5) == 0
    assert line.place(500) == line.width_in


def test_reference_is_a_short_play(program, setup):
    assert reference_ticks(read(program, setup).blocks) == 6


def test_reference_is_a_capture_or_a_block_if_nothing_is_played(branching, setup):
    blocks = read(branching, setup).blocks
    assert reference_ticks(blocks[:1]) == 1000
    assert reference_ticks(blocks[1:2]) == 8


def test_block_without_length_has_a_place():
    empty = read(pack([(0, []), (8, [play(DRIVE, 0)])])).blocks[0]
    assert timeline(empty, 6, 0.1).width_in == 0


@pytest.mark.parametrize(("least", "step"), [(1, 1), (1.2, 2), (21, 50), (70, 100), (0.03, 0.05)])
def test_steps_are_round(least, step):
    assert nice_step(least) == pytest.approx(step)
