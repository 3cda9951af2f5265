"""Sites as columns, so that the scheduler handles instructions in bulk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.compiler import _kernels
from qctrl.compiler.sites import SiteCapture, SiteFrame, SitePlay, build_site
from qctrl.ir.pulse_program import DISCRIMINATOR, FRAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.calibration import Calibration
    from qctrl.compiler.sites import SiteAction
    from qctrl.ir.gate_program import GateSite
    from qctrl.signal.envelopes import Envelope

ACTION: Final = np.dtype(
    [
        ("kind", "u1"),  # of _kernels; captures count as plays, on frames without phase
        ("is_capture", "?"),
        ("frame", "<i4"),
        ("group", "<i4"),
        ("shape", "<i4"),  # envelope of a play, discriminator of a capture
        ("offset_ticks", "<i8"),
        ("length_ticks", "<i8"),
        ("word", "<i8"),
        ("amplitude", "<f8"),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class SiteTables:
    """What the sites of one program play, in order of first use."""

    duration_ticks: NDArray[np.int64]
    alignment_ticks: NDArray[np.int64]
    resource_bounds: NDArray[np.int64]
    resources: NDArray[np.int64]
    """Qubits, then ``n_qubits + frame``."""
    action_bounds: NDArray[np.int64]
    actions: NDArray[np.void]
    """dtype ``ACTION``."""
    ports: tuple[str, ...]
    frames: NDArray[np.void]
    """dtype ``qctrl.ir.FRAME``."""
    envelopes: tuple[Envelope, ...]
    discriminators: NDArray[np.void]
    """dtype ``qctrl.ir.DISCRIMINATOR``."""


def site_tables(gates: tuple[GateSite, ...], calibration: Calibration) -> SiteTables:
    """Return the tables of the sites that a program uses."""
    index = _Index()
    sites = [build_site(calibration, gate) for gate in gates]
    actions = [[index.action(action) for action in site.actions] for site in sites]
    n_qubits = len(calibration.qubit_names)
    resources = [
        [*gate.qubits, *(n_qubits + index.frame(frame) for frame in site.frames)]
        for gate, site in zip(gates, sites, strict=True)
    ]
    return SiteTables(
        duration_ticks=np.array([site.duration_ticks for site in sites], dtype=np.int64),
        alignment_ticks=np.array([site.alignment_ticks for site in sites], dtype=np.int64),
        resource_bounds=_bounds(resources),
        resources=np.array([item for row in resources for item in row], dtype=np.int64),
        action_bounds=_bounds(actions),
        actions=np.array([item for row in actions for item in row], dtype=ACTION),
        ports=tuple(index.ports),
        frames=index.frame_column(),
        envelopes=tuple(index.envelopes),
        discriminators=index.discriminator_column(),
    )


def gather(bounds: NDArray[np.int64], chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the members of chosen lists.

    Args:
        bounds: List i is ``bounds[i] : bounds[i + 1]``.
        chosen: Lists, possibly repeated.

    Returns:
        Indices of all members, in order, and for each its position in ``chosen``.
    """
    counts = bounds[chosen + 1] - bounds[chosen]
    owner = np.repeat(np.arange(len(chosen), dtype=np.int64), counts)
    first = np.cumsum(counts) - counts
    return np.arange(len(owner), dtype=np.int64) + (bounds[chosen] - first)[owner], owner


def _bounds(rows: list[list[int]] | list[list[tuple[float, ...]]]) -> NDArray[np.int64]:
    return np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64)


class _Index:
    """Distinct ports, frames, envelopes and discriminators, numbered in order of first use."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self.frames: dict[SiteFrame, int] = {}
        self.envelopes: dict[Envelope, int] = {}
        self.discriminators: dict[tuple[tuple[float, ...], ...], int] = {}

    def frame(self, frame: SiteFrame) -> int:
        self.ports.setdefault(frame.port, len(self.ports))
        return self.frames.setdefault(frame, len(self.frames))

    def action(self, action: SiteAction) -> tuple[float, ...]:
        """Return one row of dtype ``ACTION``."""
        match action:
            case SitePlay(frame=frame, envelope=envelope):
                shape = self.envelopes.setdefault(envelope, len(self.envelopes))
                return (
                    _kernels.PLAY,
                    False,
                    self.frame(frame),
                    frame.group,
                    shape,
                    action.offset_ticks,
                    action.length_ticks,
                    action.phase,
                    action.amplitude,
                )
            case SiteCapture(frame=frame, coefficients=coefficients):
                shape = self.discriminators.setdefault(coefficients, len(self.discriminators))
                times = (action.offset_ticks, action.length_ticks)
                return (_kernels.PLAY, True, self.frame(frame), -1, shape, *times, 0, 0.0)
            case _:
                return (_kernels.SHIFT, False, -1, action.group, -1, 0, 0, action.phase, 0.0)

    def frame_column(self) -> NDArray[np.void]:
        rows = [(self.ports[frame.port], frame.group, frame.frequency_hz) for frame in self.frames]
        return np.array(rows, dtype=FRAME)

    def discriminator_column(self) -> NDArray[np.void]:
        column = np.zeros(len(self.discriminators), dtype=DISCRIMINATOR)
        for row, coefficients in zip(column, self.discriminators, strict=True):
            row["n_classes"] = len(coefficients)
            row["coef"][: len(coefficients)] = coefficients
        return column
