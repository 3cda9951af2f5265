"""Refuse what a sequencer cannot hold, and say which instruction of the circuit is the first without room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np

from qctrl.compiler import _kernels
from qctrl.errors import ResourceError
from qctrl.ir.gate_program import Opcode
from qctrl.protocol import limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.compiler.blocks import Blocks
    from qctrl.compiler.custom_plays import Opened
    from qctrl.compiler.envelope_table import EnvelopeTable
    from qctrl.compiler.rack import Wired
    from qctrl.compiler.tables import SiteTables
    from qctrl.ir.pulse_program import PulseProgram

_REMEDIES: Final = {
    "frames": "use fewer qubits, or fewer frames in custom gates",
    "events": "split the circuit there",
    "envelopes": "use fewer different pulses",
    "envelope samples": "use shorter or fewer different pulses",
    "captures": "measure less often, or split the circuit there",
    "discriminators": "measure fewer qubits",
    "blocks": "use fewer branches, loops and resets, or split the circuit there",
    "flow instructions": "use fewer branches, loops and classical expressions",
    "classical bits": "measure into fewer bits",
    "parameter rows": "bind some of the parameters",
    "ticks in one block": "shorten delays, or split the circuit there",
}
_NOBODY: Final = 2**32 - 1


def refuse(memory: str, need: int, have: int, instruction: int | None) -> NoReturn:
    """Say which memory is too small for a program, and who found no room in it.

    Args:
        memory: A memory that has a remedy.
        need: What the program needs of it.
        have: What there is.
        instruction: The first instruction of the circuit that does not fit, if one is to blame.

    Raises:
        ResourceError: Always.
    """
    where, first = "", ""
    if instruction is not None:
        where, first = f"instruction {instruction}: ", ", and this is the first instruction without room"
    raise ResourceError(
        f"{where}the program needs {need} {memory}, the sequencer has {have}{first}; {_REMEDIES[memory]}",
        instruction=instruction,
    )


def check_rows(blocks: Blocks, tables: SiteTables, n_rows: int) -> None:
    """Refuse a program with more open phases than there are rows.

    Raises:
        ResourceError: There are too many.
    """
    if n_rows <= limits.MAX_SLOTS:
        return
    rows = blocks.instructions
    opened = (rows["expression"] >= 0).astype(np.int64)
    if tables.custom is not None:
        opened += np.where(rows["site"] >= 0, tables.custom.open_shifts[rows["site"]], 0)
    first = int(np.argmax(np.cumsum(opened) + 1 > limits.MAX_SLOTS))  # row 0 is nobody's
    refuse("parameter rows", n_rows, limits.MAX_SLOTS, int(rows["source"][first]))


def check_ticks(
    blocks: Blocks, tables: SiteTables, barrier_qubits: NDArray[np.int32], block_ticks: NDArray[np.int64]
) -> None:
    """Refuse a program with a block that is too long.

    Raises:
        ResourceError: A block is longer than the counter of ticks.
    """
    if max(block_ticks.tolist(), default=0) > limits.MAX_TICKS:
        block = int(np.argmax(block_ticks > limits.MAX_TICKS))
        rows = blocks.instructions[int(blocks.bounds[block]) : int(blocks.bounds[block + 1])]
        instruction = _first_late(rows, tables, barrier_qubits)
        refuse("ticks in one block", int(block_ticks[block]), limits.MAX_TICKS, instruction)


def _first_late(rows: NDArray[np.void], tables: SiteTables, barrier_qubits: NDArray[np.int32]) -> int | None:
    """Return the first instruction of a block that cannot end in time, however soon it starts."""
    clock: dict[int, int] = {}
    for row in rows:
        site, qubit = int(row["site"]), int(row["qubit"])
        used, ticks = [qubit], 0
        if site >= 0 and row["opcode"] != Opcode.RZ:
            columns = tables.sites[site]
            used = tables.resources[columns[_kernels.FIRST_RESOURCE] : columns[_kernels.LAST_RESOURCE]].tolist()
            ticks = int(columns[_kernels.DURATION])
        elif row["opcode"] == Opcode.DELAY:
            ticks = int(row["ticks"])
        elif row["opcode"] == Opcode.BARRIER:
            used = barrier_qubits[int(row["first"]) : int(row["first"]) + int(row["count"])].tolist()
        end = max((clock.get(each, 0) for each in used), default=0) + ticks
        if end > limits.MAX_TICKS:
            return int(row["source"])
        clock |= dict.fromkeys(used, end)
    return None


def check_values(opened: Opened, n_rows: int) -> None:
    """Refuse a program with more open amplitudes and frequencies than there are rows behind those of the phases.

    Raises:
        ResourceError: There are too many.
    """
    room = limits.MAX_SLOTS - n_rows
    if len(opened.values) <= room:
        return
    late = [opened.plays["source"][opened.play_values >= room], opened.tunes["source"][opened.tunes["value"] >= room]]
    first = int(np.concatenate(late).min())
    refuse("parameter rows", n_rows + len(opened.values), limits.MAX_SLOTS, first)


def check_memories(pulses: PulseProgram, block_ticks: NDArray[np.int64], wired: Wired, table: EnvelopeTable) -> None:
    """Refuse a program that the sequencer cannot hold.

    Args:
        pulses: The program; its rows, blocks and flow have been checked.
        block_ticks: Lengths of the blocks in the setup's ticks.
        wired: Its frames on the rack.
        table: Its sampled envelopes.

    Raises:
        ResourceError: A memory is too small; the first instruction without room is named.
    """
    for memory, need, have in (
        ("frames", len(pulses.frames), limits.MAX_FRAMES),
        ("events", n_events(pulses), limits.MAX_EVENTS),
        ("envelopes", len(table.envelopes), limits.MAX_ENVELOPES),
        ("envelope samples", len(table.samples), limits.MAX_ENVELOPE_SAMPLES),
        ("captures", len(pulses.captures), limits.MAX_CAPTURES),
        ("discriminators", len(pulses.discriminators), limits.MAX_DISCRIMINATORS),
        ("classical bits", pulses.n_clbits, limits.MAX_CLBITS),
        ("ticks in one block", max(block_ticks.tolist(), default=0), limits.MAX_TICKS),
    ):
        if need > have:
            refuse(memory, need, have, _first_without_room(memory, have, pulses, wired, table))


def n_events(pulses: PulseProgram) -> int:
    """Return how many events a program packs to."""
    return len(pulses.plays) + len(pulses.captures) + len(pulses.shifts) + len(pulses.tunes)


def _first_without_room(memory: str, have: int, pulses: PulseProgram, wired: Wired, table: EnvelopeTable) -> int | None:
    """Return the instruction, or ``None`` if no instruction plays or captures what is too much."""
    plays, captures = pulses.plays, pulses.captures
    match memory:
        case "events":
            found = _of_events(pulses, [plays, captures, pulses.tunes])[have:]
        case "frames":
            found = _of_frames(pulses)[have:]
        case "captures":
            found = captures["source"][have:]
        case "classical bits":
            found = captures["source"][captures["clbit"] >= have]
        case "discriminators":
            found = captures["source"][_first_uses(captures["discriminator"])[have:]]
        case "ticks in one block":
            return None  # only the wait for a bit, or the grid of the rack, made it longer than the schedule
        case _:
            stored = table.number[plays["envelope"], wired.frame_rate[plays["frame"]]]
            # Envelopes with the same edges share their samples.
            uses = _first_uses(stored if memory == "envelopes" else table.envelopes["offset"][stored])
            sizes = np.ones(len(uses)) if memory == "envelopes" else table.envelopes["length"][stored[uses]]
            found = plays["source"][uses[np.cumsum(sizes) > have]]
    return int(found[0]) if len(found) and found[0] != _NOBODY else None


def _of_events(pulses: PulseProgram, tables: list[NDArray[np.void]]) -> NDArray[np.uint32]:
    """Return the instruction of every event in the order of the circuit; a block's shifts are its last one's."""
    block = np.concatenate([*(each["block"] for each in tables), pulses.shifts["block"]])
    source = np.concatenate([*(each["source"] for each in tables), np.full(len(pulses.shifts), _NOBODY, np.uint32)])
    source = source[np.lexsort((source, block))]
    known = np.maximum.accumulate(np.where(source != _NOBODY, np.arange(len(source)), 0))
    return source[known]


def _of_frames(pulses: PulseProgram) -> NDArray[np.uint32]:
    """Return the instruction that uses each frame first, in order."""
    tables = (pulses.plays, pulses.captures, pulses.tunes)
    frame, block, source = (np.concatenate([each[name] for each in tables]) for name in ("frame", "block", "source"))
    order = np.lexsort((source, block))
    return source[order][_first_uses(frame[order])]


def _first_uses(numbers: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return where each distinct number stands first, ascending."""
    return np.sort(np.unique(numbers, return_index=True)[1])
