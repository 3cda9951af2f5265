"""Bounds that few racks need: on ports that crosstalk correction joins, and on how fast an output changes.

Both are sums over plays, as the bound on peaks is, then over the ports whose plays the crosstalk matrix brings here.
The largest sums of different ports are added although they may come at different times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.compiler.open_peaks import PeakBound
from qctrl.compiler.peaks import SLACK, highest, output
from qctrl.errors import ResourceError
from qctrl.units import TUNING_TURN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.compiler.envelope_table import EnvelopeTable
    from qctrl.compiler.rack import Rack, Wired
    from qctrl.ir.pulse_program import PulseProgram


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Largest sums of heights over plays that overlap; per port a row."""

    fixed: NDArray[np.float64]
    """Of plays with fixed amplitudes, shape ``(n_ports,)``."""
    share: NDArray[np.float64]
    """Of plays at amplitude 1, by open value, shape ``(n_ports, n_values)``."""
    play: NDArray[np.int64]
    """The play with a fixed amplitude that completes the sum, -1 for none."""


def port_bounds(pulses: PulseProgram, rack: Rack, wired: Wired, table: EnvelopeTable) -> tuple[PeakBound, ...]:
    """Check what amplitudes are known, and return what binding must check of the others.

    Args:
        pulses: A pulse program; its plays alone are within the limits of their ports.
        rack: A rack with crosstalk, or with limited slew.
        wired: The program's frames on it.
        table: The program's envelopes.

    Raises:
        ResourceError: A port may be driven beyond a limit.
    """
    if len(pulses.plays) == 0:
        return ()
    stored = table.number[pulses.plays["envelope"], wired.frame_rate[pulses.plays["frame"]]]
    peaks = _sums(pulses, wired, len(rack.limits), table.peaks[stored], touching=False)
    found: list[PeakBound] = []
    for ports, weights, _ in rack.groups:
        mixed = _mix(peaks, ports, weights)
        found += [_checked(pulses, rack, port, (mixed, row), _PEAKS) for row, port in enumerate(ports.tolist())]
    if rack.max_steps is not None:
        turns = _turns(pulses, rack, wired)[pulses.plays["frame"]]
        heights = _steps(table)[stored] + turns * table.peaks[stored]
        steps = _sums(pulses, wired, len(rack.limits), heights, touching=True)
        for ports, weights, beats in rack.all_groups:
            mixed = _mix(steps, ports, weights, _mix(peaks, ports, weights * beats))
            for row, port in enumerate(ports.tolist()):
                if np.isfinite(rack.max_steps[port]):
                    found.append(_checked(pulses, rack, port, (mixed, row), _STEPS))
    return tuple(bound for bound in found if bound.share.any())


def _steps(table: EnvelopeTable) -> NDArray[np.float64]:
    """Return the largest step of each envelope, from silence and back to it; a held sample makes none."""
    found = np.zeros(len(table.envelopes))
    for number, envelope in enumerate(table.envelopes):
        offset, length = int(envelope["offset"]), int(envelope["length"])
        words = table.samples[offset : offset + length].astype(np.float64) / np.iinfo(np.int16).max
        padded = np.pad(words, ((1, 1), (0, 0)))
        found[number] = np.hypot(*np.diff(padded, axis=0).T).max()
    return found


def _turns(pulses: PulseProgram, rack: Rack, wired: Wired) -> NDArray[np.float64]:
    """Return how far a unit amplitude on each frame's carrier moves from sample to sample."""
    turn = wired.frames["ftw"] * (rack.sample_ticks[wired.frame_port] / TUNING_TURN)
    found = 2 * np.abs(np.sin(np.pi * turn))
    found[pulses.tunes["frame"]] = 2.0  # it may become any frequency
    return found


def _sums(pulses: PulseProgram, wired: Wired, n_ports: int, heights: NDArray[np.float64], *, touching: bool) -> _Sums:
    plays, n_values = pulses.plays, len(pulses.values)
    ports = wired.frame_port[plays["frame"]]
    values = pulses.play_values if len(pulses.play_values) else np.full(len(plays), -1)
    sums = _Sums(np.zeros(n_ports), np.zeros((n_ports, n_values)), np.full(n_ports, -1))
    known = highest(plays, heights * np.abs(plays["amplitude"]), ports, touching=touching)
    for port, (level, play) in known.items():
        sums.fixed[port], sums.play[port] = level, play
    for value in range(n_values):
        mine = np.flatnonzero(values == value)
        for port, (level, _) in highest(plays[mine], heights[mine], ports[mine], touching=touching).items():
            sums.share[port, value] = level
    return sums


def _mix(sums: _Sums, ports: NDArray[np.intp], weights: NDArray[np.float64], beside: _Sums | None = None) -> _Sums:
    """Return the sums after the crosstalk correction, one row per port of its group; ``beside`` is added."""
    parts = weights * sums.fixed[ports]
    play = sums.play[ports][np.argmax(parts, axis=1)]
    mixed = _Sums(parts.sum(axis=1), weights @ sums.share[ports], play)
    if beside is None:
        return mixed
    return _Sums(mixed.fixed + beside.fixed, mixed.share + beside.share, play)


def _checked(pulses: PulseProgram, rack: Rack, port: int, at: tuple[_Sums, int], told: tuple[str, str]) -> PeakBound:
    """Refuse what fixed amplitudes make of a port; return what open ones must not make of it."""
    (sums, row), name = at, rack.setup.ports[port].name
    limits = rack.unmixed[port].copy()
    if told is _STEPS and rack.max_steps is not None:
        limits[[1, 3, 4]] = 0.0, 0.0, rack.max_steps[port]
    fixed, play = float(sums.fixed[row]), int(sums.play[row])
    need, have = output(limits, fixed), float(limits[4])
    if fixed > 0 and need > have + SLACK:
        played = pulses.ports[int(pulses.frames["port"][pulses.plays["frame"][play]])]
        source = "" if played == name else f", the most of it from {played}"
        raise ResourceError(
            f"port {name}: {told[0].format(need)}{source}, the limit is {have:.4g}; {told[1]}",
            instruction=int(pulses.plays["source"][play]),
        )
    i, i0, q, q0, most = limits.tolist()
    return PeakBound(name, sums.fixed[row : row + 1], sums.share[row : row + 1], (i, i0, q, q0, most), told[0])


_PEAKS: Final = (
    "plays may reach {:.4f} of full scale after crosstalk correction",
    "lower their amplitudes, or let them not overlap",
)
_STEPS: Final = (
    "plays may change the output by {:.4g} of full scale from one sample to the next",
    "lower their amplitudes, or lengthen their edges",
)
