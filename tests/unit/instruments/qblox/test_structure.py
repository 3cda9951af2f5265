"""The tree of a flow against the interpreter of one shot, and where branches meet against a slow search."""

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from qctrl.errors import ResourceError, UnsupportedInstructionError
from qctrl.instruments.qblox import structure as module
from qctrl.instruments.qblox.postdominators import joins, successors
from qctrl.instruments.qblox.structure import If, Loop, Play, Wait, captures_of, structure
from qctrl.instruments.qblox.symbols import Value, combine, constant, measured, select
from qctrl.protocol import FlowOp, flow
from tests.reference import flow as reference
from tests.unit.instruments.qblox import toys

N_BITS, N_REGISTERS = 4, 3
SETUP = toys.setup()
CAPTURES = [(toys.ACQUIRE, -1, 0, k, k, 0) for k in range(N_BITS)]
BLOCKS = [([toys.capture(0, k)], 400) for k in range(N_BITS)]

bit, register = st.integers(0, N_BITS - 1), st.integers(0, N_REGISTERS - 1)
width = st.sampled_from((1, 2, 7, 32, 64))
plain = st.one_of(
    st.builds(lambda k: flow.instruction(FlowOp.PLAY_BLOCK, k), bit),
    st.builds(
        lambda r, v: flow.instruction(FlowOp.LOAD, v % 2**32, r, 0, v >> 32), register, st.integers(0, 2**64 - 1)
    ),
    st.builds(lambda r, k: flow.instruction(FlowOp.READ_BITS, k, r, N_BITS - k), register, bit),
    st.builds(lambda r, k: flow.instruction(FlowOp.WRITE_BITS, k, r, N_BITS - k), register, bit),
    st.builds(
        lambda op, a, b, r, w: flow.instruction(op, a, r, w, b),
        st.sampled_from([op for op in FlowOp if op >= FlowOp.MOVE]),
        register,
        register,
        register,
        width,
    ),
)
tree = st.recursive(
    plain,
    lambda inner: st.tuples(
        st.sampled_from((FlowOp.BRANCH_BIT, FlowOp.BRANCH_IF)),
        st.integers(0, 2),
        st.integers(0, 1),
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)


def written(nodes, rows):
    for node in nodes:
        if not isinstance(node[-1], list):
            # A NOT and a MOVE name one register.
            rows.append((*node[:4], 0) if node[0] in (FlowOp.MOVE, FlowOp.NOT) else node)
            continue
        op, operand, flag, passed, taken = node
        at = len(rows)
        rows.append(None)
        written(passed, rows)
        jump = len(rows)
        rows.append(None)
        rows[at] = flow.instruction(op, operand, len(rows), flag)
        written(taken, rows)
        rows[jump] = flow.instruction(FlowOp.JUMP, 0, len(rows))


def executed(nodes, outcomes, seen=0):
    """Numbers of the acquisitions that one shot makes, in order, and how many there are on all ways."""
    found = []
    for node in nodes:
        if isinstance(node, Play):
            found.append(seen)
            seen += 1
        elif isinstance(node, If):
            holds = node.condition.renamed(lambda ago, seen=seen: seen - ago).at(outcomes)
            taken, seen = executed(node.taken, outcomes, seen)
            passed, seen = executed(node.passed, outcomes, seen)
            found += taken if holds else passed
        elif isinstance(node, Loop):
            for _ in range(node.count):
                inner, seen = executed(node.body, outcomes, seen)
                found += inner
    return found, seen


@settings(max_examples=150)
@given(nodes=st.lists(tree, min_size=1, max_size=6), chance=st.randoms(use_true_random=False))
def test_final_bits_are_those_of_the_interpreter(nodes, chance):
    rows = []
    written(nodes, rows)
    rows.append(flow.instruction(FlowOp.END))
    program = toys.program(SETUP, BLOCKS, rows, CAPTURES, n_clbits=N_BITS)
    try:
        found = structure(program)
    except UnsupportedInstructionError as error:
        assert "capability conditions" in str(error)  # noqa: PT017
        event("too many bits")
        return
    for _ in range(4):
        outcomes = {k: chance.randrange(2) for k in range(len(found.captures))}
        order = iter(executed(found.nodes, outcomes)[0])
        shot = reference.run(program, SETUP, lambda block, order=order, outcomes=outcomes: [outcomes[next(order)]])
        assert [value.at(outcomes) for value in found.final] == shot.bits


@given(
    st.lists(st.tuples(st.sampled_from(("go", "jump", "branch", "end")), st.integers(0, 9)), min_size=1, max_size=10)
)
def test_joins_are_the_nearest_places_on_every_way_to_the_end(steps):
    ops = {"go": FlowOp.LOAD, "jump": FlowOp.JUMP, "branch": FlowOp.BRANCH_IF, "end": FlowOp.END}
    rows = [flow.instruction(ops[name], 0, target % (len(steps) + 1)) for name, target in steps]
    rows.append(flow.instruction(FlowOp.END))
    found = joins(rows)
    for at in range(len(rows)):
        always = [node for node in range(len(rows)) if node != at and reaches(rows, at) and not reaches(rows, at, node)]
        if reaches(rows, at):
            # The nearest is the one that all others come after.
            after = {node: [o for o in always if o != node and not reaches(rows, node, o)] for node in always}
            assert found[at] == max(always, key=lambda node: len(after[node]), default=len(rows))
        else:
            assert at not in found


def reaches(rows, at, without=None):
    """Whether the end can be reached without passing a place."""
    seen, waiting = set(), [at]
    while waiting:
        node = waiting.pop()
        if node in seen or node == without:
            continue
        seen.add(node)
        ways = successors(rows, node)
        if not ways:
            return True
        waiting += ways
    return False


def test_equal_rounds_become_a_loop_and_others_stay_apart():
    one = flow.instruction
    counted = [
        one(FlowOp.LOAD, 5, 0),
        one(FlowOp.LOAD, 1, 1),
        one(FlowOp.PLAY_BLOCK, 0),
        one(FlowOp.READ_BITS, 0, 2, 1),
        one(FlowOp.SUB, 0, 0, 64, 1),
        one(FlowOp.BRANCH_IF, 0, 2, 1),
        one(FlowOp.END),
    ]
    found = structure(toys.program(SETUP, BLOCKS, counted, CAPTURES, n_clbits=N_BITS))
    assert found.nodes == (Loop(4, (Play(0), Wait((1,)))), Play(0), Wait((1,)))
    assert found.captures == (0,) * 5
    looks_back = [*counted[:2], one(FlowOp.READ_BITS, 0, 2, 1), one(FlowOp.PLAY_BLOCK, 0), *counted[4:]]
    nodes = structure(toys.program(SETUP, BLOCKS, looks_back, CAPTURES, n_clbits=N_BITS)).nodes
    assert all(node.count == 1 for node in nodes if isinstance(node, Loop))


def test_a_shot_of_too_many_steps_is_refused(monkeypatch):
    monkeypatch.setattr(module, "MAX_STEPS", 100)
    rows = [flow.instruction(FlowOp.JUMP, 0, 0), flow.instruction(FlowOp.END)]
    with pytest.raises(ResourceError, match="more than 100 steps of the flow"):
        structure(toys.program(SETUP, BLOCKS, rows, CAPTURES, n_clbits=N_BITS))


def test_captures_come_in_the_order_of_the_interpreter():
    events = [toys.capture(500, 0), toys.capture(0, 1, frame=toys.ACQUIRE_2), toys.capture(0, 2)]
    program = toys.program(SETUP, [(events, 900)], captures=CAPTURES, n_clbits=N_BITS)
    targets = [int(program.block_events(0)["target"][k]) for k in captures_of(program, 0)]
    assert targets == [int(event["target"]) for event in reference.captures_of(program, 0)]


def test_values_forget_bits_that_do_not_matter():
    a, b = measured(3), measured(1)
    both = combine(lambda x, y: x & y, a, b)
    assert both == Value((1, 3), (0, 0, 0, 1))
    assert combine(lambda x, y: x ^ y, both, both) == constant(0)
    assert select(a, constant(7), constant(7)) == constant(7)
    assert select(a, b, constant(0)) == both
    with pytest.raises(UnsupportedInstructionError, match="depends on 11 measured bits"):
        combine(lambda *values: sum(values), *(measured(k) for k in range(11)))
