"""Place a gate program in time, as late as possible, and fold its virtual Z into phases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qctrl.compiler import _kernels
from qctrl.compiler.blocks import split_blocks
from qctrl.compiler.sites import block_grid_ticks
from qctrl.compiler.tables import gather, site_tables
from qctrl.ir.gate_program import Opcode
from qctrl.ir.pulse_program import CAPTURE, PLAY, ROW, SHIFT, PulseProgram
from qctrl.units import phase_words

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from qctrl.calibration import Calibration
    from qctrl.compiler.blocks import Blocks
    from qctrl.compiler.tables import SiteTables
    from qctrl.ir.gate_program import GateProgram


@dataclass(frozen=True, slots=True, eq=False)
class _Folded:
    """All actions of all instructions, in order, with the phases that they meet."""

    action: NDArray[np.int64]
    owner: NDArray[np.int64]
    phase: NDArray[np.uint32]
    row: NDArray[np.int64]
    rows: NDArray[np.void]
    shifts: NDArray[np.void]


def schedule(gates: GateProgram, calibration: Calibration) -> PulseProgram:
    """Return the timed pulses of a gate program.

    Every instruction starts as late as what follows it allows, so that qubits wait in their ground state and
    terminal measurements end together. Delays keep their exact length; a gate before one ends on its grid.

    Args:
        gates: A verified gate program.
        calibration: The calibration that it was lowered against.

    Raises:
        CompileError: A site of the calibration cannot be played.
    """
    blocks = split_blocks(gates, calibration)
    tables = site_tables(blocks.sites, calibration)
    grid_ticks = block_grid_ticks(calibration)
    start_ticks, block_ticks = _place(gates, blocks, tables, grid_ticks)
    folded = _fold(gates, blocks, tables)
    plays, captures = _timed(blocks, tables, folded, start_ticks)
    program = PulseProgram(
        plays=plays,
        captures=captures,
        shifts=folded.shifts,
        block_ticks=block_ticks,
        block_grid_ticks=grid_ticks,
        flow=blocks.flow,
        rows=folded.rows,
        ports=tables.ports,
        frames=tables.frames,
        envelopes=tables.envelopes,
        discriminators=tables.discriminators,
        expressions=gates.expressions,
        n_clbits=blocks.n_clbits,
        tick_s=calibration.dt_s,
        interface=gates.interface,
    )
    for column in (program.shifts, program.block_ticks, program.flow, program.rows):
        column.flags.writeable = False
    program.verify()
    return program


def _timed(
    blocks: Blocks, tables: SiteTables, folded: _Folded, start_ticks: NDArray[np.int64]
) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Return plays and captures, dtypes ``PLAY`` and ``CAPTURE``."""
    actions = tables.actions[folded.action]
    block_of = np.repeat(np.arange(len(blocks.bounds) - 1), np.diff(blocks.bounds))
    common = {
        "block": block_of[folded.owner],
        "frame": actions["frame"],
        "start_ticks": start_ticks[folded.owner] + actions["offset_ticks"],
        "length_ticks": actions["length_ticks"],
        "source": blocks.instructions["source"][folded.owner],
    }
    phases = {"phase": folded.phase, "phase_row": folded.row}
    played = {"amplitude": actions["amplitude"], "envelope": actions["shape"]}
    captured = {
        "discriminator": actions["shape"],
        "clbit": blocks.instructions["clbit"][folded.owner],
        "weights": np.full(len(actions), -1),
    }
    is_play = (actions["kind"] == _kernels.PLAY) & ~actions["is_capture"]
    return (
        _table(PLAY, common | phases | played, is_play),
        _table(CAPTURE, common | captured, actions["is_capture"]),
    )


def _table(dtype: DTypeLike, columns: dict[str, NDArray[np.generic]], chosen: NDArray[np.bool_]) -> NDArray[np.void]:
    table = np.zeros(int(np.count_nonzero(chosen)), dtype=dtype)
    for name, column in columns.items():
        table[name] = column[chosen]
    table.flags.writeable = False
    return table


def _place(
    gates: GateProgram, blocks: Blocks, tables: SiteTables, grid_ticks: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the start of every instruction in its block, and the length of every block."""
    rows = blocks.instructions
    duration, alignment = _durations(rows, tables)
    pointer, resource = _resources(gates, rows, tables)
    clock = np.zeros(gates.n_qubits + len(tables.frames), dtype=np.int64)
    start = np.zeros(len(rows), dtype=np.int64)
    lengths: list[int] = []
    for first, last in zip(blocks.bounds[:-1], blocks.bounds[1:], strict=True):
        inside = slice(first, last)
        needed = _kernels.place_alap(
            pointer[first : last + 1], resource, duration[inside], alignment[inside], clock, start[inside]
        )
        lengths.append(-(-int(needed) // grid_ticks) * grid_ticks)
        start[inside] = lengths[-1] - start[inside] - duration[inside]
    return start, np.array(lengths, dtype=np.int64)


def _durations(rows: NDArray[np.void], tables: SiteTables) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    duration = rows["ticks"].copy()
    alignment = np.ones(len(rows), dtype=np.int64)
    has_site = rows["site"] >= 0
    site = rows["site"][has_site]
    duration[has_site] = tables.duration_ticks[site]
    alignment[has_site] = tables.alignment_ticks[site]
    return duration, alignment


def _resources(
    gates: GateProgram, rows: NDArray[np.void], tables: SiteTables
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the qubits and frames that each instruction occupies, as bounds and one flat list."""
    n_barrier, n_sites = len(gates.barrier_qubits), len(tables.duration_ticks)
    # One heap: the sites' resources, every qubit by itself for delays, then the barriers' qubits.
    n_resources, n_qubits = len(tables.resources), gates.n_qubits
    heap = np.concatenate([tables.resources, np.arange(n_qubits), gates.barrier_qubits]).astype(np.int64)
    first = np.zeros(len(rows), dtype=np.int64)
    count = np.zeros(len(rows), dtype=np.int64)
    opcode = rows["opcode"]
    sited = (rows["site"] >= 0) & (opcode != Opcode.RZ)  # virtual Z takes no time and waits for nobody
    if n_sites:
        first[sited] = tables.resource_bounds[rows["site"][sited]]
        count[sited] = np.diff(tables.resource_bounds)[rows["site"][sited]]
    delays = opcode == Opcode.DELAY
    first[delays], count[delays] = n_resources + rows["qubit"][delays], 1
    if n_barrier:
        barriers = opcode == Opcode.BARRIER
        first[barriers] = n_resources + n_qubits + rows["first"][barriers]
        count[barriers] = rows["count"][barriers]
    bounds = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    members = np.arange(bounds[-1], dtype=np.int64) + np.repeat(first - bounds[:-1], count)
    return bounds, heap[members]


def _fold(gates: GateProgram, blocks: Blocks, tables: SiteTables) -> _Folded:
    """Return all actions with their phases, the rows, and what each block leaves behind."""
    instructions = blocks.instructions
    sited = np.flatnonzero(instructions["site"] >= 0)
    action, position = gather(tables.action_bounds, instructions["site"][sited].astype(np.int64))
    owner = sited[position]
    table = tables.actions[action]
    expression = instructions["expression"][owner]
    # Only virtual Z have an angle, and each is one action; every angle is rounded to a word before any sum.
    word = table["word"] + phase_words(instructions["angle_rad"])[owner].astype(np.int64)
    kind = np.where(expression >= 0, _kernels.ROW, table["kind"]).astype(np.uint8)
    group = table["group"].astype(np.int64)
    phase = np.zeros(len(action), dtype=np.uint32)
    row = np.zeros(len(action), dtype=np.int64)
    reached = np.zeros(gates.n_qubits, dtype=np.int64)
    row_of = np.zeros(gates.n_qubits, dtype=np.int64)
    carried: list[NDArray[np.void]] = [np.zeros(0, dtype=SHIFT)]
    cuts = np.searchsorted(owner, blocks.bounds)
    next_row = 1
    n_open = len(cuts) - (1 if blocks.ends_open else 2)
    for block in range(len(cuts) - 1):
        reached[:] = 0
        row_of[:] = 0
        inside = slice(cuts[block], cuts[block + 1])
        next_row = _kernels.fold_phases(
            kind[inside], group[inside], word[inside], reached, row_of, next_row, phase[inside], row[inside]
        )
        if block < n_open:
            carried.append(_carry(block, tables.frames, reached, row_of))
    opens = kind == _kernels.ROW
    rows = np.zeros(next_row, dtype=ROW)
    rows["expression"][0] = -1
    rows["previous"][1:], rows["expression"][1:] = row[opens], expression[opens]
    return _Folded(action, owner, phase, row, rows, np.concatenate(carried))


def _carry(
    block: int, frames: NDArray[np.void], reached: NDArray[np.int64], row_of: NDArray[np.int64]
) -> NDArray[np.void]:
    """Return the shifts that a block leaves on the frames, dtype ``SHIFT``."""
    group = frames["group"]
    follows = group >= 0
    moved = np.flatnonzero(follows & ((reached[group] != 0) | (row_of[group] != 0)))
    shifts = np.zeros(len(moved), dtype=SHIFT)
    shifts["block"], shifts["frame"] = block, moved
    shifts["phase"], shifts["phase_row"] = reached[group[moved]], row_of[group[moved]]
    return shifts
