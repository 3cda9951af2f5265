"""Random programs with flow: the Q1ASM of a cluster plays what the packed program says, and the vendor takes it."""

import random

import pytest
from hypothesis import Phase, assume, event, given, settings
from hypothesis import strategies as st

from qctrl.errors import ResourceError, TimingError, UnsupportedInstructionError
from qctrl.instruments.qblox import to_q1asm
from qctrl.protocol import FlowOp, flow
from tests.unit.instruments.qblox import assembler, toys
from tests.unit.instruments.qblox.comparison import compare

PULSED = (toys.DRIVE, toys.DRIVE, toys.CROSS, toys.FLUX, toys.READOUT)
WORD = st.integers(0, 2**32 - 1)
GAP = st.sampled_from((0, 0, 4, 8, 100, 70_000, 300_000))
MOST_BLOCKS = 120
OFF_GRID = st.sampled_from((0, 0, 0, 0, 0, 1, 6))

action = st.tuples(
    st.sampled_from(PULSED),
    st.sampled_from(("play", "play", "play", "shift")),
    GAP,
    OFF_GRID,
    st.integers(0, 2),
    st.integers(-toys.ONE, toys.ONE),
    WORD,
    st.booleans(),
)

MEASURED = [
    ([toys.capture(0, bit, frame=toys.ACQUIRE + bit), toys.play(0, 2, frame=toys.READOUT, length=400)], 400)
    for bit in (0, 1)
]
"""Blocks 0 and 1: measure one bit."""


@st.composite
def blocks(draw, tuned):
    """Events of one block and its length."""
    busy, events = dict.fromkeys(range(6), 0), []
    for frame, kind, gap, off, envelope, gain, phase, by_row in draw(st.lists(action, max_size=5)):
        start = busy[frame] + gap + off
        length = (24, 24, 400)[envelope]
        if kind == "shift":
            events.append(toys.shift(busy[frame], phase, frame))
            continue
        row = {"phase_row": 1, "gain_row": 2} if by_row else {}
        events.append(toys.play(start, envelope, gain, phase, frame, length, **row))
        busy[frame] = start + length + off
    if tuned and draw(st.booleans()):
        events.append(toys.tune(busy[toys.DRIVE], draw(st.integers(-(2**47) * 9 // 10, 2**47 * 9 // 10))))
    end = -(-max(busy.values()) // 4) * 4
    targets = draw(st.sampled_from(((), (), (), (0,), (0, 1))))
    events += [toys.capture(end, target, phase=draw(WORD), frame=toys.ACQUIRE + target) for target in targets]
    return events, end + (toys.WINDOW_TICKS if any(e[2] == 1 for e in events) else draw(st.sampled_from((0, 4, 24))))


tree = st.recursive(
    st.tuples(st.just("block"), st.sampled_from((2, 3, 2, 3, 0, 1))),
    lambda inner: st.one_of(
        st.tuples(
            st.just("if"),
            st.integers(0, 1),
            st.lists(inner, max_size=2),
            st.lists(inner, max_size=2),
            st.sampled_from((True, True, False)),
        ),
        st.tuples(st.just("for"), st.sampled_from((2, 3, 5, 24)), st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=6,
)


def n_played(nodes):
    """How many blocks a shot plays, both ways of conditions together."""
    return sum(
        1
        if node[0] == "block"
        else 1 + n_played([*node[2], *node[3]])
        if node[0] == "if"
        else node[1] * n_played(node[2])
        for node in nodes
    )


def steps_of(nodes, rows, depth=0):
    """Flow instructions of a tree, appended to ``rows``."""
    for node in nodes:
        if node[0] == "block":
            rows.append(flow.instruction(FlowOp.PLAY_BLOCK, node[1]))
        elif node[0] == "if":
            if node[4]:
                rows.append(flow.instruction(FlowOp.PLAY_BLOCK, node[1]))
            branch = len(rows)
            rows.append(None)
            steps_of(node[3], rows, depth)
            jump = len(rows)
            rows.append(None)
            rows[branch] = flow.instruction(FlowOp.BRANCH_BIT, node[1], len(rows), 1)
            steps_of(node[2], rows, depth)
            rows[jump] = flow.instruction(FlowOp.JUMP, 0, len(rows))
        else:
            counter, one = 2 * depth, 2 * depth + 1
            rows.append(flow.instruction(FlowOp.LOAD, node[1], counter))
            rows.append(flow.instruction(FlowOp.LOAD, 1, one))
            head = len(rows)
            steps_of(node[2], rows, depth + 1)
            rows.append(flow.instruction(FlowOp.SUB, counter, counter, 64, one))
            rows.append(flow.instruction(FlowOp.BRANCH_IF, counter, head, 1))


@st.composite
def cases(draw):
    delays = draw(st.sampled_from(((0, 0, 0, 0), (0, 12, 40, 160))))
    setup = toys.setup(delays)
    nodes = draw(st.lists(tree, min_size=1, max_size=4))
    assume(n_played(nodes) <= MOST_BLOCKS)
    straight = all(node[0] == "block" for node in nodes)
    rows = []
    steps_of(nodes, rows)
    rows.append(flow.instruction(FlowOp.END))
    program = toys.program(setup, [*MEASURED, draw(blocks(straight)), draw(blocks(straight))], rows)
    return setup, program, toys.words(draw(WORD), draw(st.integers(-toys.ONE, toys.ONE))), draw(st.integers(0, 99))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("q1asm")


@settings(max_examples=150, phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink))
@given(case=cases())
def test_sequencers_play_what_the_packed_program_says(case, folder):
    setup, program, words, seed = case
    try:
        cluster = to_q1asm(program, setup, toys.WIRING, words, n_shots=2, rep_delay_ticks=1000)
    except (ResourceError, TimingError, UnsupportedInstructionError) as error:
        if not str(error).startswith("Qblox "):
            raise
        event(f"refused: {str(error).split(',')[-1 if 'apart' in str(error) else 1].split(':')[0].strip()}")
        return
    event("loops" if any("loop1" in each.program for each in cluster.sequences) else "no loops")
    event("conditions" if any("set_cond" in each.program for each in cluster.sequences) else "no conditions")
    chance, outcomes = random.Random(seed), {}
    compare(cluster, program, words.tolist(), lambda *key: outcomes.setdefault(key, chance.randrange(2)))
    assembler.accept(cluster, folder)
