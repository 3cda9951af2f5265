"""Conditions in words."""

import numpy as np
import pytest

from qctrl.plot.conditions import conditions
from qctrl.protocol import FLOW, FlowOp
from qctrl.protocol.flow import instruction

BITS = ("c[0]", "c[1]", "scratch 0")
PLAY, END, JUMP = FlowOp.PLAY_BLOCK, FlowOp.END, FlowOp.JUMP


def lines(*instructions):
    return conditions(np.array([instruction(*row) for row in instructions], FLOW), BITS)


def test_straight_line_has_no_conditions():
    assert lines((PLAY, 0), (PLAY, 1), (END,)) == {0: (), 1: ()}


def test_both_arms_of_a_branch_have_theirs_and_what_follows_has_none():
    told = lines((PLAY, 0), (FlowOp.BRANCH_BIT, 2, 4, 1), (PLAY, 1), (JUMP, 0, 5), (PLAY, 2), (PLAY, 3), (END,))
    assert told == {0: (), 2: ("if scratch 0 = 0",), 4: ("if scratch 0 = 1",), 5: ()}


def test_block_that_may_be_skipped_and_the_next_say_where_the_flow_comes_from():
    told = lines((PLAY, 0), (FlowOp.BRANCH_BIT, 0, 3, 0), (PLAY, 1), (PLAY, 2), (END,))
    assert told[2] == ("if c[0] = 1",)
    assert set(told[3]) == {"after b0 if c[0] = 0", "after b1"}


def test_loop_says_on_what_it_goes_again():
    assert lines((PLAY, 7), (FlowOp.BRANCH_BIT, 1, 0, 1), (END,)) == {0: ("again after b7 if c[1] = 1",)}


def test_blocks_with_the_same_condition_are_told_together():
    arms = (PLAY, 0), (FlowOp.BRANCH_BIT, 2, 4, 1), (PLAY, 1), (JUMP, 0, 5), (PLAY, 2)
    told = lines(*arms, (FlowOp.BRANCH_BIT, 0, 8, 0), (PLAY, 3), (JUMP, 0, 5), (PLAY, 4), (END,))
    assert told[6] == ("after b1, b2 if c[0] = 1", "again after b3 if c[0] = 1")
    assert told[8] == ("after b1, b2, b3 if c[0] = 0",)


def test_branches_in_a_row_are_joined():
    told = lines((FlowOp.BRANCH_BIT, 0, 4, 0), (FlowOp.BRANCH_BIT, 1, 4, 0), (PLAY, 0), (END,), (END,))
    assert told == {2: ("if c[0] = 1 and c[1] = 1",)}


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ((FlowOp.EQUAL, 0, 2, 1, 1), "(c[0] == 5)"),
        ((FlowOp.ADD, 0, 2, 8, 1), "(c[0] + 5)"),
        ((FlowOp.NOT, 0, 2, 1), "(not c[0])"),
        ((FlowOp.MOVE, 1, 2, 8), "5"),
        ((FlowOp.LESS, 3, 2, 1, 1), "(r3 < 5)"),
        ((FlowOp.READ_BITS, 0, 2, 2), "(c[0] … c[1])"),
    ],
)
def test_registers_are_spelled_out_as_far_as_they_are_known(row, text):
    told = lines(
        (FlowOp.READ_BITS, 0, 0, 1),
        (FlowOp.LOAD, 5, 1),
        row,
        (FlowOp.WRITE_BITS, 1, 2, 1),
        (FlowOp.BRANCH_IF, 2, 6, 1),
        (PLAY, 0),
        (PLAY, 1),
        (END,),
    )
    assert told[5] == (f"if not {text}",)
    assert told[6] == (f"at the start if {text}", "after b0")


def test_loop_that_plays_nothing_ends_the_search():
    assert lines((JUMP, 0, 0), (PLAY, 0), (END,)) == {1: ()}


def test_many_branches_are_told_in_less_detail():
    rows = [(FlowOp.BRANCH_BIT, 0, k + 1, 1) for k in range(30)]
    told = lines(*rows, (PLAY, 0), (END,))
    assert len(told[30]) <= 32
