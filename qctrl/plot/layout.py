"""Where everything stands on the page, in inches from its lower left corner."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qctrl.plot.timeline import Timeline, reference_ticks, timeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qctrl.plot.schedule import Block, Lane, LaneKind, Schedule

MARGIN: Final = 0.25
LABELS: Final = 1.75
"""Width of the column of port names, its scale included."""
_TITLE: Final = 0.72
HEADING_LINE: Final = 0.13
_AXIS: Final = 0.58
_LANE_GAP: Final = 0.16
_ROW_HEIGHTS: Final[Mapping[LaneKind, float]] = {"iq": 0.64, "readout": 0.5, "level": 0.48, "acquire": 0.36}
_ROW_LOW: Final = 0.32
_BLOCK_GAP: Final = 0.22
_BLOCK_LEAST: Final = 1.05
_BODY_LEAST: Final = 8.0
_BODY_MOST: Final = 26.0
_SHORT_PLAY: Final = 0.5
_SHORT_PLAY_MOST: Final = 0.9
_CAPTION_CHARACTER: Final = 0.062
"""Width of a character of a heading."""


@dataclass(frozen=True, slots=True)
class Row:
    """A strip of a lane: one frame, or none in a lane without events."""

    lane: Lane
    frame: int | None
    bottom_in: float
    height_in: float
    is_first: bool
    """Whether it is the uppermost of its lane."""
    is_low: bool
    """Whether it is one of several tones of a line, and has room for one label only."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A block's part of the page."""

    block: Block
    timeline: Timeline
    left_in: float
    width_in: float
    heading: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole page."""

    width_in: float
    height_in: float
    rows: tuple[Row, ...]
    panels: tuple[Panel, ...]
    inches_per_tick: float
    """Scale wherever nothing is cut."""

    @property
    def bottom_in(self) -> float:
        """Lower edge of the lowest lane."""
        return MARGIN + _AXIS

    @property
    def top_in(self) -> float:
        """Upper edge of the highest lane."""
        return self.rows[0].bottom_in + self.rows[0].height_in


def lay_out(schedule: Schedule) -> Layout:
    """Return the page on which a schedule is legible: short plays wide enough for their labels, as far as it can be."""
    reference = reference_ticks(schedule.blocks)
    gaps = _BLOCK_GAP * (len(schedule.blocks) - 1)
    lengths = [timeline(block, reference, 1.0).width_in for block in schedule.blocks]
    scale = min(max(_SHORT_PLAY / reference, (_BODY_LEAST - gaps) / sum(lengths)), _SHORT_PLAY_MOST / reference)
    scale = min(scale, max(_BODY_MOST - gaps, _BODY_MOST / 2) / sum(lengths))
    panels = _panels(schedule.blocks, reference, scale)
    right = panels[-1].left_in + panels[-1].width_in
    n_lines = max(len(panel.heading) for panel in panels)
    rows = _rows(schedule.lanes, MARGIN + _AXIS)
    top = rows[0].bottom_in + rows[0].height_in
    return Layout(
        width_in=max(right, MARGIN + LABELS + 6.0) + MARGIN,
        height_in=top + n_lines * HEADING_LINE + _TITLE + MARGIN,
        rows=rows,
        panels=panels,
        inches_per_tick=scale,
    )


def _panels(blocks: Sequence[Block], reference: float, scale: float) -> tuple[Panel, ...]:
    panels: list[Panel] = []
    left = MARGIN + LABELS
    for block in blocks:
        line = timeline(block, reference, scale)
        width = line.width_in if len(blocks) == 1 else max(line.width_in, _BLOCK_LEAST)
        heading = _heading(block, int(width / _CAPTION_CHARACTER)) if len(blocks) > 1 else ()
        panels.append(Panel(block, line, left, width, heading))
        left += width + _BLOCK_GAP
    return tuple(panels)


def _heading(block: Block, n_characters: int) -> tuple[str, ...]:
    lines = [f"b{block.block}"]
    for condition in block.conditions:
        lines += textwrap.wrap(condition, max(n_characters, 12))
    return tuple(lines)


def _rows(lanes: Sequence[Lane], bottom_in: float) -> tuple[Row, ...]:
    """Return the rows from the top of the page to ``bottom_in``."""
    rows: list[Row] = []
    y = bottom_in
    for lane in reversed(lanes):
        is_low = len(lane.frames) > 1 and lane.kind in {"readout", "acquire"}
        height = _ROW_LOW if is_low else _ROW_HEIGHTS[lane.kind]
        frames = lane.frames or (None,)
        for k in reversed(range(len(frames))):
            rows.append(Row(lane, frames[k], y, height, k == 0, is_low))
            y += height
        y += _LANE_GAP
    return tuple(reversed(rows))
