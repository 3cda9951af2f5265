"""Small linear programs over lengths of 0 or more, solved by HiGHS, which is loaded when the first one comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qctrl.errors import TimingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

_SLACK: Final = 1e-6
"""Relative slack with which an optimum is kept, so that rounding errors leave a solution."""
_INFEASIBLE: Final = 2


@dataclass(frozen=True, slots=True)
class Sum:
    """A constant and multiples of columns."""

    constant: float = 0.0
    shares: dict[int, float] = field(default_factory=dict)
    """Factor by column; never changed in place."""

    def __add__(self, other: Sum) -> Sum:
        shares = dict(self.shares)
        for column, factor in other.shares.items():
            shares[column] = shares.get(column, 0.0) + factor
        return Sum(self.constant + other.constant, shares)

    @staticmethod
    def latest(sums: Iterable[Sum]) -> list[Sum]:
        """Return those that may be the largest: of sums that differ by a constant, the larger; ``[0]`` of none."""
        found: dict[tuple[tuple[int, float], ...], Sum] = {}
        for each in sums:
            key = tuple(sorted(each.shares.items()))
            if key not in found or found[key].constant < each.constant:
                found[key] = each
        return list(found.values()) or [Sum()]


class LinearProgram:
    """Inequalities between sums of columns; every column is 0 or more.

    Args:
        n_columns: Columns to begin with.
    """

    def __init__(self, n_columns: int) -> None:
        self._n_columns = n_columns
        self._rows: list[dict[int, float]] = []
        self._bounds: list[float] = []

    def column(self, *, at_least: Sum) -> int:
        """Return a new column that is at least a sum."""
        self._n_columns += 1
        made = self._n_columns - 1
        self.require(at_least, at_most=Sum(0.0, {made: 1.0}))
        return made

    def require(self, left: Sum, *, at_most: Sum) -> None:
        """Require that one sum is at most another."""
        row = (left + Sum(0.0, {column: -factor for column, factor in at_most.shares.items()})).shares
        self._rows.append({column: factor for column, factor in row.items() if factor})
        self._bounds.append(at_most.constant - left.constant)

    def minimise(self, columns: Sequence[int]) -> NDArray[np.float64] | None:
        """Return values at which the sum of some columns is least; ``None`` if no values fit."""
        found = self._solve(dict.fromkeys(columns, 1.0))
        return None if found is None else found.x

    def keep(self, columns: Sequence[int], values: NDArray[np.float64]) -> None:
        """Require from now on that the sum of some columns is no larger than here."""
        total = float(sum(values[column] for column in columns))
        self.require(Sum(0.0, dict.fromkeys(columns, 1.0)), at_most=Sum(total + _SLACK))

    def share(self, n_columns: int) -> list[float]:
        """Return the first columns, grown together: equally, until one can grow no more, then the others (max-min).

        What nothing limits does not grow beyond the largest bound of all.

        Raises:
            TimingError: No values fit.
        """
        most = 1.0 + sum(map(abs, self._bounds))
        level, free = self._n_columns, set(range(n_columns))
        values = [0.0] * n_columns
        rows, bounds = [*self._rows, {level: 1.0}], [*self._bounds, most]
        while free:
            order = sorted(free)
            below = [{level: 1.0, column: -1.0} for column in order]
            fixed = [{column: sign} for column in range(n_columns) if column not in free for sign in (1.0, -1.0)]
            at = [
                sign * values[column] + _SLACK for column in range(n_columns) if column not in free for sign in (1, -1)
            ]
            found = _highs({level: -1.0}, level + 1, [*below, *fixed, *rows], [*[0.0] * len(below), *at, *bounds])
            if found is None:
                raise TimingError("the lengths of the stretches cannot be chosen; bind delays instead")
            stuck = {column for column, price in zip(order, found.ineqlin.marginals, strict=False) if price < -_SLACK}
            for column in stuck or free:
                values[column] = float(found.x[level])
            free -= stuck or set(free)
        return values

    def _solve(self, objective: dict[int, float]) -> Any:
        return _highs(objective, self._n_columns, self._rows, self._bounds)


def _highs(objective: dict[int, float], n_columns: int, rows: list[dict[int, float]], bounds: list[float]) -> Any:
    """Return SciPy's result, ``None`` if no values fit."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    factors = [factor for row in rows for factor in row.values()]
    columns = [column for row in rows for column in row]
    starts = np.cumsum([0, *map(len, rows)])
    costs = np.zeros(n_columns)
    costs[list(objective)] = list(objective.values())
    found = linprog(costs, A_ub=csr_array((factors, columns, starts), shape=(len(rows), n_columns)), b_ub=bounds)
    if found.status == _INFEASIBLE:
        return None
    if found.status != 0:
        raise TimingError(f"the lengths of the stretches cannot be chosen: {found.message}; bind delays instead")
    return found
