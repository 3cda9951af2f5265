"""A bound on every port's output that needs no samples: overlapping plays add their peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.errors import ResourceError
from qctrl.units import GAIN_ONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.compiler.rack import Rack

SLACK: Final = 1e-9
"""Rounding that a bound may be beyond its limit."""


def check_peaks(
    plays: NDArray[np.void], peak_words: NDArray[np.float64], frame_port: NDArray[np.int64], rack: Rack
) -> None:
    """Refuse a program whose plays could drive a port beyond its limit, crosstalk left aside.

    Args:
        plays: dtype ``qctrl.ir.PLAY``, in the setup's ticks.
        peak_words: Largest magnitude of each play, in gain words.
        frame_port: Port of each frame.
        rack: Ports with what they make of a peak.

    Raises:
        ResourceError: A bound is beyond ``max_amplitude``.
    """
    for number, (level, play) in highest(plays, peak_words / GAIN_ONE, frame_port[plays["frame"]]).items():
        have, need = float(rack.limits[number, 4]), output(rack.limits[number], level)
        if need > have + SLACK:
            row, port = plays[play], rack.setup.ports[number]
            filters = " after predistortion" if port.iir or port.fir else ""
            raise ResourceError(
                f"port {port.name}: plays at tick {int(row['start_ticks'])} of block {int(row['block'])} may reach "
                f"{need:.4f} of full scale{filters}, the limit is {have:.4f}; lower their amplitudes or let them not "
                "overlap",
                instruction=int(row["source"]),
            )


def highest(
    plays: NDArray[np.void], heights: NDArray[np.float64], ports: NDArray[np.int64], *, touching: bool = False
) -> dict[int, tuple[float, int]]:
    """Return the largest sum of the heights of plays that overlap, and the play that completes it, of each port.

    Args:
        plays: dtype ``qctrl.ir.PLAY``.
        heights: Of each play.
        ports: Port of each play.
        touching: Whether a play that begins where another ends counts as overlapping it.
    """
    port, block = np.tile(ports, 2), np.tile(plays["block"], 2)
    tick = np.concatenate([plays["start_ticks"], plays["start_ticks"] + plays["length_ticks"]])
    change = np.concatenate([heights, -heights])
    is_end = np.repeat([not touching, touching], len(plays))
    order = np.lexsort((is_end, tick, block, port))
    levels = np.cumsum(change[order])
    found: dict[int, tuple[float, int]] = {}
    for number in np.unique(ports).tolist():
        mine = np.flatnonzero(port[order] == number)
        worst = int(mine[np.argmax(levels[mine])])
        found[number] = float(levels[worst]), int(order[worst]) % len(plays)
    return found


def output(limits: NDArray[np.float64], peak: float) -> float:
    """Return the largest |I|, |Q| or level for plays up to ``peak``; ``limits`` is a row of ``Rack.limits``."""
    factor_i, offset_i, factor_q, offset_q, _ = limits.tolist()
    return max(factor_i * peak + offset_i, factor_q * peak + offset_q)
