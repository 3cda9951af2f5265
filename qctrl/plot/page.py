"""A picture as a file: SVG with tooltips, or one HTML page that needs nothing else."""

from __future__ import annotations

import html
import io
import re
from typing import TYPE_CHECKING, Final

from qctrl.plot.wording import HEADER, row_cells

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qctrl.plot.figure import Picture
    from qctrl.plot.schedule import Schedule

_GROUP: Final = re.compile(r'<g id="(event-\d+)">')
_STYLE: Final = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1f2933; background: #fff; margin: 1.5rem; }
.picture { overflow: auto; border: 1px solid #d9dee3; border-radius: 6px; max-height: 85vh; }
.picture svg { display: block; height: auto; }
.picture g[id^="event-"] path { pointer-events: all; }
.picture g[id^="event-"]:hover path { stroke: #1f2933 !important; stroke-width: 1.2; }
button { font: inherit; padding: .15rem .7rem; margin: 0 .3rem .5rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-top: .5rem; }
th, td { text-align: left; padding: .15rem .8rem .15rem 0; border-bottom: 1px solid #e4e7eb; white-space: nowrap; }
summary { cursor: pointer; margin-top: 1rem; }
"""
_SCRIPT: Final = """
const picture = document.querySelector(".picture"), svg = picture.querySelector("svg");
const natural = svg.viewBox.baseVal.width * 4 / 3;
let zoom = 1;
function show(next) {
  const middle = (picture.scrollLeft + picture.clientWidth / 2) / svg.clientWidth;
  zoom = Math.min(8, Math.max(0.1, next));
  svg.style.width = natural * zoom + "px";
  picture.scrollLeft = middle * svg.clientWidth - picture.clientWidth / 2;
}
function fit() { show((picture.clientWidth - 4) / natural); }
const steps = { in: () => show(zoom * 1.4), out: () => show(zoom / 1.4), fit: fit };
for (const button of document.querySelectorAll("button")) button.onclick = steps[button.value];
fit();
"""


def svg_text(picture: Picture) -> str:
    """Return the picture as SVG; its text is text, and each event says what it is when pointed at."""
    from matplotlib import rc_context

    out = io.BytesIO()
    # The same picture gives the same bytes: no date, no random ids.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "qctrl"}):
        picture.figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    svg = out.getvalue().decode("utf-8")
    # Where the font is missing, browsers would take one with serifs.
    svg = svg[svg.index("<svg") :].replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")

    def with_title(found: re.Match[str]) -> str:
        return f"{found[0]}<title>{html.escape(picture.tooltips[found[1]])}</title>"

    return _GROUP.sub(with_title, svg)


def html_text(schedule: Schedule, picture: Picture) -> str:
    """Return a page with the picture, its title and a table of all events; it loads nothing from anywhere."""
    title, subtitle = html.escape(schedule.title), html.escape(schedule.subtitle)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{title}</h1>
<p>{subtitle}. Point at a play, a capture or a mark to read its numbers.</p>
<div><button value="fit">fit</button><button value="in">zoom in</button><button value="out">zoom out</button></div>
<div class="picture">
{svg_text(picture)}</div>
<details><summary>Table of events: {schedule.n_events}</summary>
<table>
<thead><tr>{_cells("th", HEADER)}</tr></thead>
<tbody>
{chr(10).join(_rows(schedule))}
</tbody>
</table>
</details>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _rows(schedule: Schedule) -> Iterator[str]:
    lanes = {frame: lane for lane in schedule.lanes for frame in lane.frames}
    for block in schedule.blocks:
        events = [*block.plays, *block.captures, *block.marks]
        for event in sorted(events, key=lambda event: (event.start_ticks, lanes[event.frame].port, event.frame)):
            yield f"<tr>{_cells('td', row_cells(schedule, block, lanes[event.frame], event))}</tr>"


def _cells(tag: str, cells: tuple[str, ...]) -> str:
    return "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
