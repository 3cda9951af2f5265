"""What is read from the packed words."""

import numpy as np
import pytest

from qctrl.errors import CompileError
from qctrl.plot.drawing import read
from qctrl.protocol import Patch, RowField
from qctrl.signal import Player

from .conftest import DRIVE, FLUX, HEARD, OTHER_HEARD, OTHER_TONE, SAMPLES, TONE, make_setup, pack, play, retune, shift


def by_frame(block, frame):
    return [event for events in (block.plays, block.captures, block.marks) for event in events if event.frame == frame]


def held(a_play, ticks_per_sample):
    """Return the samples of a play one by one."""
    return np.repeat(a_play.samples, np.diff(a_play.edges_ticks) // ticks_per_sample)


def test_a_play_is_gain_times_envelope(program, setup):
    block = read(program, setup).blocks[0]
    first, second = by_frame(block, DRIVE)
    envelope = SAMPLES @ [1, 1j] / 32767
    np.testing.assert_allclose(held(first, 1), 0.5 * envelope, atol=1e-12)
    np.testing.assert_allclose(held(second, 1), -0.25 * envelope, atol=1e-12)
    assert (first.start_ticks, first.length_ticks, first.phase_word, first.gain) == (0, 6, 2**30, 0.5)
    assert second.edges_ticks[0] == 20


def test_what_is_drawn_is_what_the_player_plays(program, setup):
    played = Player(program, setup).baseband_block(0, 0)[setup.port_index("q0.flux")]
    level = by_frame(read(program, setup).blocks[0], FLUX)[0]
    first = level.start_ticks // 2
    np.testing.assert_allclose(held(level, 2).real, played[first : first + 6], atol=1e-12)


def test_equal_samples_are_one_step(program, setup):
    level = by_frame(read(program, setup).blocks[0], FLUX)[0]
    assert level.edges_ticks.tolist() == [8, 10, 12, 16, 18, 20]


def test_lanes_have_the_ports_with_events(program, setup):
    lanes = read(program, setup).lanes
    assert [(lane.name, lane.kind) for lane in lanes] == [
        ("q0.drive", "iq"),
        ("q0.flux", "level"),
        ("f0.readout", "readout"),
        ("f0.acquire", "acquire"),
    ]
    assert [lane.frames for lane in lanes[2:]] == [(TONE, OTHER_TONE), (HEARD, OTHER_HEARD)]


def test_without_a_setup_kinds_and_rates_follow_from_the_program(program):
    schedule = read(program)
    assert [(lane.name, lane.kind, lane.lo_hz) for lane in schedule.lanes] == [
        ("port 0", "iq", None),
        ("port 1", "level", None),
        ("port 2", "iq", None),
        ("port 3", "acquire", None),
    ]
    assert by_frame(schedule.blocks[0], FLUX)[0].edges_ticks[-1] == 20


def test_ports_are_chosen_by_pattern(program, setup):
    assert [lane.name for lane in read(program, setup, ports=["f0.*", "q0.drive"]).lanes] == [
        "q0.drive",
        "f0.readout",
        "f0.acquire",
    ]
    schedule = read(program, setup, ports=["q*.drive"])
    assert schedule.n_events == 2
    assert {event.frame for event in schedule.blocks[0].plays} == {DRIVE}


def test_port_without_events_is_drawn_if_named(program, setup):
    lane = read(program, setup, ports=["q9.flux"]).lanes[0]
    assert (lane.name, lane.frames) == ("q9.flux", ())


def test_unknown_port_is_refused_with_the_known_ones(program, setup):
    with pytest.raises(CompileError, match=r"no port q7\.drive; known are q0\.drive, q0\.flux"):
        read(program, setup, ports=["q7.drive"])


def test_captures_name_their_bits(program, setup):
    first, second = read(program, setup).blocks[0].captures
    assert (first.clbit, first.index, first.is_weighted) == (0, 0, False)
    assert (second.clbit, second.index, second.is_weighted) == (2, 1, True)


def test_open_slots_keep_their_rows_until_words_are_known(setup):
    packed = pack(
        [
            (
                40,
                [
                    play(DRIVE, 0, row_field=RowField.GAIN, value_row=2, phase=2**30, phase_row=1),
                    shift(DRIVE, 8, 2**31, phase_row=1),
                    retune(DRIVE, 8, 0, row_field=RowField.FREQUENCY, value_row=3),
                ],
            )
        ],
        n_rows=4,
    )
    block = read(packed, setup).blocks[0]
    assert (block.plays[0].gain, block.plays[0].gain_row, block.plays[0].phase_row) == (None, 2, 1)
    assert [mark.row for mark in block.marks] == [1, 3]
    words = np.array([[0, 2**31, 3 * 2**30, 2**32 - 5]], dtype=np.uint32)
    block = read(packed, setup, values=Patch(packed.hash, words)).blocks[0]
    assert (block.plays[0].gain, block.plays[0].phase_word, block.plays[0].phase_row) == (-1.0, 3 * 2**30, 0)
    assert np.abs(block.plays[0].samples).max() == pytest.approx(1.0)
    assert [(mark.kind, mark.word, mark.row) for mark in block.marks] == [("phase", 0, 0), ("frequency", -5 << 16, 0)]


def test_frequency_changes_are_read(setup):
    packed = pack([(40, [retune(DRIVE, 8, -(2**40)), play(DRIVE, 8)])])
    schedule = read(packed, setup)
    assert schedule.blocks[0].marks[0].word == -(2**40)
    assert schedule.retuned == {DRIVE}


def test_time_range_is_counted_from_the_start_of_the_shot(setup):
    packed = pack([(40, [play(DRIVE, 0)]), (40, [play(DRIVE, 0), play(DRIVE, 20)])])
    blocks = read(packed, setup, time_range_s=(41e-9, 50e-9)).blocks
    assert [(block.block, block.start_ticks, block.first_ticks, block.last_ticks) for block in blocks] == [
        (1, 40, 1, 10)
    ]
    assert [event.start_ticks for event in blocks[0].plays] == [0]


def test_empty_time_range_is_refused(program, setup):
    with pytest.raises(CompileError, match=r"a shot takes 1\.04e-06 s"):
        read(program, setup, time_range_s=(1, 2))
    with pytest.raises(CompileError, match="empty or begins before"):
        read(program, setup, time_range_s=(2e-9, 1e-9))


def test_branching_program_has_no_time_range(branching, setup):
    with pytest.raises(CompileError, match="branches"):
        read(branching, setup, time_range_s=(0, 1e-9))


def test_blocks_stand_in_the_order_of_the_flow_with_their_conditions(branching, setup):
    blocks = read(branching, setup).blocks
    assert [(block.block, block.start_ticks) for block in blocks] == [(0, None), (1, None), (2, None)]
    assert blocks[0].conditions == ("again after b1, b2 if bit 2 = 1",)
    assert [block.conditions for block in blocks[1:]] == [("if bit 0 = 0",), ("if bit 0 = 1",)]


def test_finer_ticks_change_nothing_but_the_unit():
    setup = make_setup(tick_den=2 * 10**9)
    schedule = read(pack([(40, [play(DRIVE, 4)])], setup=setup), setup)
    assert schedule.blocks[0].plays[0].start_ticks == 4
    assert schedule.subtitle.endswith("20 ns per shot")
