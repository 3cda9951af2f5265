"""Errors as lines and exit codes."""

import pytest

from qctrl.cli.failure import exit_code, lines
from qctrl.errors import (
    CalibrationError,
    CompileError,
    ConfigError,
    InstrumentFault,
    InstrumentTimeoutError,
    JobError,
    ProtocolError,
    ResourceError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CompileError("x"), 1),
        (ResourceError("x"), 1),
        (JobError("x"), 1),
        (ValueError("x"), 1),
        (InstrumentTimeoutError("x"), 3),
        (InstrumentFault("x"), 3),
        (ProtocolError("x"), 3),
        (CalibrationError("x"), 4),
        (ConfigError("x"), 4),
        (ExceptionGroup("two", [InstrumentFault("x"), InstrumentFault("y")]), 3),
    ],
)
def test_exit_code_says_what_kind_of_thing_failed(error, code):
    assert exit_code(error) == code


def test_line_starts_with_the_stable_code():
    assert list(lines(ResourceError("too long"))) == ["error [QC-CMP-RESOURCE]: too long"]


def test_every_cause_of_a_group_gets_its_line():
    group = ExceptionGroup("2 instruments cannot be opened", [InstrumentFault("first"), ConfigError("second")])
    assert list(lines(group)) == ["error [QC-INST-FAULT]: first", "error [QC-CFG]: second"]


def test_further_problems_are_indented():
    found = list(lines(CalibrationError("a.yaml:1:1: x\na.yaml:2:1: y\n")))
    assert found == ["error [QC-CAL]: a.yaml:1:1: x", "  a.yaml:2:1: y"]


def test_error_without_text_still_says_its_name():
    assert list(lines(CompileError(""))) == ["error [QC-CMP]: CompileError"]


def test_defect_is_called_one():
    (line,) = lines(ZeroDivisionError("division\nby zero"))
    assert line.startswith("error [QC-INTERNAL]: ZeroDivisionError: division by zero")
    assert "QCTRL_DEBUG=1" in line
