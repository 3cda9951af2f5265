"""A shot cut into segments is the same shot."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qctrl.errors import ResourceError
from qctrl.instruments.boxes.base import GeneratorLimits
from qctrl.instruments.boxes.shot import cut, period_ticks, render, resting, split, trigger_marks
from qctrl.protocol import Port, Setup
from qctrl.signal import Player
from tests.unit.firmware_sim import toys

LIMITS = GeneratorLimits(min_samples=12, max_samples=100_000, granularity=4, max_steps=50, max_repeats=7)


@st.composite
def shots(draw):
    n = 4 * draw(st.integers(3, 200))
    lines = [np.zeros(n, dtype=np.float32) for _ in range(draw(st.integers(1, 3)))]
    for line in lines:
        for _ in range(draw(st.integers(0, 4))):
            first = draw(st.integers(0, n - 1))
            line[first : first + draw(st.integers(1, 40))] = draw(st.sampled_from([0.25, -1.0, 0.5]))
        np.add(line, np.float32(draw(st.sampled_from([0.0, 0.125]))), out=line)
    marks = {0: trigger_marks(n)} if draw(st.booleans()) else {}
    return lines, marks


def expand(pieces, place, marks=False):
    found = {segment.name: segment for segment in pieces.segments}
    parts = []
    for step in pieces.steps:
        segment = found[step.segments[place]]
        still = np.zeros(len(segment.samples), dtype=np.uint8)
        part = (still if segment.markers is None else segment.markers) if marks else segment.samples
        parts += [part] * step.repeats
    return np.concatenate(parts)


@given(shots())
def test_pieces_put_together_are_the_shot(shot):
    lines, marks = shot
    pieces = cut(lines, marks, LIMITS)
    for place, line in enumerate(lines):
        np.testing.assert_array_equal(expand(pieces, place), line)
    for place, marked in marks.items():
        np.testing.assert_array_equal(expand(pieces, place, marks=True), marked)
    for segment in pieces.segments:
        assert len(segment.samples) >= 12
        assert len(segment.samples) % 4 == 0
    names = [segment.name for segment in pieces.segments]
    assert len(set(names)) == len(names)
    found = {segment.name: segment for segment in pieces.segments}
    for name, line in zip(pieces.rest.segments, lines, strict=True):
        assert (found[name].samples == line[-1]).all()
        assert found[name].markers is None


def test_long_idle_costs_no_memory():
    line = np.zeros(1_000_000, dtype=np.float32)
    line[:20] = line[900_000:900_020] = 0.5
    limits = GeneratorLimits(12, 1000, 4, 50, 10**6)
    pieces = cut([line], {}, limits)
    assert sum(len(segment.samples) for segment in pieces.segments) < 200
    np.testing.assert_array_equal(expand(pieces, 0), line)


def test_shot_beyond_the_memory_is_refused_with_need_and_have():
    line = np.linspace(0, 1, 2000).astype(np.float32)
    with pytest.raises(ResourceError, match="1 steps and 2012 samples of memory, the generator has 50 and 1000"):
        cut([line], {}, GeneratorLimits(12, 1000, 4, 50, 100))
    many = np.zeros(12_000, dtype=np.float32)
    many[::100] = 1.0
    with pytest.raises(ResourceError, match="needs 280 steps and 48 samples"):
        cut([many], {}, LIMITS)


def test_split_leaves_no_gap_and_no_short_piece():
    still = np.ones(400, dtype=np.bool_)
    still[:5] = still[200:203] = False
    pieces = split(still, 12, 4)
    assert sum(length * repeats for _, length, repeats in pieces) == 400
    assert resting([np.zeros(4, np.float32)], {}).all()


def test_period_holds_whole_turns_of_every_lo_and_the_least_length():
    program, setup = toys.excited(), toys.setup()
    assert period_ticks(program, setup, 0, [GeneratorLimits(2400, 10**6, 1, 10, 10)]) == 2400
    assert period_ticks(program, setup, 5003, [GeneratorLimits(12, 10**6, 64, 10, 10)]) % 320 == 0


def test_delayed_port_starts_later_at_rest():
    base = toys.setup()
    late = Port("q0.drive", "iq_drive", 1, 1, 0.5, 1.0, 16, toys.DRIVE_LO_HZ, delay_ticks=30)
    setup = Setup("pair2", 1, 10**9, 10, base.bit_latency_ticks, "toy", (late, *base.ports[1:]))
    program = toys.excited(under=setup)
    shot = render(Player(program, setup), program, setup, 2400)
    plain = render(Player(toys.excited(), base), toys.excited(), base, 2400)
    np.testing.assert_array_equal(shot.samples["q0.drive"][30:], plain.samples["q0.drive"][:-30])
    assert not shot.samples["q0.drive"][:30].any()
    assert [window.first_tick for window in shot.windows] == [window.first_tick for window in plain.windows]
    np.testing.assert_array_equal(
        plain.samples["q0.drive"][: toys.PULSE_TICKS],
        Player(toys.excited(), base).render("q0.drive")[: toys.PULSE_TICKS],
    )
