"""How long a port plays: along every way through the flow, overlaps once, repetition delay included."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qctrl.errors import ResourceError
from qctrl.protocol import BLOCK, EVENT, FLOW, FRAME, FlowOp
from qctrl.protocol.flow import instruction
from qctrl.signal.duty import check_duty, find_overuse
from tests.unit.firmware_sim import toys

FRAMES = np.array([(0, 0, 0), (0, 0, 10), (1, 0, 0)], FRAME)


def setup(max_duty):
    made = toys.setup()
    drive, *others = made.ports
    return replace(made, ports=(msgspec.structs.replace(drive, max_duty=max_duty), *others))


def program(blocks, flow):
    """Return a program of plays (start, length, frame) in blocks of 100 ticks."""
    events = [toys.play(start, frame, 0, length) for block in blocks for start, length, frame in block]
    firsts = np.cumsum([0, *map(len, blocks)])
    rows = [(first, len(block), 100) for first, block in zip(firsts, blocks, strict=False)]
    return msgspec.structs.replace(
        toys.excited(),
        frames=FRAMES,
        events=np.array(events, EVENT),
        blocks=np.array(rows, BLOCK),
        flow=np.array(flow, FLOW),
    )


def straight(*blocks):
    flow = [instruction(FlowOp.PLAY_BLOCK, k) for k in range(len(blocks))]
    return program(blocks, [*flow, instruction(FlowOp.END)])


def test_overlapping_plays_count_once_and_other_ports_not_at_all():
    made = straight([(0, 40, 0), (20, 40, 1), (50, 5, 0), (60, 40, 2)])
    assert find_overuse(made, setup(0.6), 0) is None
    with pytest.raises(
        ResourceError,
        match=r"port q0\.drive: it plays for 0\.6 of a shot and its repetition delay of 0 s, the limit is 0\.5; set "
        r"rep_delay to 2e-08 s or more, or let",
    ):
        check_duty(made, setup(0.5), 0)


def test_the_repetition_delay_counts_as_silence():
    made = straight([(0, 60, 0)], [(0, 40, 0)])
    check_duty(made, setup(0.25), 200)
    with pytest.raises(ResourceError, match=r"plays for 0\.2512\d* of .* of 1\.98e-07 s.* set rep_delay to 2e-07 s"):
        check_duty(made, setup(0.25), 198)
    found = find_overuse(made, setup(0.25), 0)
    assert (found.port, found.block, found.start_ticks) == (0, 0, 0)


def test_without_a_limit_nothing_is_looked_at():
    assert find_overuse(straight([(0, 100, 0)]), toys.setup(), 0) is None


def test_the_worst_branch_counts():
    flow = [
        instruction(FlowOp.PLAY_BLOCK, 0),
        instruction(FlowOp.BRANCH_BIT, 0, target=4),
        instruction(FlowOp.PLAY_BLOCK, 1),
        instruction(FlowOp.JUMP, target=5),
        instruction(FlowOp.PLAY_BLOCK, 0),
        instruction(FlowOp.END),
    ]
    made = program([[(0, 10, 0)], [(0, 90, 0)]], flow)
    assert find_overuse(made, setup(0.5), 0) is None
    assert "plays for 0.5 of" in find_overuse(made, setup(0.49), 0).text


def test_no_repetition_delay_makes_up_for_a_loop():
    flow = [
        instruction(FlowOp.PLAY_BLOCK, 0),
        instruction(FlowOp.PLAY_BLOCK, 1),
        instruction(FlowOp.BRANCH_BIT, 0, target=1),
        instruction(FlowOp.END),
    ]
    made = program([[(0, 90, 0)], [(10, 50, 0)]], flow)
    assert find_overuse(made, setup(0.5), None) is None
    assert find_overuse(made, setup(0.5), 79) is not None
    assert find_overuse(made, setup(0.5), 80) is None
    for delay in (None, 10**6):
        assert "port q0.drive: a loop keeps it on for more than 0.49" in find_overuse(made, setup(0.49), delay).text


BLOCK_ON = st.lists(st.integers(0, 100), min_size=1, max_size=4)


@given(BLOCK_ON, st.data())
def test_forward_flows_agree_with_all_their_paths(on, data):
    n = len(on)
    flow = []
    for block in range(n):
        flow.append(instruction(FlowOp.PLAY_BLOCK, block))
        flow.append(instruction(FlowOp.BRANCH_BIT, 0, target=data.draw(st.integers(2 * block + 1, 2 * n))))
        flow[-1] = (*flow[-1][:3], max(flow[-1][3], 2 * block + 2), 0)
    flow.append(instruction(FlowOp.END))
    made = program([[(0, length, 0)] if length else [] for length in on], flow)

    def paths(at, total):
        if flow[at][0] == FlowOp.END:
            return [total]
        if flow[at][0] == FlowOp.PLAY_BLOCK:
            return paths(at + 1, (total[0] + on[flow[at][2]], total[1] + 100))
        return paths(at + 1, total) + paths(flow[at][3], total)

    delay = data.draw(st.integers(0, 300))
    too_much = any(4 * played > total + delay for played, total in paths(0, (0, 0)))
    assert (find_overuse(made, setup(0.25), delay) is not None) == too_much
