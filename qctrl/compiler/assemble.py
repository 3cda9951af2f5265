"""Pack timed pulses for one rack: sampled envelopes, words, sorted events."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.compiler.envelope_table import envelope_table
from qctrl.compiler.peaks import check_peaks
from qctrl.compiler.program import CompiledProgram
from qctrl.errors import CompileError, ResourceError, TimingError
from qctrl.protocol import (
    BLOCK,
    CAPTURE,
    DISCRIMINATOR,
    EVENT,
    FRAME,
    ROW,
    EventOp,
    FlowOp,
    Program,
    RowKind,
    limits,
)
from qctrl.units import exact_fraction, gain_word, tuning_word

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from qctrl.ir.pulse_program import PulseProgram
    from qctrl.protocol import Port, Setup

_COMMON: Final = ("frame", "start_ticks", "length_ticks")


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
    ratio = _tick_ratio(pulses, setup)
    ports = np.array([_port_index(setup, name) for name in pulses.ports], dtype=np.int64)
    frame_port = ports[pulses.frames["port"]]
    plays, captures = (_scaled(table, ratio) for table in (pulses.plays, pulses.captures))
    _check_grid(plays, frame_port, setup)
    _check_grid(captures, frame_port, setup)
    sample_ticks = np.array([port.sample_ticks for port in setup.ports], dtype=np.int64)
    table = envelope_table(pulses.envelopes, plays["envelope"], sample_ticks[frame_port[plays["frame"]]], setup.tick_s)
    block_ticks = _block_ticks(pulses, captures, setup, ratio)
    _check_limits(pulses, block_ticks, len(table.samples))
    gain = _gains(plays["amplitude"])
    check_peaks(plays, np.abs(gain) * table.peaks[table.index], frame_port, setup)
    events, counts = _events(pulses, (plays, captures), (gain, table.index), frame_port, block_ticks)
    program = Program(
        setup_hash=setup.hash,
        calibration_hash=pulses.interface.calibration_hash,
        tick_num=setup.tick_num,
        tick_den=setup.tick_den,
        n_clbits=pulses.n_clbits,
        frames=_frames(pulses, frame_port, setup),
        envelopes=table.envelopes,
        envelope_samples=table.samples,
        events=events,
        blocks=_blocks(counts, block_ticks),
        flow=pulses.flow,
        captures=_captures(captures),
        discriminators=_discriminators(pulses),
        rows=_rows(len(pulses.rows)),
    )
    program.verify()
    return CompiledProgram(
        program=program,
        setup=setup,
        interface=pulses.interface,
        expressions=pulses.expressions,
        rows=pulses.rows,
    )


def _tick_ratio(pulses: PulseProgram, setup: Setup) -> int:
    """Return the setup's ticks per tick of the pulses, once both are known to belong together."""
    if setup.calibration_id != pulses.interface.calibration_hash.hex():
        raise CompileError(
            f"the setup of {setup.device} was derived from another calibration than "
            f"{pulses.interface.calibration_id}; derive it again"
        )
    ratio = pulses.tick_s / setup.tick_s
    if ratio.denominator != 1:
        raise TimingError(
            f"the setup's tick of {setup.tick_s} s does not divide the calibration's dt of {pulses.tick_s} s; "
            "choose a finer tick in the wiring"
        )
    return ratio.numerator


def _port_index(setup: Setup, name: str) -> int:
    for index, port in enumerate(setup.ports):
        if port.name == name:
            return index
    raise CompileError(f"the setup of {setup.device} has no port {name}; wire it in the wiring file")


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


def _block_ticks(pulses: PulseProgram, captures: NDArray[np.void], setup: Setup, ratio: int) -> NDArray[np.int64]:
    """Return lengths on all grids; a block whose bit decides a branch lasts until the bit is readable."""
    ticks = pulses.block_ticks * ratio
    decisive = pulses.flow["operand"][pulses.flow["op"] == FlowOp.BRANCH_BIT]
    waits = captures[np.isin(captures["clbit"], decisive)]
    readable = waits["start_ticks"] + waits["length_ticks"] + setup.bit_latency_ticks
    np.maximum.at(ticks, waits["block"], readable)
    grid = math.lcm(setup.block_granularity_ticks, pulses.block_grid_ticks * ratio)
    return -(-ticks // grid) * grid


def _check_limits(pulses: PulseProgram, block_ticks: NDArray[np.int64], n_samples: int) -> None:
    n_events = len(pulses.plays) + len(pulses.captures) + len(pulses.shifts)
    for what, need, have in (
        ("frames", len(pulses.frames), limits.MAX_FRAMES),
        ("events", n_events, limits.MAX_EVENTS),
        ("envelope samples", n_samples, limits.MAX_ENVELOPE_SAMPLES),
        ("blocks", len(block_ticks), limits.MAX_BLOCKS),
        ("flow instructions", len(pulses.flow), limits.MAX_FLOW),
        ("classical bits", pulses.n_clbits, limits.MAX_CLBITS),
        ("parameter rows", len(pulses.rows), limits.MAX_SLOTS),
        ("ticks in one block", int(block_ticks.max(initial=0)), limits.MAX_TICKS),
    ):
        if need > have:
            raise ResourceError(f"the program needs {need} {what}, the sequencer has {have}; split the circuit")


def _gains(amplitude: NDArray[np.float64]) -> NDArray[np.int64]:
    distinct, inverse = np.unique(amplitude, return_inverse=True)
    words = [gain_word(float(value), what="amplitude") for value in distinct]
    return np.array(words, dtype=np.int64)[inverse]


def _frames(pulses: PulseProgram, frame_port: NDArray[np.int64], setup: Setup) -> NDArray[np.void]:
    frames = np.zeros(len(frame_port), dtype=FRAME)
    frames["port"] = frame_port
    frames["ftw"] = [
        _frame_word(frequency_hz, setup.ports[port], setup.tick_s)
        for frequency_hz, port in zip(pulses.frames["frequency_hz"].tolist(), frame_port.tolist(), strict=True)
    ]
    return _read_only(frames)


@lru_cache(maxsize=2**14)
def _frame_word(frequency_hz: float, port: Port, tick_s: Fraction) -> int:
    """Return the tuning word of a frame: its offset from the port's LO."""
    offset_hz = float(exact_fraction(frequency_hz) - exact_fraction(port.lo_hz))
    half_rate_hz = float(1 / (2 * port.sample_ticks * tick_s))
    if not abs(offset_hz) < half_rate_hz:
        raise ResourceError(
            f"port {port.name}: {frequency_hz:.9g} Hz is {offset_hz:+.6g} Hz from the LO at {port.lo_hz:.9g} Hz, "
            f"the limit is {half_rate_hz:.6g} Hz; move the LO in the wiring file"
        )
    return tuning_word(offset_hz, tick_s)


def _events(
    pulses: PulseProgram,
    tables: tuple[NDArray[np.void], NDArray[np.void]],
    play_words: tuple[NDArray[np.int64], NDArray[np.int64]],
    frame_port: NDArray[np.int64],
    block_ticks: NDArray[np.int64],
) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Return all events in the order of the wire, and how many each block has."""
    (plays, captures), shifts = tables, pulses.shifts
    first, last = len(plays), len(plays) + len(captures)
    events = np.zeros(last + len(shifts), dtype=EVENT)
    block = np.concatenate([plays["block"], captures["block"], shifts["block"]])
    for name in _COMMON:
        events[name][:first] = plays[name]
        events[name][first:last] = captures[name]
    events["op"][:first], events["op"][first:last] = EventOp.PLAY, EventOp.CAPTURE
    events["op"][last:] = EventOp.SHIFT_PHASE
    events["gain"][:first], events["target"][:first] = play_words
    events["target"][first:last] = np.arange(len(captures))
    events["frame"][last:], events["start_ticks"][last:] = shifts["frame"], block_ticks[shifts["block"]]
    for name in ("phase", "phase_row"):
        events[name][:first], events[name][last:] = plays[name], shifts[name]
    is_timed = events["op"] <= EventOp.CAPTURE
    port = frame_port[events["frame"]]
    order = np.lexsort((events["frame"], is_timed, events["start_ticks"], port, block))
    return _read_only(events[order]), np.bincount(block, minlength=len(block_ticks))


def _blocks(counts: NDArray[np.int64], block_ticks: NDArray[np.int64]) -> NDArray[np.void]:
    blocks = np.zeros(len(block_ticks), dtype=BLOCK)
    blocks["first_event"], blocks["n_events"] = np.cumsum(counts) - counts, counts
    blocks["length_ticks"] = block_ticks
    return _read_only(blocks)


def _captures(captures: NDArray[np.void]) -> NDArray[np.void]:
    table = np.zeros(len(captures), dtype=CAPTURE)
    for name in ("frame", "weights", "discriminator", "clbit"):
        table[name] = captures[name]
    table["index"] = np.arange(len(captures))
    return _read_only(table)


def _discriminators(pulses: PulseProgram) -> NDArray[np.void]:
    table = np.zeros(len(pulses.discriminators), dtype=DISCRIMINATOR)
    for name in ("n_classes", "coef"):
        table[name] = pulses.discriminators[name]
    return _read_only(table)


def _rows(n_rows: int) -> NDArray[np.void]:
    rows = np.zeros(n_rows, dtype=ROW)
    rows["kind"] = RowKind.PHASE
    return _read_only(rows)


def _read_only(column: NDArray[np.void]) -> NDArray[np.void]:
    column.flags.writeable = False
    return column
