"""Where the two ways of a branch meet again: the immediate postdominators of a flow."""

from __future__ import annotations

from collections.abc import Sequence

from qctrl.protocol import FlowOp


def successors(rows: Sequence[tuple[int, ...]], at: int) -> tuple[int, ...]:
    """Return where the flow may go on after an instruction; rows are (op, flags, operand, target, second)."""
    op = rows[at][0]
    if op == FlowOp.END:
        return ()
    if op == FlowOp.JUMP:
        return (rows[at][3],)
    return (at + 1, rows[at][3]) if op in (FlowOp.BRANCH_BIT, FlowOp.BRANCH_IF) else (at + 1,)


def joins(rows: Sequence[tuple[int, ...]]) -> dict[int, int]:
    """Return the immediate postdominator of every instruction that can end; ``len(rows)`` stands for the exit.

    Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001), on the flow turned round.
    """
    end = len(rows)
    ways = [successors(rows, at) or (end,) for at in range(end)]
    order = _postorder(ways, end)
    rank = {node: k for k, node in enumerate(order)}
    nearest = {end: end}
    changed = True
    while changed:
        changed = False
        for node in reversed(order):
            if node == end:
                continue
            known = [way for way in ways[node] if way in nearest]
            meet = known[0]
            for way in known[1:]:
                meet = _meet(meet, way, nearest, rank)
            if nearest.get(node) != meet:
                nearest[node], changed = meet, True
    return nearest


def _meet(a: int, b: int, nearest: dict[int, int], rank: dict[int, int]) -> int:
    while a != b:
        while rank[a] < rank[b]:
            a = nearest[a]
        while rank[b] < rank[a]:
            b = nearest[b]
    return a


def _postorder(ways: Sequence[tuple[int, ...]], end: int) -> list[int]:
    """Return the instructions that can end, in postorder of the flow turned round."""
    before: dict[int, list[int]] = {}
    for node, targets in enumerate(ways):
        for target in targets:
            before.setdefault(target, []).append(node)
    order: list[int] = []
    seen = {end}
    stack = [(end, iter(before.get(end, ())))]
    while stack:
        node, sources = stack[-1]
        following = next((source for source in sources if source not in seen), None)
        if following is None:
            order.append(node)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, iter(before.get(following, ()))))
    return order
