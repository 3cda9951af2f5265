"""When instructions occupy qubits: the scheduler, asked for the starts of instructions instead of plays."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qctrl.compiler import _kernels
from qctrl.ir.gate_program import Opcode
from qctrl.ir.pulse_program import CAPTURE, PLAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.compiler.blocks import Blocks
    from qctrl.compiler.tables import SiteTables


class Placed(NamedTuple):
    """What decides when everything of a program is played."""

    blocks: Blocks
    tables: SiteTables
    barrier_qubits: NDArray[np.int32]
    """What barriers refer to, read-only."""
    block_ticks: NDArray[np.int64]
    is_late: bool
    """Whether instructions start as late as possible."""
    owner: NDArray[np.int64]
    """Qubit that is busy while a resource of ``tables`` is, -1 for none, shape ``(n_qubits + n_frames,)``."""


class Uses(NamedTuple):
    """Instructions that occupy qubits, barriers among them: one entry for each qubit of each, in the order of rows."""

    block: NDArray[np.int64]
    row: NDArray[np.int64]
    qubit: NDArray[np.int64]
    opcode: NDArray[np.int64]
    start_ticks: NDArray[np.int64]
    end_ticks: NDArray[np.int64]

    def of(self, chosen: slice | NDArray[np.bool_]) -> Uses:
        """Return some of the entries."""
        return Uses(*(column[chosen] for column in self))


class _Probe(NamedTuple):
    """Every instruction as a site with one play at its start; a barrier is a site of no length."""

    rows: NDArray[np.void]
    sites: NDArray[np.int64]
    resources: NDArray[np.int64]
    played: NDArray[np.intp]
    """Rows that have a site: all but virtual Z and delays."""


def occupation(placed: Placed) -> Uses:
    """Return when each instruction of a program occupies which qubits."""
    probe = _probe(placed)
    starts = _starts(placed, probe)
    site = probe.rows["site"][probe.played]
    first, last = probe.sites[site, _kernels.FIRST_RESOURCE], probe.sites[site, _kernels.LAST_RESOURCE]
    counts = last - first
    begun = np.repeat(np.cumsum(counts) - counts, counts)
    which = np.repeat(np.arange(len(site)), counts)
    qubit = placed.owner[probe.resources[first[which] + np.arange(len(which)) - begun]]
    pairs = np.unique(np.stack([which, qubit])[:, qubit >= 0], axis=1)
    which, qubit = pairs[0], pairs[1]
    row, start = probe.played[which], starts[which]
    return Uses(
        block=np.searchsorted(placed.blocks.bounds, row, side="right") - 1,
        row=row,
        qubit=qubit,
        opcode=placed.blocks.instructions["opcode"][row].astype(np.int64),
        start_ticks=start,
        end_ticks=start + probe.sites[site[which], _kernels.DURATION],
    )


def _probe(placed: Placed) -> _Probe:
    tables, rows = placed.tables, placed.blocks.instructions.copy()
    barriers = np.flatnonzero(rows["opcode"] == Opcode.BARRIER)
    rows["site"][barriers] = len(tables.sites) + np.arange(len(barriers))
    sites = np.zeros((len(tables.sites) + len(barriers), tables.sites.shape[1]), dtype=np.int64)
    sites[: len(tables.sites)] = tables.sites
    joined = sites[len(tables.sites) :]
    joined[:, _kernels.ALIGNMENT] = np.maximum(rows["ticks"][barriers], 1)
    joined[:, _kernels.FIRST_RESOURCE] = len(tables.resources) + rows["first"][barriers]
    joined[:, _kernels.LAST_RESOURCE] = joined[:, _kernels.FIRST_RESOURCE] + rows["count"][barriers]
    sites[:, _kernels.N_PLAYS], sites[:, _kernels.N_CAPTURES] = 1, 0
    resources = np.concatenate([tables.resources, placed.barrier_qubits.astype(np.int64)])
    rows["opcode"][barriers] = Opcode.GATE
    for column in (rows, sites, resources):
        column.flags.writeable = False  # as the kernel was compiled for
    return _Probe(rows, sites, resources, np.flatnonzero((rows["site"] >= 0) & (rows["opcode"] != Opcode.RZ)))


def _starts(placed: Placed, probe: _Probe) -> NDArray[np.int64]:
    plays, captures = np.zeros(len(probe.played), dtype=PLAY), np.empty(0, dtype=CAPTURE)
    clock = np.empty(len(placed.owner), dtype=np.int64)
    bounds = placed.blocks.bounds
    at = np.searchsorted(probe.played, bounds)
    lengths = np.maximum(placed.block_ticks, 1)  # as grids, which 0 is not
    for block in range(len(bounds) - 1):
        _kernels.place_block(
            probe.rows,
            (bounds[block], bounds[block + 1], lengths[block]),
            placed.is_late,
            probe.sites,
            probe.resources,
            placed.barrier_qubits,
            clock,
            plays,
            captures,
            np.array([at[block + 1], 0, 0, at[block], 0], dtype=np.int64),
        )
    return plays["start_ticks"]
