"""Where the basis states of small operators lie among those of some qubits, and which operators go through together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics.propagators import occupations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firmware_sim.physics.tables import Integers
    from firmware_sim.physics.tables import Layouts as LayoutTable


_NARROW, _WIDE = 8, 64
"""Least columns of a sheet that takes all gates at once, and most columns of any."""
_CACHED_AMPLITUDES = 2**16
"""Amplitudes that stay in the cache."""
_GROUP_DIGITS = {2: 9, 3: 6}
"""Digits of a group of gates, by levels, where a sheet is too large for the cache."""


def sheet_columns(dim: int) -> int:
    """Return how many columns of ``dim`` amplitudes stand side by side."""
    return max(1, min(_WIDE, _CACHED_AMPLITUDES // dim))


class Layouts:
    """Where the basis states of small operators lie among those of some qubits."""

    def __init__(self, levels: int, n_qubits: int) -> None:
        self._levels = levels
        self._n_qubits = n_qubits
        self._index: dict[tuple[int, ...], int] = {}
        self._parts: list[tuple[Integers, Integers, int, Integers]] = []
        self._table: LayoutTable | None = None

    def place(self, positions: tuple[int, ...]) -> int:
        """Return the number of the layout of an operator on some digits, ascending."""
        found = self._index.get(positions)
        if found is None:
            found = self._index[positions] = len(self._parts)
            self._parts.append(self._make(positions))
            self._table = None
        return found

    def table(self) -> LayoutTable:
        """Return all layouts flat, as ``_tree_kernels.advance`` wants them."""
        if self._table is None:
            if not self._parts:
                self.place((0,))  # Where all that plays waits for its end there is no operator.
            offsets, bases, inner, totals = zip(*self._parts, strict=True)
            self._table = (
                *in_a_row(offsets),
                *in_a_row(bases),
                np.array(inner, dtype=np.int64),
                np.concatenate(totals),
            )
        return self._table

    def _make(self, positions: tuple[int, ...]) -> tuple[Integers, Integers, int, Integers]:
        strides = self._levels ** np.arange(self._n_qubits - 1, -1, -1, dtype=np.int64)
        digits = occupations(self._levels, len(positions))
        bases = np.zeros(1, dtype=np.int64)
        for position in range(positions[-1]):
            if position not in positions:
                bases = (bases[:, None] + strides[position] * np.arange(self._levels)).ravel()
        return strides[list(positions)] @ digits, bases, int(strides[positions[-1]]), digits.sum(axis=0)


class Places:
    """Layouts of operators on a state: among all of its digits, and among those of a group of gates."""

    def __init__(self, levels: int, n_qubits: int) -> None:
        self.n_qubits = n_qubits
        self.whole = Layouts(levels, n_qubits)
        fits = sheet_columns(levels**n_qubits) >= _NARROW
        self.digits = n_qubits if fits else _GROUP_DIGITS[levels]
        self.inner = self.whole if fits else Layouts(levels, self.digits)

    def groups(self, supports: Sequence[tuple[int, ...]]) -> list[tuple[int, list[int], list[int]]]:
        """Return the groups of the gates of a segment.

        Args:
            supports: Digits of each gate, ascending, in the order in which they act.

        Returns:
            The layout of each group's digits, -1 for all digits; the numbers of its gates; and their layouts in it.
        """
        found: list[tuple[int, list[int], list[int]]] = []
        for digits, members in group(supports, self.n_qubits, self.digits):
            place = {digit: position for position, digit in enumerate(digits)}
            inside = [self.inner.place(tuple(place[digit] for digit in supports[k])) for k in members]
            found.append((self.whole.place(digits) if self.inner is not self.whole else -1, members, inside))
        return found


def group(supports: Sequence[tuple[int, ...]], n_qubits: int, most: int) -> list[tuple[tuple[int, ...], list[int]]]:
    """Return operators in groups on at most ``most`` digits, in an order that exchanges none that share a digit.

    Args:
        supports: Digits of each operator, in the order in which they act.
        n_qubits: All digits.
        most: Digits of a group, at least as many as the widest operator has.

    Returns:
        The digits of each group, ascending, filled up to ``most``; and the numbers of its operators.
    """
    left = list(range(len(supports)))
    found: list[tuple[tuple[int, ...], list[int]]] = []
    while left:
        digits, barred = set[int](), set[int]()
        members: list[int] = []
        for number in left:
            mine = set(supports[number])
            if barred.isdisjoint(mine) and len(digits | mine) <= most:
                digits |= mine
                members.append(number)
            else:
                barred |= mine
        # The first digits fill up best: what follows the last digit without a gap stays as long as it can.
        spare = [digit for digit in range(n_qubits) if digit not in digits]
        found.append((tuple(sorted([*digits, *spare[: most - len(digits)]])), members))
        left = [number for number in left if number not in set(members)]
    return found


def starts(counts: Sequence[int] | Integers) -> Integers:
    """Return where each of parts in a row begins, and the end."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def in_a_row(parts: Sequence[Integers]) -> tuple[Integers, Integers]:
    """Return where each part begins, and the end; and all parts in a row."""
    joined = np.concatenate(parts) if len(parts) else np.empty(0, dtype=np.int64)
    return starts([len(part) for part in parts]), joined
