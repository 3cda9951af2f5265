"""The bound on a port's output where open amplitudes overlap other plays: checked when they are bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.errors import ResourceError
from qctrl.units import GAIN_ONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.compiler.envelope_table import EnvelopeTable
    from qctrl.compiler.rack import Rack, Wired
    from qctrl.ir.pulse_program import PulseProgram

_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class PeakBound:
    """What one port may reach at the moments at which plays overlap, one of them with an open amplitude."""

    port: str
    fixed: NDArray[np.float64]
    """Sum of the peaks of plays with fixed amplitudes, shape ``(n_moments,)``."""
    share: NDArray[np.float64]
    """Sum of the envelopes' peaks by open value, shape ``(n_moments, n_values)``."""
    limits: tuple[float, float, float, float, float]
    """As in ``Rack.limits``."""
    told: str = "plays that overlap may reach {:.4f} of full scale"

    def check(self, words: NDArray[np.uint32]) -> None:
        """Refuse bindings that could drive the port beyond its limit.

        Args:
            words: Of the open values, shape ``(n_bindings, n_values)``.

        Raises:
            ResourceError: A bound is beyond the port's limit.
        """
        gains = np.abs(words.view(np.int32).astype(np.float64)) / GAIN_ONE
        peaks = (gains @ self.share.T + self.fixed).max(axis=1, initial=0.0)
        factor_i, offset_i, factor_q, offset_q, highest = self.limits
        need = np.maximum(factor_i * peaks + offset_i, factor_q * peaks + offset_q)
        worst = int(np.argmax(need)) if len(need) else -1
        if worst >= 0 and need[worst] > highest + _SLACK:
            raise ResourceError(
                f"binding {worst}: port {self.port}: {self.told.format(need[worst])}, the limit is {highest:.4g}; "
                "bind smaller amplitudes or let them not overlap"
            )


def peak_bounds(pulses: PulseProgram, rack: Rack, wired: Wired, table: EnvelopeTable) -> tuple[PeakBound, ...]:
    """Return the bounds that binding must check, in the order of ports; none where no open amplitude overlaps."""
    if len(pulses.play_values) == 0:
        return ()
    frames = pulses.plays["frame"]
    ports = wired.frame_port[frames]
    peaks = table.peaks[table.number[pulses.plays["envelope"], wired.frame_rate[frames]]]
    found: list[PeakBound] = []
    for port in sorted(set(ports[pulses.play_values >= 0].tolist())):
        plays = np.flatnonzero(ports == port)
        if len(plays) > 1 and (moments := _moments(pulses, plays, peaks)):
            fixed, share = (np.array(column) for column in zip(*moments, strict=True))
            i, i0, q, q0, highest = rack.limits[port].tolist()
            found.append(PeakBound(rack.setup.ports[port].name, fixed, share, (i, i0, q, q0, highest)))
    return tuple(found)


def _moments(
    pulses: PulseProgram, plays: NDArray[np.int64], peaks: NDArray[np.float64]
) -> list[tuple[float, tuple[float, ...]]]:
    """Return distinct sums of peaks at the starts of plays of one port that overlap, one of them open."""
    rows, found = pulses.plays, dict[tuple[float, tuple[float, ...]], None]()
    order = plays[np.lexsort((rows["start_ticks"][plays], rows["block"][plays]))]
    active: list[int] = []
    for play in order.tolist():
        block, start = rows["block"][play], rows["start_ticks"][play]
        active = [k for k in active if rows["block"][k] == block and _end(pulses, k) > start]
        active.append(play)
        if len(active) > 1 and any(pulses.play_values[k] >= 0 for k in active):
            found[_level(pulses, active, peaks)] = None
    return list(found)


def _end(pulses: PulseProgram, play: int) -> int:
    return int(pulses.plays["start_ticks"][play]) + int(pulses.plays["length_ticks"][play])


def _level(pulses: PulseProgram, active: list[int], peaks: NDArray[np.float64]) -> tuple[float, tuple[float, ...]]:
    fixed, share = 0.0, [0.0] * len(pulses.values)
    for play in active:
        value = int(pulses.play_values[play])
        if value < 0:
            fixed += abs(float(pulses.plays["amplitude"][play])) * float(peaks[play])
        else:
            share[value] += float(peaks[play])
    return fixed, tuple(share)
