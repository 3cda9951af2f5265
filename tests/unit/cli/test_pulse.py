"""``qctrl pulse draw``."""

import json

import pytest

from qctrl.cli import main

from .conftest import RESET

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.usefixtures("nominal")
PAIR = ["--device", "pair2"]


def test_circuit_is_drawn(capsys, bell, tmp_path):
    out = tmp_path / "bell.html"
    assert main(["pulse", "draw", bell, *PAIR, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "pair2" in printed
    assert "9 events on q0.drive" in printed
    page = out.read_text()
    for text in ("q0.drive", "c01.flux", "→ c[0]", "writes c[1]"):
        assert text in page


def test_one_event_is_one_event(capsys, bell, tmp_path):
    assert main(["pulse", "draw", bell, *PAIR, "--ports", "q0.*", "--out", str(tmp_path / "one.svg")]) == 0
    assert "1 event on q0.drive" in capsys.readouterr().out


def test_packed_program_is_drawn_with_and_without_its_device(capsys, bell, tmp_path):
    packed, out = str(tmp_path / "bell.qprog"), str(tmp_path / "bell.svg")
    assert main(["compile", bell, *PAIR, "--out", packed]) == 0
    capsys.readouterr()
    assert main(["pulse", "draw", packed, *PAIR, "--out", out, "--json"]) == 0
    named = json.loads(capsys.readouterr().out)
    assert main(["pulse", "draw", packed, "--out", out, "--json"]) == 0
    numbered = json.loads(capsys.readouterr().out)
    assert "q0.drive" in named["ports"]
    assert "port 0" in numbered["ports"]
    assert named["program_hash"] == numbered["program_hash"]
    assert named["blocks"] == [{"block": 0, "conditions": [], "plays": 7, "captures": 2, "marks": 0}]


def test_ports_are_chosen(capsys, bell, tmp_path):
    out = str(tmp_path / "bell.png")
    assert main(["pulse", "draw", bell, *PAIR, "--out", out, "--ports", "q0.drive, f0.*", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ports"] == ["q0.drive", "f0.readout", "f0.acquire"]


def test_conditions_are_told_with_the_names_of_the_bits(capsys, write, tmp_path):
    circuit = write("reset.qasm", RESET)
    assert main(["pulse", "draw", circuit, *PAIR, "--out", str(tmp_path / "x.svg"), "--json"]) == 0
    told = [block["conditions"] for block in json.loads(capsys.readouterr().out)["blocks"]]
    assert ["if scratch 0 = 1"] in told


def test_program_of_another_device_is_refused(capsys, bell, tmp_path):
    packed = str(tmp_path / "bell.qprog")
    assert main(["compile", bell, *PAIR, "--out", packed]) == 0
    assert main(["pulse", "draw", packed, "--device", "chain5", "--out", str(tmp_path / "x.svg")]) == 3
    assert "compile it anew" in capsys.readouterr().err


def test_unknown_format_and_port_are_refused(capsys, bell, tmp_path):
    assert main(["pulse", "draw", bell, *PAIR, "--out", str(tmp_path / "x.bmp")]) == 1
    assert ".html, .svg" in capsys.readouterr().err
    assert main(["pulse", "draw", bell, *PAIR, "--out", str(tmp_path / "x.svg"), "--ports", "q9.drive"]) == 1
    assert "no port q9.drive" in capsys.readouterr().err


def test_circuit_without_values_names_its_rows(capsys, write, tmp_path):
    from .conftest import OPEN

    out = tmp_path / "open.svg"
    assert main(["pulse", "draw", write("open.qasm", OPEN), *PAIR, "--out", str(out)]) == 0
    assert "row 1" in out.read_text()
