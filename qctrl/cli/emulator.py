"""``qctrl emulator``: the firmware emulator as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from qctrl.cli.output import JsonOption, print_json
from qctrl.errors import ConfigError, InstrumentError

app = typer.Typer(help="The firmware emulator.", no_args_is_help=True, rich_markup_mode=None)

_READY: Final = "ready "
_STOP_DEADLINE_S: Final = 10.0


@app.callback()
def group() -> None:
    """The firmware emulator."""


@app.command("up")
def up(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="Name of the device to emulate.")],
    *,
    truth: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Hidden truth; the default is the device's own.")
    ] = None,
    bind: Annotated[str, typer.Option(help="tcp://127.0.0.1:PORT, or ipc://PATH.")] = "tcp://127.0.0.1:*",
    as_json: JsonOption = False,
) -> None:
    """Start an emulator, print its address, and keep it up until Ctrl-C."""
    source = ["--device", device] if truth is None else ["--device", device, "--truth", str(truth)]
    beside = str(Path(__file__).resolve().parents[2])
    paths = [beside, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    child = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-P", "-m", "firmware_sim", *source, "--bind", bind, "--watch-stdin"],
        stdin=subprocess.PIPE,  # stays open as long as this process lives: the child ends with it
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        text=True,
    )
    try:
        _announce(child, device, as_json=as_json)
        code = child.wait()
    except KeyboardInterrupt:
        return  # the way to stop a process in the foreground
    finally:
        _stop(child)
    raise InstrumentError(f"the emulator of {device} ended with exit code {code}", name=device)


def _announce(child: subprocess.Popen[str], device: str, *, as_json: bool) -> None:
    line = child.stdout.readline() if child.stdout is not None else ""
    if not line.startswith(_READY):
        from qctrl.execution.embedded import BAD_FILE

        code = child.wait()
        text = f"the emulator of {device} did not start, exit code {code}; see above"
        raise ConfigError(text) if code == BAD_FILE else InstrumentError(text, name=device)
    address = line.removeprefix(_READY).strip()
    if as_json:
        print_json({"device": device, "address": address, "pid": child.pid})
    else:
        typer.echo(f"emulator of {device} at {address}; write 'address: {address}' into a rack file, stop with Ctrl-C")
    sys.stdout.flush()


def _stop(child: subprocess.Popen[str]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    child.terminate()
    try:
        child.wait(_STOP_DEADLINE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
