"""Labels of the time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.plot.timeline import nice_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qctrl.plot.layout import Panel
    from qctrl.plot.schedule import Schedule

_APART_IN: Final = 0.62
"""Distance that is aimed at."""
_LEAST_APART_IN: Final = 0.42
_MICROSECONDS_FROM_NS: Final = 100_000.0


def time_labels(schedule: Schedule, panel: Panel, inches_per_tick: float) -> Iterator[tuple[float, str, str]]:
    """Yield place, in inches from the panel's left edge, alignment and text of each label of its time axis."""
    tick_ns = float(schedule.tick_s) * 1e9
    block = panel.block
    start = block.start_ticks or 0
    first_ns, last_ns = (start + block.first_ticks) * tick_ns, (start + block.last_ticks) * tick_ns
    unit, size_ns = ("µs", 1e3) if last_ns > _MICROSECONDS_FROM_NS else ("ns", 1.0)
    yield 0.0, "left", f"{first_ns / size_ns:g} {unit}"
    width = panel.timeline.width_in
    taken = [0.1]
    if width > _LEAST_APART_IN:
        yield width, "right", f"{last_ns / size_ns:.9g}"
        taken.append(width - 0.1)
    for value_ns in _inner(panel, (first_ns, last_ns), nice_step(_APART_IN / inches_per_tick * tick_ns), tick_ns):
        place = float(panel.timeline.place(value_ns / tick_ns - start))
        if all(abs(place - other) >= _LEAST_APART_IN for other in taken):
            taken.append(place)
            yield place, "center", f"{value_ns / size_ns:.9g}"


def _inner(panel: Panel, ends_ns: tuple[float, float], step_ns: float, tick_ns: float) -> list[float]:
    """Return the multiples of a step that lie in the block and in none of its cuts."""
    start, parts, begin = panel.block.start_ticks or 0, list[tuple[float, float]](), ends_ns[0]
    for first, last in panel.timeline.cuts:
        parts.append((begin, (start + first) * tick_ns))
        begin = (start + last) * tick_ns
    parts.append((begin, ends_ns[1]))
    return [
        k * step_ns
        for low, high in parts
        for k in range(int(np.ceil(low / step_ns - 1e-9)), int(np.floor(high / step_ns + 1e-9)) + 1)
    ]
