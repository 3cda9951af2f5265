"""What the firmware says of a whole job: the statistics of its runs in one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final

from qctrl.execution import WorkResult

_TIMES: Final = frozenset({"elapsed_s", "forecast_s"})


def summary(works: Sequence[WorkResult]) -> dict[str, Any]:
    """Return the statistics of a job by name: times of its runs added up, of other numbers the largest, the worst.

    Texts that differ stand side by side. What each run said is in ``Job.metrics()``.
    """
    told: list[dict[str, Any]] = [run for work in works for run in work.statistics.get("chunks", ())]
    # Works that were played together, one behind the other, tell the same.
    runs = [run for run, _ in itertools.groupby(told)]
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: _merged(name, [run[name] for run in runs if name in run]) for name in names}


def _merged(name: str, values: list[Any]) -> Any:
    if name in _TIMES:
        return sum(values)
    if all(value == values[0] for value in values):
        return values[0]
    if all(isinstance(value, int | float) for value in values):
        return max(values)
    return ", ".join(sorted({str(value) for value in values}))
