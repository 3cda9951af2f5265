"""``qctrl rack``: what is installed, and whether it is in order."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qctrl.cli.failure import CHECK_FAILED
from qctrl.cli.output import JsonOption, print_columns, print_json
from qctrl.errors import ConfigError, QctrlError

if TYPE_CHECKING:
    from qctrl.config import Rack
    from qctrl.instruments.boxes import BoxHealth

app = typer.Typer(help="The rack and its instruments.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """The rack and its instruments."""


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="RACK.yaml", exists=True, dir_okay=False, help="Rack file.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Ask every box who it is and how it is, before anything is switched on."""
    from qctrl.config import load_rack
    from qctrl.execution import check_boxes

    rack = load_rack(file)
    _refuse_sequencer(file, rack)
    found = check_boxes(rack)
    rows = [_row(name, rack, health) for name, health in found.items()]
    if as_json:
        print_json(rows)
    else:
        print_columns((tuple(str(value) for value in row.values()) for row in rows), header=tuple(rows[0]))
    if not all(row["status"] == "ok" for row in rows):
        raise typer.Exit(CHECK_FAILED)


@app.command("outputs")
def outputs(
    file: Annotated[Path, typer.Argument(metavar="RACK.yaml", exists=True, dir_okay=False, help="Rack file.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Say what every box would put out for the present calibration; nothing is connected, nothing is sent."""
    from qctrl.access import ProviderService
    from qctrl.config import load_rack
    from qctrl.instruments import open_boxes

    rack = load_rack(file)
    _refuse_sequencer(file, rack)
    (device,) = rack.devices
    with ProviderService(config=file) as service:
        lines = open_boxes(rack, device).announced(service.backend(device).setup)
    if as_json:
        print_json(lines)
    else:
        typer.echo("\n".join(lines))


def _refuse_sequencer(file: Path, rack: "Rack") -> None:
    if not rack.instruments:
        raise ConfigError(f"{file}: this rack is a sequencer; only racks with driver: boxes have boxes")


def _row(name: str, rack: "Rack", health: "BoxHealth | QctrlError") -> dict[str, Any]:
    address = rack.instruments[name].address
    if isinstance(health, QctrlError):
        row = dict.fromkeys(("identity", "limits", "clock", "outputs", "errors"), "")
        said = str(health).splitlines()[0].removeprefix(f"instrument {name} at {address}: ")
        return {"box": name, "address": address, **row, "status": said}
    identity = health.identity
    troubles = list(_troubles(health))
    return {
        "box": name,
        "address": address,
        "identity": f"{identity.maker} {identity.model} {identity.serial}",
        "limits": health.limits,
        "clock": "locked" if health.reference_locked else "unlocked",
        "outputs": "on" if health.outputs_on else "off",
        "errors": "; ".join(health.errors) or "none",
        "status": "; ".join(troubles) or "ok",
    }


def _troubles(health: "BoxHealth") -> Iterator[str]:
    if not health.reference_locked:
        yield "not locked to its reference clock, check the cable"
    if health.errors:
        yield "its error queue was not empty"
