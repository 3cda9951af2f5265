"""The application: its subcommands, and the one place where errors become lines and exit codes."""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer

from qctrl.cli import (
    calibration,
    compile,  # noqa: A004 - file per command
    demo,
    doctor,
    emulator,
    failure,
    jobs,
    pulse,
    rack,
    run,
)
from qctrl.version import __version__

_INTERRUPTED: Final = 130
_TERMINATED: Final = 143

app = typer.Typer(
    name="qctrl",
    help="Open control stack between Qiskit and a superconducting QPU.",
    no_args_is_help=True,
    add_completion=False,
    # Plain help and errors: Rich would double the start time, and colours the words that scripts look for.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", short_help="Run an OpenQASM file, print counts.")(run.run)
app.command("demo", short_help="Run a Bell pair, tell each stage.")(demo.demo)
app.command("compile", short_help="Print a compiled OpenQASM file.")(compile.compile_file)
app.command("doctor", short_help="Check this installation.")(doctor.doctor)
app.add_typer(emulator.app, name="emulator")
app.add_typer(jobs.app, name="jobs")
app.add_typer(pulse.app, name="pulse")
app.add_typer(rack.app, name="rack")
app.add_typer(calibration.app, name="cal")


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"qctrl {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and leave.")
    ] = False,
) -> None:
    """Open control stack between Qiskit and a superconducting QPU."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Words after ``qctrl``; the default is the command line.

    Returns:
        0 if all went well, 1 after a failed check or another error, 2 after wrong usage, 3 if an instrument or the
        connection to it failed, 4 if a calibration or configuration file cannot be used, 130 after Ctrl-C, 143 after
        SIGTERM.
    """
    if arguments is None:
        return _whole_process()
    return _run(arguments)


def _whole_process() -> int:
    """Run the command line of a process that does nothing else."""
    # Imports make a million objects and no garbage: looking for it costs 0.15 s here, and 0.6 s more at the exit.
    gc.set_threshold(100_000, 20, 100)
    terminated: list[int] = []

    def terminate(number: int, _frame: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)  # a second one ends it at once
        terminated.append(number)
        raise KeyboardInterrupt

    # As Ctrl-C does, it cancels the job and leaves outputs safe.
    signal.signal(signal.SIGTERM, terminate)
    code = _run(sys.argv[1:])
    gc.freeze()
    return _TERMINATED if terminated and code == _INTERRUPTED else code


def _run(arguments: Sequence[str]) -> int:
    try:
        app(args=list(arguments), prog_name="qctrl")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:
        # The outermost frame: users get a line, never a traceback.
        if os.environ.get("QCTRL_DEBUG") == "1":
            raise
        sys.stdout.flush()
        for line in failure.lines(error):
            typer.echo(line, err=True)
        return failure.exit_code(error)
    return 0
