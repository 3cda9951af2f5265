import numpy as np
import pytest

from firmware_sim.physics.branches import Branch
from firmware_sim.physics.random import Draws, stream_key
from firmware_sim.physics.states import ground
from firmware_sim.sequencer import Sequencer
from qctrl.errors import InstrumentFault, TimingError
from tests.unit.firmware_sim import toys


class FakePhysics:
    """Notes what it is asked to play; a capture writes shot number modulo 2 into its bit."""

    def __init__(self):
        self.played = []

    def play(self, branches, lines, start_ticks, captures=(), *, final=False):
        self.played.append((start_ticks, [len(line) for line in lines], len(branches), final, captures))
        for branch in branches:
            for capture in captures:
                branch.bits[:, capture.clbit] = branch.shots % 2
        return list(branches)


def begin(n_shots, n_clbits):
    shots = np.arange(n_shots, dtype=np.uint64)
    draws = Draws(stream_key(1, 0, b""), 0, shots)
    bits = np.zeros((n_shots, n_clbits), dtype=np.uint8)
    return [Branch(ground(3, mixed=False), draws, 0, bits, np.zeros((n_shots, 0), np.complex64), None)]


def sequencer_of(program, physics, limit=1000, steps=None):
    return Sequencer(
        program, toys.setup(), physics, limit, (lambda: None) if steps is None else (lambda: steps.append(1))
    )


def test_straight_line_plays_its_block_once_and_knows_that_nothing_follows():
    physics, steps = FakePhysics(), []
    sequencer = sequencer_of(toys.excited(), physics, steps=steps)
    ended = sequencer.run(begin(5, 1))
    length = toys.PULSE_TICKS + toys.WINDOW_TICKS
    assert [call[:4] for call in physics.played] == [(0, [length, length, 0], 1, True)]
    assert sequencer.longest_shot_ticks == length
    assert len(steps) == 1
    assert np.array_equal(ended[0].bits[:, 0], [0, 1, 0, 1, 0])


def test_capture_is_handed_to_the_physics_as_the_program_says():
    physics = FakePhysics()
    sequencer_of(toys.excited(), physics).run(begin(1, 1))
    (capture,) = physics.played[0][4]
    assert (capture.port, capture.first_tick, capture.length_ticks) == (2, toys.PULSE_TICKS, toys.WINDOW_TICKS)
    assert (capture.weights, capture.n_classes, capture.clbit, capture.index) == (None, 2, 0, 0)
    assert capture.ftw == int(toys.excited().frames[2]["ftw"])


def test_branch_splits_shots_by_their_bit_and_equal_paths_meet_again():
    physics = FakePhysics()
    ended = sequencer_of(toys.reset(), physics).run(begin(6, 2))
    first = toys.PULSE_TICKS + toys.WINDOW_TICKS + toys.LATENCY_TICKS
    starts = [call[0] for call in physics.played]
    assert starts == [0, first, first, first + toys.PULSE_TICKS]
    assert [call[2] for call in physics.played] == [1, 1, 1, 2]
    assert [call[3] for call in physics.played] == [False, False, False, True]
    assert sorted(int(shot) for branch in ended for shot in branch.shots) == list(range(6))
    for branch in ended:
        assert np.array_equal(branch.bits[:, 0], branch.shots % 2)


def test_branch_that_all_shots_take_splits_nothing():
    physics = FakePhysics()
    sequencer_of(toys.reset(), physics).run(begin(1, 2))
    assert len(physics.played) == 3


def test_bit_may_not_be_read_before_its_latency_has_passed():
    with pytest.raises(TimingError, match=r"flow 1 reads bit 0 at tick 523, but it is readable from tick 524"):
        sequencer_of(toys.reset(toys.LATENCY_TICKS - 1), FakePhysics()).run(begin(2, 2))


def test_loop_without_end_meets_the_iteration_limit():
    with pytest.raises(InstrumentFault, match="more than 1000 flow instructions") as caught:
        sequencer_of(toys.endless(), FakePhysics()).run(begin(1, 1))
    assert caught.value.fault_code == "QC-ITERATION-LIMIT"


def test_bindings_change_the_samples():
    class Loudest(FakePhysics):
        def play(self, branches, lines, start_ticks, captures=(), *, final=False):
            self.played.append(np.abs(lines[0]).max())
            return list(branches)

    physics = Loudest()
    sequencer = sequencer_of(toys.rabi(), physics)
    for words in toys.rabi_patch([0.0, 0.25, 0.5]).words:
        sequencer.bind(words)
        sequencer.run(begin(1, 1))
    assert np.allclose(physics.played, [0.0, 0.25, 0.5], atol=0.003)
