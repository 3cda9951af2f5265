from pathlib import Path

import numpy as np
import pytest

from firmware_sim.config import Truth, load_truth
from firmware_sim.physics.branches import Branch
from firmware_sim.physics.random import Draws, stream_key
from firmware_sim.physics.states import ground
from firmware_sim.renderer import Renderer
from firmware_sim.sequencer import Sequencer
from firmware_sim.wires import Wires
from qctrl.errors import InstrumentFault
from qctrl.protocol import FlowOp
from qctrl.protocol.flow import instruction
from tests.unit.firmware_sim import toys


class FakePhysics:
    """Notes what it is asked to play; a capture writes shot number modulo 2 into its bit."""

    def __init__(self):
        self.played = []

    def play(self, branches, lines, start_ticks, captures=(), *, plays=None, final=False):
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


def test_a_flow_that_ends_at_once_plays_nothing():
    physics = FakePhysics()
    program = toys.program([([], toys.PULSE_TICKS)], [toys.END], n_captures=0)
    assert len(sequencer_of(program, physics).run(begin(3, 1))[0].shots) == 3
    assert physics.played == []


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


def test_a_branch_waits_in_silence_until_its_bit_is_readable():
    physics = FakePhysics()
    sequencer_of(toys.reset(toys.LATENCY_TICKS - 30), physics).run(begin(2, 2))
    read = toys.PULSE_TICKS + toys.WINDOW_TICKS + toys.LATENCY_TICKS
    assert [(call[0], call[1][0]) for call in physics.played[:3]] == [
        (0, read - 30),
        (read - 30, 30),
        (read, toys.PULSE_TICKS),
    ]


def test_a_capture_that_is_played_again_overwrites_its_bit():
    class Alternating(FakePhysics):
        def play(self, branches, lines, start_ticks, captures=(), *, plays=None, final=False):
            self.played.append(start_ticks)
            for branch in branches:
                branch.bits[:, 0] = len(self.played) % 2
            return list(branches)

    rows = [
        instruction(FlowOp.LOAD, 3, 0),
        instruction(FlowOp.LOAD, 1, 1),
        toys.PLAY,
        instruction(FlowOp.SUB, 0, 0, 8, 1),
        instruction(FlowOp.BRANCH_IF, 0, 2, 1),
        toys.END,
    ]
    program = toys.program([(toys.measure(0, 0), toys.WINDOW_TICKS)], rows)
    physics = Alternating()
    (branch,) = sequencer_of(program, physics).run(begin(4, 1))
    assert physics.played == [0, toys.WINDOW_TICKS, 2 * toys.WINDOW_TICKS]
    assert branch.bits[:, 0].tolist() == [1, 1, 1, 1]


def test_shots_split_by_a_register_and_meet_again():
    physics = FakePhysics()
    first = toys.WINDOW_TICKS + toys.LATENCY_TICKS
    rows = [
        toys.PLAY,
        instruction(FlowOp.READ_BITS, 0, 0, 1),
        instruction(FlowOp.BRANCH_IF, 0, 5, 1),
        instruction(FlowOp.PLAY_BLOCK, 1),
        instruction(FlowOp.JUMP, 0, 6),
        instruction(FlowOp.PLAY_BLOCK, 2),
        instruction(FlowOp.PLAY_BLOCK, 1),
        toys.END,
    ]
    blocks = [(toys.measure(0, 0), first), ([], toys.PULSE_TICKS), ([], toys.PULSE_TICKS)]
    sequencer_of(toys.program(blocks, rows), physics).run(begin(6, 1))
    assert [(call[0], call[2]) for call in physics.played] == [
        (0, 1),
        (first, 1),
        (first, 1),
        (first + toys.PULSE_TICKS, 2),
    ]


def test_a_long_calculation_gives_signs_of_life():
    rows = [instruction(FlowOp.LOAD, 1, 0), instruction(FlowOp.JUMP, 0, 0), toys.END]
    steps = []
    program = toys.program([([], toys.PULSE_TICKS)], rows, n_captures=0)
    with pytest.raises(InstrumentFault, match="more than 5000"):
        sequencer_of(program, FakePhysics(), 5000, steps).run(begin(1, 1))
    assert len(steps) == 4


def test_loop_without_end_meets_the_iteration_limit():
    with pytest.raises(InstrumentFault, match="more than 1000 flow instructions") as caught:
        sequencer_of(toys.endless(), FakePhysics()).run(begin(1, 1))
    assert caught.value.fault_code == "QC-ITERATION-LIMIT"


def test_bindings_change_the_samples():
    class Loudest(FakePhysics):
        def play(self, branches, lines, start_ticks, captures=(), *, plays=None, final=False):
            self.played.append(np.abs(lines[0]).max())
            return list(branches)

    physics = Loudest()
    sequencer = sequencer_of(toys.rabi(), physics)
    for words in toys.rabi_patch([0.0, 0.25, 0.5]).words:
        sequencer.bind(words)
        sequencer.run(begin(1, 1))
    assert np.allclose(physics.played, [0.0, 0.25, 0.5], atol=0.003)


class Listener(FakePhysics):
    """Keeps what reaches the drive line of each block."""

    def play(self, branches, lines, start_ticks, captures=(), *, plays=None, final=False):
        self.played.append(np.flatnonzero(np.abs(lines[toys.DRIVE]) > 1e-6))
        return list(branches)


def test_what_lines_remember_reaches_the_next_block():
    truth = load_truth(Path(__file__).parents[3] / "configs/truth/pair2.yaml").model_dump(by_alias=True)
    late = Truth.model_validate({**truth, "wires": {"q0.drive": {"fir": [0.0] * 20 + [1.0]}}})
    events = [toys.play(0, toys.DRIVE, 0, toys.PULSE_TICKS, toys.X_GAIN)]
    program = toys.program([(events, 30), ([], 30)], [toys.PLAY, instruction(FlowOp.PLAY_BLOCK, operand=1), toys.END])
    physics = Listener()
    sequencer = Sequencer(
        program, toys.setup(), physics, 100, lambda: None, Renderer(program, toys.setup(), Wires(late, toys.setup()))
    )
    for _ in range(2):  # the second shot begins settled
        sequencer.run(begin(1, 1))
    for first, second in (physics.played[:2], physics.played[2:]):
        assert first.tolist() == list(range(20, 30))
        assert second.tolist() == list(range(toys.PULSE_TICKS - 10))
