"""The progress bar."""

import io
import sys
import time

import pytest

from qctrl.cli import progress
from qctrl.cli.progress import Bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def wait_for(text, terminal):
    deadline = time.monotonic() + 20
    while text not in terminal.getvalue():
        assert time.monotonic() < deadline, terminal.getvalue()
        time.sleep(0.01)


@pytest.fixture
def plug_in(monkeypatch):
    # To be called inside the test: pytest puts its own stderr back when the call begins.
    def now(stream):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(progress, "_PATIENCE_S", 0.0)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "100")
        return stream

    return now


def test_nothing_is_drawn_where_there_is_no_terminal(plug_in):
    stream = plug_in(io.StringIO())
    with Bar("working"):
        pass
    assert stream.getvalue() == ""


def test_nothing_is_drawn_for_what_is_quick(plug_in, monkeypatch):
    terminal = plug_in(Terminal())
    monkeypatch.setattr(progress, "_PATIENCE_S", 60.0)
    with Bar("working"):
        pass
    assert terminal.getvalue() == ""


def test_label_is_drawn_and_can_change(plug_in):
    terminal = plug_in(Terminal())
    with Bar("first step") as bar:
        wait_for("first step", terminal)
        bar.say("second step")
        wait_for("second step", terminal)


def test_bar_fills_as_far_as_the_work_is(plug_in):
    terminal = plug_in(Terminal())
    with Bar("shots") as bar:
        bar.follow(lambda: None)
        wait_for("shots", terminal)
        assert "%" not in terminal.getvalue()
        bar.follow(lambda: (750, 1000))
        wait_for("75%", terminal)
