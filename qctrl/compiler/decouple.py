"""Dynamical decoupling: give idle qubits pulses that together do nothing but average slow noise out.

The stage stands between scheduling and packing. It takes the schedule as it is, finds the windows in which a qubit
waits, fills each of them exactly with delays and pulses, and has the result scheduled again. So the frames, phases
and rows of the pulses come from the gate table like those of all others, nothing else moves, and programs without
decoupling know nothing of it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from qctrl.calibration.durations import pulse_step
from qctrl.compiler.block_lengths import block_lengths, tick_ratio
from qctrl.compiler.idle_windows import find_windows
from qctrl.compiler.occupation import Placed
from qctrl.compiler.rack import rack_of
from qctrl.compiler.schedule import blocks_of, place
from qctrl.compiler.sequences import ANGLES_RAD, parities, starts
from qctrl.compiler.tables import site_tables
from qctrl.ir.gate_program import INSTRUCTION, GateSite, Opcode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from qctrl.calibration import Calibration
    from qctrl.compiler.blocks import Blocks
    from qctrl.compiler.compile_options import CompileOptions, Decoupling
    from qctrl.compiler.idle_windows import Window
    from qctrl.ir.gate_program import GateProgram
    from qctrl.ir.pulse_program import PulseProgram
    from qctrl.protocol import Setup


class _HalfTurn(NamedTuple):
    """How a qubit is turned by half a turn about X."""

    sites: tuple[GateSite, ...]
    ticks: int


class _Filling(NamedTuple):
    """A window and what goes there."""

    window: Window
    turn: _HalfTurn
    starts: list[int]


def decouple(
    gates: GateProgram, pulses: PulseProgram, calibration: Calibration, setup: Setup, options: CompileOptions
) -> PulseProgram:
    """Return the timed pulses of a program with its idle windows filled; without ``options.decoupling`` as they are.

    Args:
        gates: The gate program.
        pulses: What scheduling made of it.
        calibration: What it is played with.
        setup: The rack; it decides how long a block waits for a bit.
        options: How it was scheduled, and how it is decoupled.

    Raises:
        CompileError: The program has no room for the pulses that are added.
    """
    decoupling = options.decoupling
    if decoupling is None:
        return pulses
    rack = rack_of(setup)
    ratio = tick_ratio(pulses, rack)
    block_ticks = block_lengths(pulses, rack, ratio) // ratio
    blocks = _extended(blocks_of(gates, calibration, options.method), block_ticks - pulses.block_ticks)
    turns = _half_turns(calibration)
    sites = {site: None for turn in turns.values() for site in turn.sites}
    tables = site_tables(tuple({**dict.fromkeys(blocks.sites), **sites}), calibration)
    owner = np.array([*range(gates.n_qubits), *tables.frame_group], dtype=np.int64)
    placed = Placed(blocks, tables, gates.barrier_qubits, block_ticks, options.method == "alap", owner)
    fillings = _fillings(find_windows(placed, skips_reset=decoupling.skips_reset), turns, calibration, decoupling)
    made = place(_filled(blocks, fillings, decoupling), gates, calibration, method=options.method)
    n_pulses = sum(len(filling.starts) for filling in fillings)
    note = f"decoupling {decoupling.sequence}: {n_pulses} pulses in {len(fillings)} windows"
    interface = dataclasses.replace(made.interface, notes=(*made.interface.notes, note))
    return msgspec.structs.replace(made, interface=interface)


def _half_turns(calibration: Calibration) -> dict[int, _HalfTurn]:
    """Return by qubit what turns it by half a turn: ``x``, or twice the ``sx`` that every live qubit has."""
    found: dict[int, _HalfTurn] = {}
    known = set(calibration.operations())
    for qubit in calibration.live_qubits:
        names = ("x",) if ("x", (qubit,)) in known else ("sx", "sx")
        sites = tuple(GateSite(name, (qubit,)) for name in names)
        found[qubit] = _HalfTurn(sites, sum(calibration.duration_ticks(name, (qubit,)) for name in names))
    return found


def _fillings(
    windows: list[Window], turns: Mapping[int, _HalfTurn], calibration: Calibration, decoupling: Decoupling
) -> list[_Filling]:
    grid_ticks, parity = pulse_step(calibration.timing), parities(calibration)
    found: list[_Filling] = []
    for window in windows:
        turn, span = turns[window.qubit], (window.begin_ticks, window.end_ticks)
        at = starts(span, turn.ticks, grid_ticks, decoupling, parity[window.qubit])
        if at:
            found.append(_Filling(window, turn, at))
    return found


def _extended(blocks: Blocks, extra_ticks: NDArray[np.int64]) -> Blocks:
    """Return the blocks with so many ticks of delay at their ends, for all qubits that do anything in them."""
    if not extra_ticks.any():
        return blocks
    pieces: list[NDArray[np.void]] = []
    for block, extra in enumerate(extra_ticks.tolist()):
        rows = blocks.instructions[blocks.bounds[block] : blocks.bounds[block + 1]]
        pieces.append(rows)
        if extra and len(rows):
            qubits = {qubit for site in set(rows["site"].tolist()) if site >= 0 for qubit in blocks.sites[site].qubits}
            waits = sorted(qubits | set(rows["qubit"][rows["opcode"] == Opcode.DELAY].tolist()))
            pieces.append(_rows([(Opcode.DELAY, -1, qubit, extra, 0.0) for qubit in waits], int(rows["source"][-1])))
        else:
            pieces.append(rows[:0])
    return _joined(blocks, pieces, 2)


def _filled(blocks: Blocks, fillings: Sequence[_Filling], decoupling: Decoupling) -> Blocks:
    """Return the blocks with the delays of each filled window replaced by delays and pulses."""
    number = {site: index for index, site in enumerate(blocks.sites)}
    rows = blocks.instructions
    keeps = np.ones(len(rows), dtype=np.bool_)
    before: dict[int, dict[int, list[NDArray[np.void]]]] = {}
    for filling in fillings:
        window = filling.window
        inside = slice(window.previous + 1, window.row)
        keeps[inside] &= (rows["opcode"][inside] != Opcode.DELAY) | (rows["qubit"][inside] != window.qubit)
        last = int(blocks.bounds[window.block + 1])
        source = int(rows["source"][window.row if window.row < last else max(window.previous, 0)])
        made = _rows(_sequence(filling, ANGLES_RAD[decoupling.sequence], number), source)
        before.setdefault(window.block, {}).setdefault(window.row, []).append(made)
    pieces: list[NDArray[np.void]] = []
    for block in range(len(blocks.bounds) - 1):
        at, last = int(blocks.bounds[block]), int(blocks.bounds[block + 1])
        added = before.get(block, {})
        parts: list[NDArray[np.void]] = []
        for row in sorted(added):
            parts += [rows[at:row][keeps[at:row]], *added[row]]
            at = row
        pieces.append(np.concatenate([*parts, rows[at:last][keeps[at:last]]]))
    return _joined(blocks._replace(sites=tuple(number)), pieces, 1)


def _sequence(
    filling: _Filling, angles_rad: Sequence[float], number: dict[GateSite, int]
) -> list[tuple[int, int, int, int, float]]:
    """Return opcode, site, qubit, ticks and angle of the instructions that fill a window; new sites get numbers."""
    qubit, at = filling.window.qubit, filling.window.begin_ticks
    made: list[tuple[int, int, int, int, float]] = []
    for start, angle_rad in zip(filling.starts, angles_rad, strict=True):
        made.append((Opcode.DELAY, -1, qubit, start - at, 0.0))
        turn = [(Opcode.GATE, number.setdefault(site, len(number)), qubit, 0, 0.0) for site in filling.turn.sites]
        if angle_rad:
            rz = number.setdefault(GateSite("rz", (qubit,)), len(number))
            turn = [(Opcode.RZ, rz, qubit, 0, -angle_rad), *turn, (Opcode.RZ, rz, qubit, 0, angle_rad)]
        made += turn
        at = start + filling.turn.ticks
    return [*made, (Opcode.DELAY, -1, qubit, filling.window.end_ticks - at, 0.0)]


def _rows(made: Sequence[tuple[int, int, int, int, float]], source: int) -> NDArray[np.void]:
    """Return instructions, dtype ``INSTRUCTION``, from opcode, site, qubit, ticks and angle."""
    found = [(opcode, site, qubit, -1, -1, source, 0, 0, ticks, angle) for opcode, site, qubit, ticks, angle in made]
    return np.array(found, dtype=INSTRUCTION)


def _joined(blocks: Blocks, pieces: Sequence[NDArray[np.void]], n_pieces: int) -> Blocks:
    """Return the blocks made of pieces, ``n_pieces`` for each."""
    ends = np.cumsum([0, *(len(piece) for piece in pieces)], dtype=np.int64)[::n_pieces]
    instructions = np.concatenate(pieces)
    instructions.flags.writeable = False
    return blocks._replace(instructions=instructions, bounds=ends)
