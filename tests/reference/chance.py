"""Exact distributions of programs that measure: every outcome is tried once, with its probability."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CERTAIN = 1e-9


class Chooser:
    """Decides measurements: as told at first, then 0; certain outcomes are no decisions."""

    def __init__(self, told: tuple[int, ...]) -> None:
        self.told = told
        self.taken: tuple[int, ...] = ()
        self.probability = 1.0

    def __call__(self, probability_of_1: float) -> int:
        """Return the outcome of a measurement."""
        if probability_of_1 < CERTAIN or probability_of_1 > 1 - CERTAIN:
            return round(probability_of_1)
        number = len(self.taken)
        outcome = self.told[number] if number < len(self.told) else 0
        self.taken += (outcome,)
        self.probability *= probability_of_1 if outcome else 1 - probability_of_1
        return outcome


def distribution(simulate: Callable[[Chooser], Any], most: int = 512) -> dict[Any, float] | None:
    """Return the probability of every result of a simulation; None if more than ``most`` runs are needed."""
    found: dict[Any, float] = {}
    waiting: list[tuple[int, ...]] = [()]
    runs = 0
    while waiting:
        runs += 1
        if runs > most:
            return None
        told = waiting.pop()
        chooser = Chooser(told)
        result = simulate(chooser)
        found[result] = found.get(result, 0.0) + chooser.probability
        waiting += [(*chooser.taken[:k], 1) for k in range(len(told), len(chooser.taken))]
    return found
