"""``qctrl pulse``: pictures of what the instrument gets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from qctrl.cli.circuit_file import read_circuit
from qctrl.cli.device import Choice, ConfigOption, fit, opened
from qctrl.cli.output import JsonOption, print_json
from qctrl.cli.progress import Bar
from qctrl.errors import ProtocolError

if TYPE_CHECKING:
    from qctrl.compiler import CompiledProgram
    from qctrl.plot import Schedule
    from qctrl.protocol import Program, Setup

_MAGIC: Final = b"QCTL"
"""How a packed program begins, and no OpenQASM file does."""

app = typer.Typer(help="Look at pulse programs.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def pulse() -> None:
    """Look at pulse programs."""


@app.command("draw", short_help="Draw a circuit's pulses, or a packed program.")
def draw(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="OpenQASM 2 or 3 program, or a packed one.", exists=True, dir_okay=False),
    ],
    *,
    out: Annotated[Path, typer.Option(help="The picture: .html, .svg, .png or .pdf.", dir_okay=False)],
    device: Annotated[
        str | None,
        typer.Option("--device", "-d", help="Device; the default is that of `qctrl run`, for a packed program none."),
    ] = None,
    config: ConfigOption = None,
    ports: Annotated[
        str | None, typer.Option(help="Ports to draw, separated by commas; * and ? as in file names.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw what the instrument gets, from the packed words; nothing is executed."""
    from qctrl import plot

    with Bar(f"drawing {file.name}"):
        program, setup = _load(file, device, config)
        names = None if ports is None else [name.strip() for name in ports.split(",")]
        plot.draw(program, setup, ports=names, file=out)
        schedule = plot.read(program, setup, ports=names)
    if as_json:
        print_json(_document(file, out, program.hash, schedule))
    else:
        typer.echo(f"{out}: {schedule.title}, {schedule.subtitle}; {_count(schedule)} on {_names(schedule)}")


def _load(file: Path, device: str | None, config: Path | None) -> tuple[Program | CompiledProgram, Setup | None]:
    """Return the program in a file, and the setup if the program has none of its own."""
    from qctrl.protocol import Program

    packed = _packed(file)
    if packed is None:
        with opened(Choice(device, config)) as backend:
            return backend.compile(fit(read_circuit(file), backend)), None
    program = Program.from_bytes(packed)
    if device is None:
        return program, None
    with opened(Choice(device, config)) as backend:
        return program, backend.setup


def _packed(file: Path) -> bytes | None:
    """Return the bytes of a packed program, or ``None`` if the file is none."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ProtocolError(f"{file}: the file cannot be read: {error.strerror}") from error
    return data if data.startswith(_MAGIC) else None


def _count(schedule: Schedule) -> str:
    return "1 event" if schedule.n_events == 1 else f"{schedule.n_events} events"


def _names(schedule: Schedule) -> str:
    return ", ".join(lane.name for lane in schedule.lanes)


def _document(file: Path, out: Path, program_hash: bytes, schedule: Schedule) -> dict[str, object]:
    return {
        "file": file,
        "out": out,
        "title": schedule.title,
        "program_hash": program_hash,
        "ports": [lane.name for lane in schedule.lanes],
        "blocks": [
            {
                "block": block.block,
                "conditions": list(block.conditions),
                "plays": len(block.plays),
                "captures": len(block.captures),
                "marks": len(block.marks),
            }
            for block in schedule.blocks
        ],
    }
