"""The events of one row of one panel: plays, captures and marks, labelled where there is room."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from qctrl.plot import wording
from qctrl.plot.canvas import BASELINE, IN_PHASE, INK, LEVEL, QUADRATURE, SOFT, WINDOW, Canvas, text_width_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.plot.layout import Panel, Row
    from qctrl.plot.schedule import Capture, Mark, Play

_CAPTURE_SIZE = 7.4


def paint_row(canvas: Canvas, panel: Panel, row: Row) -> None:
    """Draw what happens on a row during a block."""
    if row.lane.kind != "acquire":
        y = float(canvas.height(row, 0.0))
        edges = [panel.left_in, panel.left_in + panel.timeline.width_in]
        canvas.line(edges, [y, y], color=BASELINE, lw=0.7, zorder=1)
    for play in panel.block.plays:
        if play.frame == row.frame:
            _paint_play(canvas, panel, row, play)
    for capture in panel.block.captures:
        if capture.frame == row.frame:
            _paint_capture(canvas, panel, row, capture)
    for mark in panel.block.marks:
        if mark.frame == row.frame:
            _paint_mark(canvas, panel, row, mark)


def _paint_play(canvas: Canvas, panel: Panel, row: Row, play: Play) -> None:
    # The DAC holds each sample until the next, and before and after the play there is nothing.
    x = np.repeat(panel.left_in + panel.timeline.place(play.edges_ticks), 2)
    values: NDArray[np.complex128] = np.concatenate([[0.0], np.repeat(play.samples, 2), [0.0]])
    is_level = row.lane.kind == "level"
    parts = [(values.real, LEVEL if is_level else IN_PHASE)]
    if not is_level and np.any(values.imag):
        parts.append((values.imag, QUADRATURE))
    for part, colour in parts:
        y = canvas.height(row, part)
        canvas.fill(x, y, fc=colour, ec="none", alpha=0.22, zorder=2)
        style = "--" if play.gain is None else "-"
        canvas.line(x, y, color=colour, lw=1.0, ls=style, zorder=2.2, solid_joinstyle="miter")
    across = float(x[0]), float(x[-1])
    # Invisible, over the whole height of the row: there is something to point at even if the play is faint.
    area = {"fc": (0.0, 0.0, 0.0, 0.0), "ec": "none", "zorder": 8}
    canvas.box(across, (row.bottom_in, row.bottom_in + row.height_in), gid=canvas.name(play, panel, row), **area)
    _label_play(canvas, row, play, across)


def _label_play(canvas: Canvas, row: Row, play: Play, across: tuple[float, float]) -> None:
    left, right = across
    gain = wording.gain_label(play)
    phase = "" if row.lane.kind == "level" else wording.phase_label(play.phase_word, play.phase_row)
    if row.is_low:
        text = f"{gain}  ∠{phase}" if phase else gain
        if text_width_in(text) <= right - left:
            canvas.text(left + 0.05, float(canvas.height(row, 0.0)) + 0.1, text, zorder=6)
        return
    top = float(canvas.height(row, max(0.0, float(play.samples.real.max()))))
    middle = (left + right) / 2
    if text_width_in(gain) <= right - left + 0.1:
        canvas.text(middle, top + 0.065, gain, ha="center", zorder=6)
    # A play without any label would look as if its phase were 0.
    fitting = [text for text in (f"∠{phase}", "∠…") if text_width_in(text) <= right - left + 0.1]
    if phase and fitting:
        canvas.text(middle, row.bottom_in + 0.05, fitting[0], ha="center", color=SOFT, zorder=6)


def _paint_capture(canvas: Canvas, panel: Panel, row: Row, capture: Capture) -> None:
    ends = (capture.start_ticks, capture.start_ticks + capture.length_ticks)
    left, right = (panel.left_in + panel.timeline.place(ends)).tolist()
    up = row.bottom_in + 0.04, row.bottom_in + row.height_in - 0.04
    canvas.box((left, right), up, fc="none", ec=WINDOW, lw=1, zorder=2.2)
    canvas.box((left, right), up, fc=WINDOW, ec="none", alpha=0.3, zorder=2, gid=canvas.name(capture, panel, row))
    text = f"→ {canvas.schedule.bit_names[capture.clbit]}"
    if text_width_in(text, _CAPTURE_SIZE) <= right - left:
        canvas.text(left + 0.06, sum(up) / 2, text, size=_CAPTURE_SIZE, zorder=6)


def _paint_mark(canvas: Canvas, panel: Panel, row: Row, mark: Mark) -> None:
    x = panel.left_in + float(panel.timeline.place(mark.start_ticks))
    low, high = row.bottom_in + 0.02, row.bottom_in + row.height_in - 0.02
    name = canvas.name(mark, panel, row)
    canvas.line([x, x], [low, high], color=INK, lw=1.2, ls=(0, (2, 1.2)), zorder=4, gid=name)
    text = wording.mark_label(canvas.schedule, row.lane, mark)
    if text_width_in(text) <= _next_mark(canvas, panel, row, mark) - x - 0.03:
        canvas.text(x + 0.03, high - 0.03, text, zorder=6)
    elif text_width_in(text) <= x - panel.left_in:
        canvas.text(x - 0.03, high - 0.03, text, zorder=6, ha="right")


def _next_mark(canvas: Canvas, panel: Panel, row: Row, mark: Mark) -> float:
    """Return where the next mark of the row, or the next panel, begins."""
    panels = canvas.layout.panels
    end = next((right.left_in for left, right in pairwise(panels) if left is panel), canvas.layout.width_in)
    later = [
        panel.left_in + float(panel.timeline.place(other.start_ticks))
        for other in panel.block.marks
        if other.frame == row.frame and other.start_ticks > mark.start_ticks
    ]
    return min([end, *later])
