"""Numbers of a schedule as words: short ones for labels, whole ones for tooltips and tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

from qctrl.plot.schedule import Capture, Mark, Play
from qctrl.units import phase_from_word, tuning_word_to_hz

if TYPE_CHECKING:
    from fractions import Fraction

    from qctrl.plot.schedule import Block, Lane, Schedule

Event: TypeAlias = Play | Capture | Mark
_MINUS: Final = "\N{MINUS SIGN}"
HEADER: Final = ("block", "port", "frame", "start", "length", "event", "gain", "phase", "remarks")


def frequency(schedule: Schedule, lane: Lane, frame: int) -> str:
    """Return a frame's frequency at the port, or relative to the local oscillator if that is not known."""
    base = schedule.frames_hz[frame]
    text = f"{base / 1e6:+.2f} MHz" if lane.lo_hz is None else f"{(lane.lo_hz + base) / 1e9:.4f} GHz"
    return f"{text}, retuned" if frame in schedule.retuned else text


def carrier(schedule: Schedule, lane: Lane, frame: int) -> str:
    """Return a frame and its frequency."""
    return f"f{frame}  {frequency(schedule, lane, frame)}"


def degrees(word: int) -> str:
    """Return a phase word as degrees from -180 to 180, to a tenth."""
    value = math.degrees(phase_from_word(word))
    text = f"{-value if value == -180 else value:.1f}".removesuffix(".0")
    return ("0" if text == "-0" else text.replace("-", _MINUS)) + "°"


def number(value: float, digits: int) -> str:
    """Return a number to some significant digits, with a real minus sign."""
    return f"{value:.{digits}g}".replace("-", _MINUS)


def time(ticks: float, tick_s: Fraction) -> str:
    """Return a time with its unit."""
    value_ns = float(tick_s) * ticks * 1e9
    return f"{value_ns:g} ns" if abs(value_ns) < 1e4 else f"{value_ns / 1e3:g} µs"


def gain_label(play: Play) -> str:
    """Return the gain of a play in a few characters."""
    return f"row {play.gain_row}" if play.gain is None else number(play.gain, 3)


def phase_label(phase_word: int, row: int) -> str:
    """Return a phase in a few characters, empty if it is zero."""
    fixed = degrees(phase_word) if phase_word else ""
    return " + ".join(part for part in (fixed, f"row {row}" if row else "") if part)


def mark_label(schedule: Schedule, lane: Lane, mark: Mark) -> str:
    """Return what a mark does in a few characters."""
    if mark.kind == "phase":
        return "↻ " + (phase_label(mark.word, mark.row) or "0°")
    if mark.row:
        return f"→ row {mark.row}"
    hz = tuning_word_to_hz(mark.word, schedule.tick_s)
    return f"→ {hz / 1e6:+.2f} MHz" if lane.lo_hz is None else f"→ {(lane.lo_hz + hz) / 1e9:.4f} GHz"


def row_cells(schedule: Schedule, block: Block, lane: Lane, event: Event) -> tuple[str, ...]:
    """Return one line of the table of events, a cell per word of ``HEADER``."""
    place = (f"b{block.block}", lane.name, f"f{event.frame}", time(_absolute(block, event), schedule.tick_s))
    if isinstance(event, Mark):
        is_phase = event.kind == "phase"
        word = f"0x{event.word % 2 ** (32 if is_phase else 64):0{8 if is_phase else 16}x}"
        return (*place, "", f"{event.kind} change", "", "", f"{mark_label(schedule, lane, event)}, word {word}")
    length = time(event.length_ticks, schedule.tick_s)
    if isinstance(event, Capture):
        remark = f"writes {schedule.bit_names[event.clbit]}, {'weighted' if event.is_weighted else 'flat'} average"
        return (*place, length, "capture", "", "", remark)
    gain = f"from row {event.gain_row}" if event.gain is None else f"{event.gain:+.6f}"
    phase = "" if lane.kind == "level" else phase_label(event.phase_word, event.phase_row) or "0°"
    word = "" if lane.kind == "level" else f", phase word 0x{event.phase_word:08x}"
    return (*place, length, f"play e{event.envelope}", gain, phase, f"{frequency_of_play(schedule, lane, event)}{word}")


def frequency_of_play(schedule: Schedule, lane: Lane, play: Play) -> str:
    """Return the carrier of a play, or what it is instead."""
    return "level" if lane.kind == "level" else frequency(schedule, lane, play.frame)


def tooltip(schedule: Schedule, block: Block, lane: Lane, event: Event) -> str:
    """Return all about an event, a line per group of facts."""
    cells = dict(zip(HEADER, row_cells(schedule, block, lane, event), strict=True))
    lines = [
        f"{cells['event']} on {cells['port']}, frame {cells['frame']}",
        f"at {cells['start']}" + (f", for {cells['length']}" if cells["length"] else ""),
        ", ".join(f"{name} {cells[name]}" for name in ("gain", "phase") if cells[name]),
        cells["remarks"],
    ]
    return "\n".join(line for line in lines if line)


def _absolute(block: Block, event: Event) -> int:
    return event.start_ticks + (block.start_ticks or 0)
