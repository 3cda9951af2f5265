"""Delays that let what all ports play at one tick reach the chip at one time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qctrl.calibration.lines import PortLine
from qctrl.units import exact_fraction, to_ticks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from qctrl.config import Wiring, WiringPort

_PLAIN: Final = PortLine()


def equal_delays(wiring: Wiring, lines: Mapping[str, PortLine], tick_s: Fraction) -> dict[str, int]:
    """Return the delay of every port in ticks.

    The slowest output sets the time: its cable and the taps of its FIR filter that come before the largest. Every
    other output waits for it, and windows of acquire ports open as much later, and later by their own latency.

    Args:
        wiring: Ports, with delays that come on top.
        lines: What was measured of lines, by port.
        tick_s: Length of a tick.

    Raises:
        TimingError: A delay is off the tick.
    """
    lags = {name: _lag_s(wired, lines.get(name, _PLAIN)) for name, wired in wiring.ports.items()}
    slowest = max((lag for name, lag in lags.items() if wiring.port(name).kind != "acquire"), default=exact_fraction(0))
    delays: dict[str, int] = {}
    for name, wired in wiring.ports.items():
        extra = slowest + lags[name] if wired.kind == "acquire" else slowest - lags[name]
        own = to_ticks(wired.delay, tick_s, what=f"delay of port {name}")
        what = f"latency of port {name}, so that it waits for the slowest: a delay"
        delays[name] = own + to_ticks(float(extra), tick_s, what=what)
    return delays


def _lag_s(wired: WiringPort, line: PortLine) -> Fraction:
    """Return the time from the first sample that a play changes to the arrival of most of it."""
    fir = () if line.filters is None else line.filters.fir
    sizes = [abs(tap) for tap in fir]
    main_tap = sizes.index(max(sizes)) if sizes else 0
    return exact_fraction(line.latency) + main_tap / exact_fraction(wired.sample_rate)
