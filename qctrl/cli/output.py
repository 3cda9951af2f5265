"""What commands print: JSON for programs, aligned columns for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def print_json(document: Any) -> None:
    """Print a document as indented JSON; paths, dates and NumPy values become what JSON has."""
    typer.echo(json.dumps(document, indent=2, default=_plain))


def print_columns(rows: Iterable[Sequence[object]], *, header: Sequence[str] = ()) -> None:
    """Print rows in aligned columns; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in ([header] if header else [])]
    values = list(rows)
    cells += [[str(cell) for cell in row] for row in values]
    if not cells:
        return
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    right = [
        bool(values) and all(isinstance(cell, int | float) for cell in column) for column in zip(*values, strict=True)
    ] or [False] * len(widths)
    for row in cells:
        padded = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        typer.echo("  ".join(padded).rstrip())


def print_counts(registers: Mapping[str, Mapping[str, int]]) -> None:
    """Print one table per classical register, the most frequent outcome first."""
    for name, counts in registers.items():
        shots = sum(counts.values())
        typer.echo(f"register {name}, {shots} shots")
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        print_columns((outcome, count, f"{count / shots:7.2%}", _bar(count / shots)) for outcome, count in ranked)


def _bar(fraction: float) -> str:
    return "#" * round(40 * fraction)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    for method in ("isoformat", "tolist"):
        if hasattr(value, method):
            return getattr(value, method)()
    return str(value)
