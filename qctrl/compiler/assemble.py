"""Pack timed pulses for one rack: sampled envelopes, words, sorted events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qctrl.compiler import _pack_kernels
from qctrl.compiler.block_lengths import block_lengths, tick_ratio
from qctrl.compiler.duty import PlayOwners
from qctrl.compiler.open_peaks import peak_bounds
from qctrl.compiler.open_values import bind_values, play_rows, retunes
from qctrl.compiler.overflow import check_memories, n_events
from qctrl.compiler.peaks import check_peaks
from qctrl.compiler.port_bounds import port_bounds
from qctrl.compiler.program import CompiledProgram
from qctrl.compiler.rack import open_rows, rack_of, wire
from qctrl.errors import TimingError
from qctrl.protocol import BLOCK, CAPTURE, EVENT, EventOp, Program
from qctrl.units import gain_word

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.compiler.envelope_table import EnvelopeTable
    from qctrl.compiler.rack import Rack, Wired
    from qctrl.ir.pulse_program import PulseProgram
    from qctrl.protocol import Setup


def assemble(pulses: PulseProgram, setup: Setup) -> CompiledProgram:
    """Return the packed program of a pulse program.

    Args:
        pulses: A verified pulse program.
        setup: A verified setup, derived from the calibration that the pulses were scheduled with.

    Raises:
        CompileError: The setup is of another calibration or lacks a port.
        TimingError: The setup's clock or a port's granularity does not divide a time.
        ResourceError: A frequency, an amplitude or a memory is beyond what the rack can do.
    """
    rack = rack_of(setup)
    ratio = tick_ratio(pulses, rack)
    wired = wire(pulses, rack)
    table = wired.table
    block_ticks = block_lengths(pulses, rack, ratio)
    check_memories(pulses, block_ticks, wired, table)
    events, blocks, windows = _packed(pulses, rack, wired, table, (ratio, block_ticks))
    bounds = peak_bounds(pulses, rack, wired, table) if pulses.values else ()
    if rack.groups or rack.max_steps is not None:
        bounds += port_bounds(pulses, rack, wired, table)
    program = Program(
        setup_hash=rack.setup_hash,
        calibration_hash=pulses.interface.calibration_hash,
        tick_num=setup.tick_num,
        tick_den=setup.tick_den,
        n_clbits=pulses.n_clbits,
        frames=wired.frames,
        envelopes=table.envelopes,
        envelope_samples=table.samples,
        events=events,
        blocks=blocks,
        flow=pulses.flow,
        captures=windows,
        discriminators=wired.discriminators,
        rows=open_rows(len(pulses.rows), [value.kind for value in pulses.values]),
    )
    owners = PlayOwners(pulses.plays, wired.frame_port, ratio) if rack.has_duties else None
    if owners is not None:
        owners.check(program, setup, None)
    return CompiledProgram(
        program=program,
        setup=setup,
        interface=pulses.interface,
        expressions=pulses.expressions,
        rows=pulses.rows,
        values=bind_values(pulses, rack, wired, table) if pulses.values else (),
        bounds=bounds,
        angles=pulses.angles,
        owners=owners,
    )


def _packed(
    pulses: PulseProgram, rack: Rack, wired: Wired, table: EnvelopeTable, clock: tuple[int, NDArray[np.int64]]
) -> tuple[NDArray[np.void], NDArray[np.void], NDArray[np.void]]:
    """Return events, blocks and captures; ``clock`` is the ratio of ticks, and the blocks' lengths."""
    ratio, block_ticks = clock
    events = np.empty(n_events(pulses), dtype=EVENT)
    blocks, windows = np.empty(len(block_ticks), dtype=BLOCK), np.empty(len(pulses.captures), dtype=CAPTURE)
    is_good = _pack_kernels.pack_events(
        pulses.plays,
        pulses.captures,
        pulses.shifts,
        retunes(pulses, rack, wired, ratio),
        play_rows(pulses),
        ratio,
        wired.frame_port,
        wired.frame_rate,
        rack.grid_ticks,
        rack.limits,
        table.number,
        table.peaks,
        block_ticks,
        events,
        blocks,
        windows,
    )
    if not is_good:
        _explain(pulses, rack, wired, table, ratio)
        events = _sorted(events, blocks, wired)
    for column in (events, blocks, windows):
        column.setflags(write=False)
    return events, blocks, windows


def _sorted(events: NDArray[np.void], blocks: NDArray[np.void], wired: Wired) -> NDArray[np.void]:
    """Return the events in the order of the wire; for programs that are too disordered for insertion."""
    block = np.repeat(np.arange(len(blocks)), blocks["n_events"])
    is_timed, port = events["op"] <= EventOp.CAPTURE, wired.frame_port[events["frame"]]
    return events[np.lexsort((events["frame"], is_timed, events["start_ticks"], port, block))]


def _explain(pulses: PulseProgram, rack: Rack, wired: Wired, table: EnvelopeTable, ratio: int) -> None:
    """Raise what is wrong with a program that the kernel found fault with; slow, and never reached by a good one."""
    plays, captures = (_scaled(table, ratio) for table in (pulses.plays, pulses.captures))
    _check_grid(plays, wired.frame_port, rack.setup)
    _check_grid(captures, wired.frame_port, rack.setup)
    distinct, inverse = np.unique(plays["amplitude"], return_inverse=True)
    words = np.array([gain_word(float(value), what="amplitude") for value in distinct], dtype=np.int64)[inverse]
    peaks = table.peaks[table.number[plays["envelope"], wired.frame_rate[plays["frame"]]]]
    check_peaks(plays, np.abs(words) * peaks, wired.frame_port, rack)


def _scaled(table: NDArray[np.void], ratio: int) -> NDArray[np.void]:
    scaled = table.copy()
    scaled["start_ticks"] *= ratio
    scaled["length_ticks"] *= ratio
    return scaled


def _check_grid(table: NDArray[np.void], frame_port: NDArray[np.int64], setup: Setup) -> None:
    """Round lengths up to the port's granularity (silence follows); refuse starts off it."""
    port = frame_port[table["frame"]]
    grid = np.array([port.granularity_ticks for port in setup.ports], dtype=np.int64)[port]
    table["length_ticks"] = -(-table["length_ticks"] // grid) * grid
    wrong = np.flatnonzero(table["start_ticks"] % grid)
    if len(wrong):
        row = table[wrong[0]]
        source, name = int(row["source"]), setup.ports[int(port[wrong[0]])].name
        raise TimingError(
            f"instruction {source}: an event on {name} starts at tick {int(row['start_ticks'])}, the port's "
            f"granularity is {int(grid[wrong[0]])} ticks; make timing.granularity of the calibration a multiple of it",
            instruction=source,
        )
