import argparse
import os
import threading
from pathlib import Path

import pytest

from firmware_sim import __main__ as start


def options(bind, *, own_folder=True):
    return argparse.Namespace(bind=bind, own_folder=own_folder)


@pytest.fixture
def address(tmp_path):
    folder = tmp_path / "w"
    folder.mkdir(mode=0o700)
    (folder / "s").touch()
    return f"ipc://{folder}/s"


def test_bad_start_is_one_line_and_an_exit_code(capsys, tmp_path):
    assert (
        start.main(["--device", "pair2", "--truth", str(tmp_path / "missing.yaml"), "--bind", "tcp://127.0.0.1:*"]) == 4
    )
    assert start.main(["--device", "pair2", "--bind", "tcp://0.0.0.0:1"]) == 2
    said = capsys.readouterr().err
    assert "missing.yaml" in said
    assert "use 127.0.0.1" in said
    assert "Traceback" not in said


def test_device_is_needed(capsys):
    with pytest.raises(SystemExit):
        start.main(["--bind", "tcp://127.0.0.1:*"])
    assert "--device" in capsys.readouterr().err


def test_process_that_hangs_is_ended_after_the_grace_time(monkeypatch, address, tmp_path):
    codes, stopped = [], threading.Event()
    monkeypatch.setattr(start, "_GRACE_S", 0.0)
    monkeypatch.setattr(start.os, "_exit", codes.append)
    monkeypatch.setattr(start, "_stdin_closed", lambda wait_s: True)
    start._watch(os.getppid(), stopped.set, lambda: start._clean(options(address)))
    assert codes == [3]
    assert stopped.is_set()
    assert not (tmp_path / "w").exists()


def test_dead_parent_ends_the_watch_though_stdin_is_open(monkeypatch, address):
    codes = []
    monkeypatch.setattr(start, "_GRACE_S", 0.0)
    monkeypatch.setattr(start.os, "_exit", codes.append)
    monkeypatch.setattr(start, "_stdin_closed", lambda wait_s: pytest.fail("not asked"))
    start._watch(-1, lambda: None, lambda: None)
    assert codes == [3]


def test_folder_that_is_not_its_own_or_that_others_use_stays(address, tmp_path):
    start._clean(options(address, own_folder=False))
    assert list((tmp_path / "w").iterdir()) == []
    (tmp_path / "w" / "theirs").touch()
    start._clean(options(address))
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["theirs"]
    start._clean(options("tcp://127.0.0.1:5570"))


def test_truth_of_another_device_is_refused(capsys):
    truth = Path(__file__).parents[3] / "configs" / "truth" / "chain5.yaml"
    assert start.main(["--device", "pair2", "--truth", str(truth), "--bind", "tcp://127.0.0.1:*"]) == 4
    assert "the truth of device 'chain5', not of 'pair2'" in capsys.readouterr().err


def test_closed_stdin_is_noticed(monkeypatch):
    reading, writing = os.pipe()
    monkeypatch.setattr(start, "_STDIN", reading)
    assert not start._stdin_closed(0.0)
    os.write(writing, b"x")
    assert not start._stdin_closed(1.0)
    os.close(writing)
    assert start._stdin_closed(1.0)
    os.close(reading)
