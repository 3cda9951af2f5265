"""``draw``: a packed program as a picture of what the instrument gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qctrl.errors import CompileError, ProtocolError
from qctrl.plot.reader import Source, duration_ticks, read_blocks, read_lanes, select_ports
from qctrl.plot.schedule import Schedule
from qctrl.plot.wording import time
from qctrl.protocol import EventOp, Patch, Program, Setup
from qctrl.units import exact_fraction, tuning_word_to_hz

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from qctrl.compiler import CompiledProgram
    from qctrl.plot.figure import Picture

FORMATS: Final = (".html", ".svg", ".png", ".pdf")
_MOST_EVENTS: Final = 5000
"""More would be neither legible nor quick to draw."""


def draw(
    program: Program | CompiledProgram,
    setup: Setup | None = None,
    *,
    ports: Sequence[str] | None = None,
    time_range_s: tuple[float, float] | None = None,
    values: ArrayLike | Patch | None = None,
    file: str | Path | None = None,
) -> Figure:
    """Draw a program from its packed words: a lane per port, every play as envelope times gain.

    Long stretches in which nothing changes are cut short, and marked. Phases stand below the plays; they and the
    carriers are not in the envelopes. The blocks of a program that branches stand side by side, with their conditions.

    Args:
        program: A compiled program, or a packed one.
        setup: Names and kinds of the ports, for a packed program; a compiled one has its own.
        ports: Names of the ports to draw, with ``*`` and ``?`` as in file names; default all with events.
        time_range_s: First and last second to draw, from the start of the shot.
        values: One value per parameter of a compiled program, or a Patch of one binding; without them open slots are
            named by their row.
        file: Also write the picture here: ``.html`` (one page that needs nothing else), ``.svg``, ``.png``, ``.pdf``.

    Returns:
        A matplotlib figure.

    Raises:
        CompileError: A port is unknown, the picture would be too large, nothing is in the time range, values do not fit
            or the file cannot be written.
        ProtocolError: The setup is not the one that the program was compiled for.
        MissingExtraError: matplotlib is not installed.
    """
    from qctrl.plot.figure import paint

    suffix = None if file is None else Path(file).suffix.lower()
    if suffix is not None and suffix not in FORMATS:
        raise CompileError(f"{file}: pictures are written as {', '.join(FORMATS)}; give the file one of these endings")
    schedule = read(program, setup, ports=ports, time_range_s=time_range_s, values=values)
    picture = paint(schedule)
    if file is not None:
        _write(Path(file), schedule, picture)
    return picture.figure


def read(
    program: Program | CompiledProgram,
    setup: Setup | None = None,
    *,
    ports: Sequence[str] | None = None,
    time_range_s: tuple[float, float] | None = None,
    values: ArrayLike | Patch | None = None,
) -> Schedule:
    """Return what ``draw`` would draw, as numbers; arguments and errors as there."""
    source, names = _source(program, setup, values)
    chosen = select_ports(source, ports)
    if not chosen:
        raise CompileError("the program plays and captures nothing; name the ports to draw all the same")
    packed = source.program
    blocks = read_blocks(source, chosen, _window(packed, time_range_s))
    schedule = Schedule(
        title=names[0],
        subtitle=", ".join([*names[1:], f"program {packed.hash.hex()[:12]}", _length(packed)]),
        tick_s=packed.tick_s,
        lanes=read_lanes(source, chosen, blocks),
        blocks=blocks,
        frames_hz=tuple(tuning_word_to_hz(int(word), packed.tick_s) for word in packed.frames["ftw"]),
        retuned=frozenset(packed.events["frame"][packed.events["op"] == EventOp.SET_FREQUENCY].tolist()),
        bit_names=source.bit_names,
    )
    if schedule.n_events > _MOST_EVENTS:
        raise CompileError(
            f"the picture would show {schedule.n_events} events, more than {_MOST_EVENTS} are not legible; "
            "choose ports or a time range"
        )
    return schedule


def _source(
    program: Program | CompiledProgram, setup: Setup | None, values: ArrayLike | Patch | None
) -> tuple[Source, tuple[str, ...]]:
    """Return the packed program with what is known about it, and the words for the title."""
    if isinstance(program, Program):
        packed, bits = program, tuple(f"bit {k}" for k in range(program.n_clbits))
        names = ("pulse program",) if setup is None else (setup.device,)
    else:
        packed, setup, bits = program.program, setup or program.setup, _bit_names(program)
        names = (setup.device, program.calibration_id)
    if setup is not None and packed.setup_hash != setup.hash:
        raise ProtocolError(
            f"the program is for setup {packed.setup_hash.hex()[:12]}, not {setup.hash.hex()[:12]} of {setup.device}; "
            "compile it anew, or draw it without a setup"
        )
    return Source(packed, setup, _words(program, values), bits), names


def _words(program: Program | CompiledProgram, values: ArrayLike | Patch | None) -> NDArray[np.uint32] | None:
    packed: Any = program if isinstance(program, Program) else program.program
    if values is None:
        return np.zeros(1, dtype=np.uint32) if packed.n_slots == 1 else None
    if isinstance(values, Patch):
        values.verify_for(packed)
        patch = values
    elif isinstance(program, Program):
        raise CompileError("only a compiled program knows its parameters; give a Patch, or draw the compiled program")
    else:
        patch = program.bind(np.reshape(np.asarray(values, dtype=np.float64), (1, -1)))
    if patch.n_bindings != 1:
        raise CompileError(f"the patch has {patch.n_bindings} bindings; a picture shows one")
    return patch.words[0]


def _bit_names(program: CompiledProgram) -> tuple[str, ...]:
    """Return the circuit's names of the classical bits; those of the compiler's own are scratch."""
    names = [f"bit {k}" for k in range(program.n_circuit_clbits)]
    names += [f"scratch {k}" for k in range(program.program.n_clbits - program.n_circuit_clbits)]
    for register, bits in reversed(program.cregs):
        for place, bit in enumerate(bits):
            names[bit] = f"{register}[{place}]"
    return tuple(names)


def _window(program: Program, time_range_s: tuple[float, float] | None) -> tuple[int, int] | None:
    if time_range_s is None:
        return None
    first, last = time_range_s
    if not 0 <= first < last < float("inf"):
        raise CompileError(f"time range {first:g} s to {last:g} s is empty or begins before the shot")
    ticks = [exact_fraction(bound) / program.tick_s for bound in (first, last)]
    return int(ticks[0]), -int(-ticks[1] // 1)


def _length(program: Program) -> str:
    ticks = duration_ticks(program)
    return f"{len(program.blocks)} blocks with branches" if ticks is None else f"{time(ticks, program.tick_s)} per shot"


def _write(path: Path, schedule: Schedule, picture: Picture) -> None:
    from qctrl.plot.page import html_text, svg_text

    try:
        if path.suffix.lower() == ".html":
            path.write_text(html_text(schedule, picture), encoding="utf-8")
        elif path.suffix.lower() == ".svg":
            path.write_text(svg_text(picture), encoding="utf-8")
        else:
            picture.figure.savefig(path)
    except OSError as error:
        raise CompileError(f"{path}: the picture cannot be written: {error.strerror}") from error
