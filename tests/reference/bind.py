"""Words of open slots, the slow way: walk each row back to its beginning."""

from __future__ import annotations

import math


def words(angles_rad: list[float], expression: list[int], previous: list[int]) -> list[int]:
    """Return one word per row.

    Args:
        angles_rad: Value of each expression for one binding.
        expression: Expression of each row; row 0 has none.
        previous: Row that each row continues, 0 for none.
    """
    out = [0]
    for row in range(1, len(expression)):
        total, at = 0, row
        while at:
            total += round(angles_rad[expression[at]] / (2 * math.pi) * 2**32)
            at = previous[at]
        out.append(total % 2**32)
    return out
