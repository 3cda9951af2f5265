"""A schedule as a matplotlib figure: title, lanes, blocks, time axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qctrl.errors import MissingExtraError
from qctrl.plot import wording
from qctrl.plot.axis import time_labels
from qctrl.plot.canvas import (
    CONDITION,
    GROUND,
    IN_PHASE,
    LEVEL,
    QUADRATURE,
    RULE,
    SOFT,
    WINDOW,
    Canvas,
    full_scales,
    text_width_in,
)
from qctrl.plot.events import paint_row
from qctrl.plot.layout import HEADING_LINE, LABELS, MARGIN, lay_out

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qctrl.plot.layout import Panel, Row
    from qctrl.plot.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, and what its parts are."""

    figure: Figure
    tooltips: dict[str, str]
    """Text by id of the event's group in the SVG."""


def paint(schedule: Schedule) -> Picture:
    """Return the figure of a schedule.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError('pictures need matplotlib; run pip install "qctrl-stack[plot]"') from error
    layout = lay_out(schedule)
    figure = Figure(figsize=(layout.width_in, layout.height_in), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, layout.width_in)
    axes.set_ylim(0, layout.height_in)
    axes.axis("off")
    canvas = Canvas(axes, schedule, layout, full_scales(schedule))
    _paint_title(canvas)
    for panel in layout.panels:
        _paint_panel(canvas, panel)
    for row in layout.rows:
        _paint_names(canvas, row)
        for panel in layout.panels:
            paint_row(canvas, panel, row)
    return Picture(figure, canvas.tooltips)


def _paint_title(canvas: Canvas) -> None:
    layout, schedule = canvas.layout, canvas.schedule
    y = layout.height_in - MARGIN - 0.08
    canvas.text(MARGIN, y, schedule.title, size=11, weight="bold")
    canvas.text(MARGIN, y - 0.22, schedule.subtitle, size=7.2, color=SOFT)
    kinds = {lane.kind for lane in schedule.lanes if lane.frames}
    legend = [("I", IN_PHASE), ("Q", QUADRATURE)] if kinds & {"iq", "readout"} else []
    legend += [("level", LEVEL)] if "level" in kinds else []
    legend += [("capture", WINDOW)] if "acquire" in kinds else []
    x = layout.width_in - MARGIN
    for name, colour in reversed(legend):
        x -= text_width_in(name, 7.2)
        canvas.text(x, y, name, size=7.2)
        x -= 0.18
        canvas.box((x, x + 0.13), (y - 0.05, y + 0.05), fc=colour, ec="none")
        x -= 0.16


def _paint_panel(canvas: Canvas, panel: Panel) -> None:
    layout, left = canvas.layout, panel.left_in
    bottom, top = layout.bottom_in - 0.08, layout.top_in + 0.06
    canvas.box((left, left + panel.timeline.width_in), (bottom, top), fc=GROUND, ec="none", zorder=0)
    for k, line in enumerate(reversed(panel.heading)):
        is_name = k == len(panel.heading) - 1
        y = top + 0.13 + HEADING_LINE * k
        canvas.text(left, y, line, **({"weight": "bold", "size": 8} if is_name else {"color": CONDITION, "size": 7}))
    for x, align, label in time_labels(canvas.schedule, panel, layout.inches_per_tick):
        canvas.line([left + x] * 2, [bottom, top], color=RULE, lw=0.6, zorder=0.5)
        canvas.text(left + x, bottom - 0.1, label, size=7, color=SOFT, ha=align)
    for cut in panel.timeline.cuts:
        _paint_cut(canvas, panel, cut, (bottom, top))
    if panel is layout.panels[0]:
        origin = "shot" if panel.block.start_ticks is not None else "block"
        canvas.text(left, bottom - 0.36, f"time since the start of the {origin}", size=7, color=SOFT)


def _paint_cut(canvas: Canvas, panel: Panel, cut: tuple[int, int], span: tuple[float, float]) -> None:
    """Draw two slanted strokes through all lanes where time is cut short, and say how much time."""
    begin, end = panel.timeline.place(cut).tolist()
    middle = panel.left_in + (begin + end) / 2
    canvas.line([middle - 0.02, middle + 0.02], span, color="white", lw=4, zorder=3)
    for x in (middle - 0.03, middle + 0.03):
        for y in span:
            canvas.line([x - 0.025, x + 0.025], [y - 0.06, y + 0.06], color=SOFT, lw=0.9, zorder=4)
    text = f"⋯ {wording.time(cut[1] - cut[0], canvas.schedule.tick_s)} ⋯"
    canvas.text(middle, span[0] - 0.23, text, color=SOFT, ha="center", style="italic")


def _paint_names(canvas: Canvas, row: Row) -> None:
    lane, top = row.lane, row.bottom_in + row.height_in
    carrier = "" if lane.kind == "level" or row.frame is None else wording.carrier(canvas.schedule, lane, row.frame)
    if row.is_first:
        y = top - (0.08 if row.is_low else row.height_in / 2 - (0.07 if carrier else 0.0))
        canvas.text(MARGIN, y, lane.name, size=8.6, weight="bold")
    if carrier:
        y = top - row.height_in / 2 - (0.08 if row.is_first else 0.0)
        canvas.text(MARGIN, y, carrier, size=6.8, color=SOFT)
    if row.is_first and lane.kind in canvas.full_scales:
        _paint_scale(canvas, row)


def _paint_scale(canvas: Canvas, row: Row) -> None:
    """Draw a short axis beside a row, with the values at its ends."""
    x = MARGIN + LABELS - 0.08
    low, high = canvas.full_scales[row.lane.kind]
    ends = canvas.height(row, (low, high)).tolist()
    canvas.line([x, x], ends, color=SOFT, lw=0.7)
    for value, y in ((low, ends[0]), (0.0, float(canvas.height(row, 0.0))), (high, ends[1])):
        canvas.line([x - 0.04, x], [y, y], color=SOFT, lw=0.7)
        # The small undershoot of a quadrature is not worth a number that would stand on the baseline's.
        if abs(value) > 0.3 * (high - low):
            canvas.text(x - 0.06, y, wording.number(value, 2), size=6.2, color=SOFT, ha="right")
