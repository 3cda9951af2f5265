"""The emulator's process: starts, serves, and never outlives its parent."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from qctrl.errors import ConfigError, InstrumentError, InstrumentTimeoutError
from qctrl.execution import Emulator, embedded
from qctrl.instruments import open_driver

DEADLINE_S = 30.0


def wait_for(condition):
    until = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < until, "condition did not come true in time"
        time.sleep(0.02)


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def ask_until_it_fails(driver):
    while True:
        driver.health()


@pytest.fixture
def emulator():
    found = Emulator("pair2")
    yield found
    found.close()


def test_it_answers_over_a_private_folder_and_leaves_nothing(emulator):
    assert emulator.folder.stat().st_mode & 0o777 == 0o700
    driver = open_driver("sequencer", emulator.address, "pair2", emulator.failure)
    assert driver.connect().device == "pair2"
    driver.close()
    assert emulator.failure() is None
    for _ in range(2):
        emulator.close()
    assert is_gone(emulator.pid)
    assert not emulator.folder.exists()
    assert emulator.failure() == "the emulator's process ended with exit code 0 and said nothing"


def test_bad_truth_is_told_with_the_emulators_own_words(tmp_path):
    truth = tmp_path / "t.yaml"
    truth.write_text("schema: qctrl.truth/1\ndevice: pair2\n")
    with pytest.raises(
        ConfigError, match=r"emulator of pair2 did not start: .*t.yaml:1:1: document: key 'edges' is missing"
    ):
        Emulator("pair2", truth)


def test_unknown_device_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"no truth for device 'nope'; known: chain5, grid20, heavyhex7, pair2"):
        Emulator("nope")


def test_start_that_takes_too_long_is_a_timeout_and_ends_the_child(monkeypatch):
    monkeypatch.setattr(embedded, "_START_DEADLINE_S", 0.01)
    before = set(psutil.Process().children())
    with pytest.raises(InstrumentTimeoutError, match=r"was not ready within 0.01 s"):
        Emulator("pair2")
    assert set(psutil.Process().children()) <= before


def test_it_may_be_closed_while_it_starts(monkeypatch):
    closing = queue.Queue()
    monkeypatch.setattr(embedded.atexit, "register", closing.put)
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(Emulator, "pair2")
        closing.get(timeout=DEADLINE_S)()
        error = started.exception(DEADLINE_S)
    # It ends before it is ready, or just behind that.
    assert error is None or isinstance(error, InstrumentError)


def test_killed_child_is_told_at_once(emulator):
    driver = open_driver("sequencer", emulator.address, "pair2", emulator.failure)
    driver.connect()
    os.kill(emulator.pid, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(InstrumentError, match="died during health: the emulator's process was killed by signal 9"):
        ask_until_it_fails(driver)
    assert time.monotonic() - began < 4
    driver.close()
    emulator.close()
    assert not emulator.folder.exists()


def test_hung_child_is_killed(emulator, monkeypatch):
    monkeypatch.setattr(embedded, "_STOP_DEADLINE_S", 0.2)
    os.kill(emulator.pid, signal.SIGSTOP)
    emulator.close()
    assert is_gone(emulator.pid)
    assert not emulator.folder.exists()


def test_termination_is_clean_and_removes_the_socket(tmp_path):
    folder = tmp_path / "w"
    folder.mkdir(mode=0o700)
    command = [sys.executable, "-m", "firmware_sim", "--device", "pair2", "--bind", f"ipc://{folder}/s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == f"ready ipc://{folder}/s\n"
        child.terminate()
        assert child.wait(DEADLINE_S) == 0
    assert list(folder.iterdir()) == []


def test_address_that_is_not_private_is_refused():
    command = [sys.executable, "-m", "firmware_sim", "--device", "pair2", "--bind", "tcp://0.0.0.0:5570"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 2
    assert "use 127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_fork_that_ends_leaves_the_emulator_alone(emulator, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(emulator, "_owner", -1)
        emulator.close()
    assert emulator.failure() is None


PARENT = """
import os, sys, time
from qctrl.execution import Emulator
emulator = Emulator("pair2")
if sys.argv[1] == "forked" and os.fork() == 0:
    time.sleep(60)
    os._exit(0)
print(emulator.pid, emulator.folder, flush=True)
if sys.argv[1] == "exits":
    sys.exit()
if sys.argv[1] == "raises":
    raise SystemError
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["killed", "forked", "exits", "raises"])
def test_child_and_folder_go_with_the_parent_however_it_ends(how):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, how], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        pid, folder = parent.stdout.readline().split()
        relatives = psutil.Process(parent.pid).children() if how == "forked" else []
        if how in ("killed", "forked"):
            parent.kill()
        parent.wait(DEADLINE_S)
        wait_for(lambda: is_gone(int(pid)) and not Path(folder).exists())
        for relative in relatives:
            if relative.is_running():
                relative.kill()
    finally:
        parent.stdout.close()
