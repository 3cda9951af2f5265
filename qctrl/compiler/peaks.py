"""A bound on every port's output that needs no samples: overlapping plays add their peaks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.errors import ResourceError
from qctrl.units import GAIN_ONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.protocol import Port, Setup

_SLACK: Final = 1e-9


def check_peaks(
    plays: NDArray[np.void], peak_words: NDArray[np.float64], frame_port: NDArray[np.int64], setup: Setup
) -> None:
    """Refuse a program whose plays could drive a port beyond its limit.

    Filters and crosstalk are not in the bound: the driver checks the exact samples again.

    Args:
        plays: dtype ``qctrl.ir.PLAY``, in the setup's ticks.
        peak_words: Largest magnitude of each play, in gain words.
        frame_port: Port of each frame.
        setup: Ports with limits, mixers and idle levels.

    Raises:
        ResourceError: A bound is beyond ``max_amplitude``.
    """
    port = np.tile(frame_port[plays["frame"]], 2)
    block = np.tile(plays["block"], 2)
    tick = np.concatenate([plays["start_ticks"], plays["start_ticks"] + plays["length_ticks"]])
    change = np.concatenate([peak_words, -peak_words]) / GAIN_ONE
    # Ends come before starts of the same tick, so that plays in a row do not add.
    order = np.lexsort((change > 0, tick, block, port))
    levels = np.cumsum(change[order])
    for number in np.unique(port).tolist():
        mine = np.flatnonzero(port[order] == number)
        worst = int(mine[np.argmax(levels[mine])])
        have, need = setup.ports[number].max_amplitude, _output(setup.ports[number], float(levels[worst]))
        if need > have + _SLACK:
            row = plays[order[worst] % len(plays)]
            raise ResourceError(
                f"port {setup.ports[number].name}: plays at tick {int(row['start_ticks'])} of block "
                f"{int(row['block'])} may reach {need:.4f} of full scale, the limit is {have:.4f}; "
                "lower their amplitudes or let them not overlap",
                instruction=int(row["source"]),
            )


def _output(port: Port, peak: float) -> float:
    """Return the largest |I|, |Q| or level after idle level and mixer correction, for baseband up to ``peak``."""
    if port.kind == "flux":
        return abs(port.idle) + peak
    ii, iq, qi, qq = port.mixer.matrix
    in_phase = math.hypot(ii, iq) * peak + abs(port.mixer.offset_i)
    return max(in_phase, math.hypot(qi, qq) * peak + abs(port.mixer.offset_q))
