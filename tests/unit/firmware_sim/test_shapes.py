import numpy as np
import pytest

from firmware_sim.renderer import Renderer
from firmware_sim.shapes import Shapes
from qctrl.protocol import EventOp, RowKind
from tests.unit.firmware_sim import toys


def at_phase(start, phase=0, *, row=0):
    """A pulse at a phase word, and at that of a slot."""
    return (*toys.play(start, toys.DRIVE, 0, toys.PULSE_TICKS, 0.3)[:7], phase, row, 0)


def packed(*events):
    rows = (RowKind.PHASE, RowKind.PHASE, RowKind.GAIN)
    return toys.program([([*events], 200)], [toys.PLAY, toys.END], n_captures=0, rows=rows)


WORDS = np.array([[0, 3 << 30, 0], [0, 12345, 0]], dtype=np.uint32)


def test_phases_are_those_that_are_played():
    program = packed(at_phase(0), at_phase(30, 1 << 31), at_phase(91, 99, row=1))
    renderer = Renderer(program, toys.setup())
    for words in WORDS:
        renderer.bind(words)
        for start_ticks in (0, 12340):
            rendered = renderer.play(0, start_ticks, renderer.begin())
            plays = rendered.plays.of_port(toys.DRIVE)
            told = rendered.plays.phases[toys.DRIVE]
            for first, last, phase in zip(plays.starts, plays.ends, told, strict=True):
                expected = np.exp(1j * phase) * plays.samples[0]
                assert rendered.lines[toys.DRIVE][first:last] == pytest.approx(expected, abs=2**-15)


def test_phases_of_many_bindings_are_those_of_each():
    shapes = Shapes(packed(at_phase(30, 1 << 31), at_phase(91, 99, row=1)), toys.setup())
    both = shapes.phases(np.array([0, 1]), 70, WORDS)
    alone = [shapes.phases(np.array([0, 1]), 70, words) for words in WORDS]
    assert np.array_equal(both, alone)
    assert both[0, 0] == both[1, 0]
    assert both[0, 1] != both[1, 1]


def test_phases_behind_a_change_of_a_register_are_left_open():
    shift = (0, 0, EventOp.SHIFT_PHASE, 0, toys.DRIVE, 0, 0, 7, 0, 0)
    shapes = Shapes(packed(shift, at_phase(30)), toys.setup())
    assert np.isnan(shapes.plays(0, 0).phases[toys.DRIVE]).all()


def test_bindings_that_differ_in_phases_alone_are_told_from_others():
    gain = toys.play(130, toys.DRIVE, 0, toys.PULSE_TICKS, 0.3, gain_row=2)
    shapes = Shapes(packed(at_phase(0, row=1), at_phase(30, row=1), gain), toys.setup())
    assert shapes.are_phases(WORDS, np.array([0, 1]))
    assert not shapes.are_phases(WORDS, np.array([0]))
    assert shapes.are_phases(WORDS[:1], np.array([], dtype=np.int64))
    assert not shapes.are_phases(WORDS + np.array([[0, 0, 0], [0, 0, 1]], dtype=np.uint32), np.array([0, 1, 2]))
