"""What is drawn on: one matplotlib Axes in inches, its colours, type and scales."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qctrl.plot import wording
from qctrl.plot.timeline import nice_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from qctrl.plot.layout import Layout, Panel, Row
    from qctrl.plot.schedule import LaneKind, Schedule
    from qctrl.plot.wording import Event

# Okabe and Ito, jfly.uni-koeln.de/color: told apart with every kind of colour blindness.
IN_PHASE: Final = "#0072b2"
QUADRATURE: Final = "#d55e00"
LEVEL: Final = "#009e73"
WINDOW: Final = "#cc79a7"
CONDITION: Final = "#8a3b00"
INK: Final = "#1f2933"
SOFT: Final = "#5a6672"
RULE: Final = "#d9dee3"
BASELINE: Final = "#9aa5b1"
GROUND: Final = "#f7f8fa"

SMALL: Final = 6.6
"""Size of the labels of events, in points."""
_FONT: Final = "DejaVu Sans"
"""The font that matplotlib brings along, so that the picture is the same everywhere."""
_CHARACTER: Final = 0.62
"""Width of a character over the size of its font, on the wide side."""
_POINTS_PER_INCH: Final = 72
_LABEL_SPACE: Final = 0.13
"""Height above and below an envelope for its gain and phase."""


def text_width_in(text: str, size: float = SMALL) -> float:
    """Return about the width of a text, in inches."""
    return len(text) * size * _CHARACTER / _POINTS_PER_INCH


@dataclass(frozen=True, slots=True)
class Canvas:
    """The page of one schedule."""

    axes: Axes
    schedule: Schedule
    layout: Layout
    full_scales: dict[LaneKind, tuple[float, float]]
    """Lowest and highest value by kind of lane."""
    tooltips: dict[str, str] = field(default_factory=dict[str, str])
    """Text by id of the event's group in the SVG."""

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write text as it is: a dollar sign in a name does not begin a formula."""
        style = {"size": SMALL, "color": INK, "va": "center", "family": _FONT, "parse_math": False} | style
        self.axes.text(x, y, text, **style)

    def box(self, across: tuple[float, float], up: tuple[float, float], **style: Any) -> None:
        """Fill a rectangle, given by its edges."""
        (left, right), (low, high) = across, up
        self.fill([left, right, right, left], [low, low, high, high], **style)

    def fill(self, x: ArrayLike, y: ArrayLike, **style: Any) -> None:
        """Fill a polygon; without the bookkeeping of ``Axes.fill``, which takes most of the time."""
        from matplotlib.patches import Polygon

        self.axes.add_artist(Polygon(np.column_stack([x, y]), closed=True, **style))

    def line(self, x: ArrayLike, y: ArrayLike, **style: Any) -> None:
        """Draw a line, as quickly."""
        from matplotlib.lines import Line2D

        self.axes.add_artist(Line2D(np.asarray(x), np.asarray(y), **style))

    def name(self, event: Event, panel: Panel, row: Row) -> str:
        """Return a new id for an event, and keep its tooltip."""
        name = f"event-{len(self.tooltips)}"
        self.tooltips[name] = wording.tooltip(self.schedule, panel.block, row.lane, event)
        return name

    def height(self, row: Row, value: Any) -> Any:
        """Return where a value, or an array of them, stands in a row."""
        low, high = self.full_scales.get(row.lane.kind, (0.0, 1.0))
        below = _LABEL_SPACE if row.lane.kind == "iq" else 0.03
        above = 0.06 if row.is_low else _LABEL_SPACE
        return row.bottom_in + below + (np.asarray(value) - low) / (high - low) * (row.height_in - below - above)


def full_scales(schedule: Schedule) -> dict[LaneKind, tuple[float, float]]:
    """Return one scale per kind of lane, so that amplitudes on lanes of a kind can be compared."""
    kinds: dict[int, LaneKind] = {frame: lane.kind for lane in schedule.lanes for frame in lane.frames}
    scales: dict[LaneKind, tuple[float, float]] = {}
    for block in schedule.blocks:
        for play in block.plays:
            low, high = scales.get(kinds[play.frame], (0.0, 0.0))
            values = play.samples.view(np.float64)
            scales[kinds[play.frame]] = min(low, float(values.min())), max(high, float(values.max()))
    return {kind: _rounded(low, high) for kind, (low, high) in scales.items()}


def _rounded(low: float, high: float) -> tuple[float, float]:
    step = nice_step(max(high, -low, 1e-6) / 5)
    return float(np.floor(low / step + 1e-6)) * step, float(np.ceil(high / step - 1e-6)) * step
