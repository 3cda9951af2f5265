"""Place a gate program in time, and fold its virtual Z into phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from qctrl.compiler import _kernels
from qctrl.compiler.blocks import split_blocks
from qctrl.compiler.custom_plays import count_open_shifts, open_plays
from qctrl.compiler.overflow import check_rows, check_ticks, check_values
from qctrl.compiler.tables import site_tables
from qctrl.compiler.timed_boxes import fill_boxes
from qctrl.ir.pulse_program import CAPTURE, PLAY, ROW, SHIFT, PulseProgram

if TYPE_CHECKING:
    from qctrl.calibration import Calibration
    from qctrl.compiler.blocks import Blocks
    from qctrl.ir.gate_program import GateProgram

Method: TypeAlias = Literal["alap", "asap"]


def schedule(gates: GateProgram, calibration: Calibration, *, method: Method = "alap") -> PulseProgram:
    """Return the timed pulses of a gate program.

    With ``alap`` every instruction starts as late as what follows it allows, so that qubits wait in their ground state
    and terminal measurements end together; with ``asap`` it starts as soon as what comes before it allows. Delays keep
    their exact length; the gate that a delay brings off its grid waits, or ends earlier, until it is on its grid.

    Args:
        gates: A verified gate program.
        calibration: The calibration that it was lowered against.
        method: ``alap`` or ``asap``.

    Raises:
        CompileError: A site of the calibration cannot be played.
        TimingError: The contents of a box need more time than it has.
        ResourceError: A block is too long, or there are too many blocks, instructions of the flow or open numbers.
    """
    return place(blocks_of(gates, calibration, method), gates, calibration, method=method)


def blocks_of(gates: GateProgram, calibration: Calibration, method: Method) -> Blocks:
    """Return the blocks of a gate program, its boxes filled.

    Raises:
        TimingError: The contents of a box need more time than it has.
        ResourceError: There are too many blocks or instructions of the flow.
    """
    if gates.boxes:
        gates = fill_boxes(gates, calibration, is_late=method == "alap")
    return split_blocks(gates, calibration)


def place(blocks: Blocks, gates: GateProgram, calibration: Calibration, *, method: Method = "alap") -> PulseProgram:
    """Return the timed pulses of a gate program whose blocks are known.

    Args:
        blocks: The gate program's blocks, or what was made of them.
        gates: The gate program.
        calibration: What it is played with.
        method: ``alap`` or ``asap``.

    Raises:
        CompileError: As :func:`schedule`.
    """
    tables = site_tables(blocks.sites, calibration)
    n_plays, n_captures, n_rows = _kernels.count_actions(blocks.instructions, tables.sites)
    n_rows += count_open_shifts(blocks.instructions, tables)
    check_rows(blocks, tables, n_rows + 1)
    n_frames, n_open = len(tables.frame_group), _n_open(blocks)
    plays, captures = np.empty(n_plays, dtype=PLAY), np.empty(n_captures, dtype=CAPTURE)
    rows, shifts = np.empty(n_rows + 1, dtype=ROW), np.empty(n_open * n_frames, dtype=SHIFT)
    block_ticks = np.empty(len(blocks.bounds) - 1, dtype=np.int64)
    n_shifts = _kernels.schedule_blocks(
        blocks.instructions,
        blocks.bounds,
        n_open,
        tables.grid_ticks,
        method == "alap",
        tables.sites,
        tables.resources,
        tables.actions,
        tables.amplitudes,
        tables.frame_group,
        gates.barrier_qubits,
        gates.n_qubits + n_frames,
        tables.n_groups,
        plays,
        captures,
        rows,
        shifts,
        block_ticks,
    )
    check_ticks(blocks, tables, gates.barrier_qubits, block_ticks)
    shifts = shifts[:n_shifts].copy() if n_open else shifts
    opened = open_plays(plays, rows, gates.expressions, tables.custom)
    check_values(opened, len(rows))
    for column in (opened.plays, captures, rows, shifts, block_ticks):
        column.setflags(write=False)
    return PulseProgram(
        plays=opened.plays,
        captures=captures,
        shifts=shifts,
        block_ticks=block_ticks,
        block_grid_ticks=tables.grid_ticks,
        flow=blocks.flow,
        rows=rows,
        voices=tables.voices,
        expressions=opened.expressions,
        n_clbits=blocks.n_clbits,
        tick_s=calibration.dt_s,
        interface=gates.interface,
        values=opened.values,
        play_values=opened.play_values,
        tunes=opened.tunes,
        angles=gates.angles,
    )


def _n_open(blocks: Blocks) -> int:
    """Return how many blocks have successors, to which they must leave their phases."""
    return len(blocks.bounds) - (1 if blocks.ends_open else 2)
