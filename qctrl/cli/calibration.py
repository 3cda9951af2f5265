"""``qctrl cal``: what was measured about a device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qctrl.cli import failure
from qctrl.cli.output import JsonOption, print_columns, print_json
from qctrl.cli.progress import Bar

if TYPE_CHECKING:
    from qctrl.calibration import Calibration

app = typer.Typer(help="Calibrations of devices.", no_args_is_help=True, rich_markup_mode=None)

SourceArgument = Annotated[str, typer.Argument(metavar="FILE|DEVICE", help="A calibration file, or a device's name.")]


@app.command("check")
def check(source: SourceArgument, *, as_json: JsonOption = False) -> None:
    """Check a calibration: schema, ranges, time grid, and that the device's Target can be made of it."""
    from qctrl.errors import CalibrationError

    try:
        calibration = _load(source)
        _check_target(calibration)
    except CalibrationError as error:
        if not as_json:
            raise
        print_json({"ok": False, "source": source, "problems": str(error).splitlines()})
        raise typer.Exit(failure.CONFIGURATION) from error
    if as_json:
        print_json({"ok": True, **_summary(calibration)})
        return
    summary = _summary(calibration)
    typer.echo(
        f"{calibration.source}: ok, {calibration.name} {calibration.id}, "
        f"{len(summary['live_qubits'])} of {summary['n_qubits']} qubits and {len(summary['live_edges'])} edges in use"
    )
    for note in (*(f"{name}: {reason}" for name, reason in calibration.demoted.items()), *calibration.warnings):
        typer.echo(f"note: {note}")


@app.command("show")
def show(source: SourceArgument, *, as_json: JsonOption = False) -> None:
    """Show the numbers of a device: frequencies, coherence, errors and durations."""
    calibration = _load(source)
    if as_json:
        body = calibration.document.model_dump(mode="json", by_alias=True, exclude_none=True)
        print_json({**_summary(calibration), "document": body})
        return
    typer.echo(f"{calibration.name}, calibration {calibration.id}, dt {float(calibration.dt_s) * 1e9:g} ns")
    header = ("qubit", "frequency/GHz", "anharm./MHz", "T1/us", "T2/us", "sx error", "x error", "readout error")
    print_columns((_qubit_row(calibration, index) for index in calibration.live_qubits), header=header)
    edges = [_edge_row(calibration, name, qubits) for name, qubits in calibration.operations() if len(qubits) == 2]
    if edges:
        print_columns(edges, header=("edge", "gate", "error", "duration/ns"))
    for name, reason in calibration.demoted.items():
        typer.echo(f"{name}: not in use, {reason}")


@app.command("bootstrap")
def bootstrap(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="Name of an emulated device.")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="File to write; the default is the device's working calibration.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Hidden truth of the emulator.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of every random number; fixed if absent.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Tune an emulated device from its nominal numbers and write its calibration."""
    from qctrl.routines import bootstrap as tune

    chosen = {} if seed is None else {"seed": seed}
    with Bar(f"tuning {device}") as bar:
        path = tune(device, out=out, truth=truth, progress=bar.say, **chosen)
    if as_json:
        print_json({"device": device, "path": path, **chosen})
    else:
        typer.echo(f"wrote {path}")


def _load(source: str) -> Calibration:
    from qctrl.calibration import find_device, load

    path = Path(source)
    is_file = path.suffix in (".yaml", ".yml") or len(path.parts) > 1 or path.is_file()
    return load(path if is_file else find_device(source))


def _check_target(calibration: Calibration) -> None:
    from qctrl.provider import build_target

    build_target(calibration)


def _summary(calibration: Calibration) -> dict[str, Any]:
    return {
        "device": calibration.name,
        "calibration_id": calibration.id,
        "hash": calibration.hash,
        "source": calibration.source,
        "n_qubits": len(calibration.qubits),
        "live_qubits": list(calibration.live_qubits),
        "live_edges": [list(pair) for pair in calibration.live_edges],
        "not_in_use": dict(calibration.demoted),
        "warnings": list(calibration.warnings),
    }


def _qubit_row(calibration: Calibration, index: int) -> tuple[str, ...]:
    qubit = calibration.live_qubit(index)
    return (
        f"{index} {calibration.qubit_names[index]}",
        _scaled(qubit.frequency, 1e-9, 6),
        _scaled(qubit.anharmonicity, 1e-6, 2),
        _scaled(qubit.t1, 1e6, 1),
        _scaled(qubit.t2_echo, 1e6, 1),
        *_errors(calibration, ("sx", "x", "measure"), (index,)),
    )


def _edge_row(calibration: Calibration, name: str, pair: tuple[int, ...]) -> tuple[str, ...]:
    duration_s = float(calibration.duration_ticks(name, pair) * calibration.dt_s)
    return (f"{pair[0]}-{pair[1]}", name, *_errors(calibration, (name,), pair), f"{duration_s * 1e9:g}")


def _errors(calibration: Calibration, names: tuple[str, ...], qubits: tuple[int, ...]) -> Iterator[str]:
    for name in names:
        gates = calibration.live_qubit(qubits[0]).gates
        if len(qubits) == 1 and name not in ("measure", *gates):
            yield "-"
            continue
        error = calibration.error(name, qubits)
        yield "-" if error is None else f"{error:.2e}"


def _scaled(value: Any, factor: float, digits: int) -> str:
    return "-" if value is None else f"{value.value * factor:.{digits}f}"
