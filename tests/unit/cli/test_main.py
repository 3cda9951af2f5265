"""The application as a whole: help, usage errors, and what becomes of exceptions."""

import signal
import subprocess
import sys

import pytest

from qctrl import __version__
from qctrl.cli import jobs as jobs_commands
from qctrl.cli import main
from qctrl.errors import CalibrationError

COMMANDS = [["run"], ["demo"], ["compile"], ["doctor"], ["emulator", "up"]]
COMMANDS += [["jobs", name] for name in ("list", "show", "result")]
COMMANDS += [["cal", name] for name in ("check", "show", "bootstrap")]


def failing(error):
    def summary(record):
        raise error

    return summary


@pytest.fixture
def list_fails(monkeypatch):
    def arrange(error):
        def store():
            raise error

        monkeypatch.setattr("qctrl.service.JobStore", store)

    return arrange


def test_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"qctrl {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_json(capsys, command):
    assert main([*command, "--help"]) == 0
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["run"],
        ["run", "no_such_file.qasm"],
        ["run", "--shots", "0", __file__],
        ["jobs", "list", "--limit", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_says_why(capsys, arguments):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Error" in captured.err


def test_no_command_prints_help_and_exits_with_2(capsys):
    assert main([]) == 2
    assert "Commands:" in "".join(capsys.readouterr())


def test_error_of_the_stack_becomes_a_line(capsys, list_fails):
    list_fails(CalibrationError("a.yaml:1:2: bad"))
    assert main(["jobs", "list"]) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error [QC-CAL]: a.yaml:1:2: bad\n"


def test_defect_becomes_a_line(capsys, list_fails):
    list_fails(ZeroDivisionError("oh"))
    assert main(["jobs", "list"]) == 1
    assert capsys.readouterr().err.startswith("error [QC-INTERNAL]: ZeroDivisionError: oh")


def test_debug_mode_lets_the_traceback_through(monkeypatch, list_fails):
    monkeypatch.setenv("QCTRL_DEBUG", "1")
    list_fails(CalibrationError("bad"))
    with pytest.raises(CalibrationError, match="bad"):
        main(["jobs", "list"])


def test_interrupt_exits_with_130(list_fails):
    list_fails(KeyboardInterrupt())
    assert main(["jobs", "list"]) == 130


def test_command_modules_are_named_after_their_commands():
    assert jobs_commands.app.info.help == "Jobs stored on this machine."


def test_module_runs_the_command_line_of_its_process():
    done = subprocess.run([sys.executable, "-m", "qctrl", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"qctrl {__version__}\n"


def test_process_reads_its_own_arguments(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["qctrl", "--version"])
    monkeypatch.setattr("gc.freeze", lambda: None)
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main() == 0
    assert capsys.readouterr().out == f"qctrl {__version__}\n"


def test_sigterm_ends_a_command_as_an_interrupt_does(monkeypatch):
    handlers = {}
    monkeypatch.setattr(sys, "argv", ["qctrl", "jobs", "list"])
    monkeypatch.setattr("gc.freeze", lambda: None)
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    monkeypatch.setattr("signal.signal", handlers.__setitem__)
    monkeypatch.setattr("qctrl.service.JobStore", lambda: handlers[signal.SIGTERM](signal.SIGTERM, None))
    assert main() == 143
    assert handlers[signal.SIGTERM] is signal.SIG_DFL
