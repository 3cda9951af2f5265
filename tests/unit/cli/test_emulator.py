"""``qctrl emulator up``: starts a process, says where it is, takes it down."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from qctrl.cli import emulator, main


def up(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "qctrl", "emulator", "up", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(pid):
    deadline = time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)


def read_document(process):
    text = ""
    while not text.endswith("}\n"):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        text += line
    return json.loads(text)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_emulator_ends_with_the_command(number):
    with up("pair2", "--json") as process:
        document = read_document(process)
        assert document["address"].startswith("tcp://127.0.0.1:")
        process.send_signal(number)
        assert process.wait(30) == (0 if number == signal.SIGINT else -signal.SIGKILL)
        wait_until_gone(document["pid"])


def test_emulator_that_dies_is_reported():
    with up("pair2", "--json") as process:
        os.kill(read_document(process)["pid"], signal.SIGKILL)
        assert process.wait(30) == 3
        assert "ended with exit code -9" in process.stderr.read()


def test_unknown_device_is_refused(capfd):
    assert main(["emulator", "up", "pair9"]) == 4
    assert "did not start" in capfd.readouterr().err


def test_foreign_address_is_refused(capfd):
    assert main(["emulator", "up", "pair2", "--bind", "tcp://0.0.0.0:5555"]) == 3
    assert "0.0.0.0" in capfd.readouterr().err


def test_interrupt_stops_the_emulator(capsys, monkeypatch):
    started = []
    real = subprocess.Popen.wait

    def wait(child, timeout=None):
        if not started:
            started.append(child)
            raise KeyboardInterrupt
        return real(child, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", wait)
    assert main(["emulator", "up", "pair2"]) == 0
    assert "emulator of pair2 at tcp://127.0.0.1:" in capsys.readouterr().out
    assert started[0].returncode is not None


def test_emulator_that_hangs_is_killed(monkeypatch):
    monkeypatch.setattr(emulator, "_STOP_DEADLINE_S", 0.2)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    child = subprocess.Popen([sys.executable, "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "deaf\n"
    emulator._stop(child)
    assert child.returncode == -signal.SIGKILL
