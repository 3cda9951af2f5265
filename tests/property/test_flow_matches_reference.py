"""Random classical programs: the sequencer, on many shots at once, against the interpreter of one shot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.sequencer import Sequencer
from qctrl.errors import InstrumentFault
from qctrl.protocol import FlowOp, flow
from tests.reference import flow as reference
from tests.unit.firmware_sim import toys
from tests.unit.firmware_sim.test_sequencer import FakePhysics, begin

N_SHOTS, N_BITS, N_REGISTERS, N_BLOCKS, LIMIT = 7, 5, 4, 3, 60
BLOCKS = [
    (toys.measure(0, 0), toys.WINDOW_TICKS),
    (toys.measure(0, 1), toys.WINDOW_TICKS + toys.LATENCY_TICKS),
    ([], toys.PULSE_TICKS),
]
BINARY = [op for op in FlowOp if op >= FlowOp.AND]

registers = st.integers(0, N_REGISTERS - 1)
widths = st.sampled_from([1, 2, 3, 8, 31, 32, 33, 63, 64])
words = st.one_of(st.integers(0, 3), st.integers(60, 70), st.integers(0, 2**64 - 1))


@st.composite
def instructions(draw, length):
    target = draw(st.integers(0, length))
    bit = draw(st.integers(0, N_BITS - 1))
    bits = {"operand": bit, "flags": draw(st.integers(1, N_BITS - bit)), "target": draw(registers)}
    word = draw(words)
    choices = [
        flow.instruction(FlowOp.PLAY_BLOCK, draw(st.integers(0, N_BLOCKS - 1))),
        flow.instruction(FlowOp.JUMP, target=target),
        flow.instruction(FlowOp.BRANCH_BIT, bit, target, draw(st.integers(0, 1))),
        flow.instruction(FlowOp.BRANCH_IF, draw(registers), target, draw(st.integers(0, 1))),
        flow.instruction(FlowOp.LOAD, word % 2**32, draw(registers), 0, word >> 32),
        flow.instruction(FlowOp.READ_BITS, **bits),
        flow.instruction(FlowOp.WRITE_BITS, **bits),
        flow.instruction(
            draw(st.sampled_from([FlowOp.MOVE, FlowOp.NOT])), draw(registers), draw(registers), draw(widths)
        ),
        flow.instruction(
            draw(st.sampled_from(BINARY)), draw(registers), draw(registers), draw(widths), draw(registers)
        ),
    ]
    return draw(st.sampled_from([*choices, *choices[4:], choices[0], choices[8], choices[8]]))


programs = st.integers(1, 24).flatmap(lambda n: st.lists(instructions(n), min_size=n, max_size=n))


class Scripted(FakePhysics):
    """A capture reads what the script has for the shot, by the number of captures that the shot saw before."""

    def __init__(self, script):
        super().__init__()
        self.script = script
        self.seen = np.zeros(len(script), dtype=int)

    def play(self, branches, lines, start_ticks, captures=(), *, plays=None, final=False):
        self.played.append((start_ticks, len(lines[0])))
        for capture in sorted(captures, key=lambda capture: capture.index):
            for branch in branches:
                rows = branch.shots.astype(int)
                branch.bits[:, capture.clbit] = self.script[rows, self.seen[rows]]
                self.seen[rows] += 1
        return list(branches)


def reader(program, script):
    """Return what plays blocks on qubits that read what the script says."""
    reads = iter(script.tolist())
    return lambda block: [next(reads) for _ in reference.captures_of(program, block)]


def script_of(seed):
    return np.random.default_rng(seed).integers(0, 2, (N_SHOTS, LIMIT * 2), dtype=np.uint8)


@given(rows=programs, seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=200)
def test_sequencer_computes_what_the_interpreter_does(rows, seed):
    program = toys.program(BLOCKS, [*rows, toys.END], n_clbits=N_BITS, n_captures=2)
    script = script_of(seed)
    expected = [
        reference.run(program, toys.setup(), reader(program, script[shot]), LIMIT + 1) for shot in range(N_SHOTS)
    ]
    physics = Scripted(script)
    sequencer = Sequencer(program, toys.setup(), physics, LIMIT, lambda: None)
    if any(shot.executed > LIMIT for shot in expected):
        with pytest.raises(InstrumentFault, match="more than 60 flow instructions"):
            sequencer.run(begin(N_SHOTS, N_BITS))
        return
    bits = np.zeros((N_SHOTS, N_BITS), np.uint8)
    for branch in sequencer.run(begin(N_SHOTS, N_BITS)):
        bits[branch.shots.astype(int)] = branch.bits
    assert bits.tolist() == [shot.bits for shot in expected]
    assert sequencer.longest_shot_ticks == max(shot.tick for shot in expected)
    blocks = {(tick, int(program.blocks["length_ticks"][block])) for shot in expected for block, tick in shot.blocks}
    assert blocks <= set(physics.played)


@given(op=st.sampled_from([FlowOp.MOVE, FlowOp.NOT, *BINARY]), a=words, b=words, width=st.integers(1, 64))
@settings(deadline=None, max_examples=300)
def test_every_operation_agrees_with_the_interpreter(op, a, b, width):
    second = 1 if op >= FlowOp.AND else 0
    rows = [
        flow.instruction(FlowOp.LOAD, a % 2**32, 0, 0, a >> 32),
        flow.instruction(FlowOp.LOAD, b % 2**32, 1, 0, b >> 32),
        flow.instruction(op, 0, 2, width, second),
        flow.instruction(FlowOp.WRITE_BITS, 0, 2, 64),
        toys.END,
    ]
    program = toys.program([([], toys.PULSE_TICKS)], rows, n_clbits=64, n_captures=0)
    expected = reference.run(program, toys.setup(), lambda block: []).bits
    (branch,) = Sequencer(program, toys.setup(), FakePhysics(), 100, lambda: None).run(begin(1, 64))
    assert branch.bits[0].tolist() == expected
