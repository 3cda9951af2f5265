"""``qctrl cal``."""

import json
from pathlib import Path

import pytest

from qctrl.cli import main


def test_good_calibration_passes(capsys, nominal):
    assert main(["cal", "check", "pair2"]) == 0
    assert "ok, pair2 nominal, 2 of 2 qubits and 1 edges in use" in capsys.readouterr().out


def test_file_can_be_named_instead_of_a_device(capsys, nominal):
    assert main(["cal", "check", str(nominal / "chain5" / "working.yaml"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert document["live_qubits"] == [0, 1, 2, 3, 4]
    assert len(document["hash"]) == 64


@pytest.fixture
def typo(nominal):
    path = nominal / "pair2" / "working.yaml"
    path.write_text(path.read_text().replace("anharmonicity:", "anharmonicty:", 1))
    return str(path)


def test_typo_is_shown_with_its_place(capsys, typo):
    assert main(["cal", "check", typo]) == 4
    error = capsys.readouterr().err
    assert error.startswith(f"error [QC-CAL]: {typo}:")
    assert "anharmonicty" in error


def test_problems_as_json_go_to_standard_output(capsys, typo):
    assert main(["cal", "check", "pair2", "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert "anharmonicty" in document["problems"][0]


def test_dead_qubit_is_noted(capsys, nominal):
    path = nominal / "chain5" / "working.yaml"
    path.write_text(path.read_text().replace("    index: 4\n", "    index: 4\n    operational: false\n"))
    assert main(["cal", "check", "chain5"]) == 0
    assert "note: q4: operational: false" in capsys.readouterr().out
    assert main(["cal", "show", "chain5"]) == 0
    shown = capsys.readouterr().out
    assert "q4: not in use, operational: false" in shown
    assert "3-4" not in shown


def test_device_is_shown_in_laboratory_units(capsys, nominal):
    assert main(["cal", "show", "pair2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("pair2, calibration nominal, dt 1 ns")
    assert lines[2].split()[:3] == ["0", "q0", "4.820000"]
    assert any(line.startswith("0-1") for line in lines)


def test_whole_document_is_in_the_json(capsys, nominal):
    assert main(["cal", "show", "pair2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["document"]["qubits"]["q0"]["index"] == 0


def test_unknown_device_is_refused_with_the_known_ones(capsys, nominal):
    assert main(["cal", "show", "pair3"]) == 4
    assert "chain5, grid20, heavyhex7, pair2" in capsys.readouterr().err


def test_missing_file_is_refused(capsys, tmp_path):
    assert main(["cal", "check", str(tmp_path / "none.yaml")]) == 4
    assert "none.yaml" in capsys.readouterr().err


def test_bootstrap_gets_its_options(capsys, monkeypatch, tmp_path):
    asked = {}

    def tune(device, **options):
        asked.update(options, device=device)
        options["progress"]("tuning q0")
        return Path("calibrations/pair2/working.yaml")

    monkeypatch.setattr("qctrl.routines.bootstrap", tune)
    out = tmp_path / "new.yaml"
    assert main(["cal", "bootstrap", "pair2", "--seed", "5", "--out", str(out)]) == 0
    assert capsys.readouterr().out == "wrote calibrations/pair2/working.yaml\n"
    assert (asked["device"], asked["seed"], asked["out"], asked["truth"]) == ("pair2", 5, out, None)
    assert main(["cal", "bootstrap", "pair2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == "calibrations/pair2/working.yaml"
