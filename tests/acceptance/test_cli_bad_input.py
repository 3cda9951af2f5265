"""What users get wrong: one clear line, a place, a remedy, a non-zero exit code, nothing on standard output."""

import pytest

from qctrl.cli import main

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
BELL = HEAD + "qubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n"
PAIR = ["--device", "pair2"]


@pytest.fixture
def refused(tmp_path, capsys):
    def refuse(text, *words):
        path = tmp_path / "bad.qasm"
        path.write_text(text)
        code = main(["run", str(path), *words])
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error [QC-")
        assert "Traceback" not in captured.err
        assert "QC-INTERNAL" not in captured.err
        return code, captured.err

    return refuse


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        (BELL.replace("h q[0];", "h q[0]"), PAIR, ["bad.qasm:6:1: syntax error at 'cx'", "';'"]),
        (BELL.replace("h q[0];", "had q[0];"), PAIR, ["bad.qasm:5:1: gate 'had' is not defined"]),
        (BELL.replace("[2]", "[3]"), PAIR, ["has 3 qubits, pair2 has 2", "larger device"]),
        (BELL.replace("[2]", "[6]"), [], ["has 6 qubits, chain5 has 5"]),
        (BELL.replace("c = measure q;", ""), PAIR, ["measures nothing", "add 'c = measure q;'"]),
        (
            HEAD + "input float[64] theta;\nqubit q;\nbit c;\nrx(theta) q;\nc = measure q;\n",
            PAIR,
            ["input theta has no value", "SamplerV2"],
        ),
        ("hello world\n", PAIR, ["bad.qasm:2:1: syntax error at end of file"]),
        ("", PAIR, ["the file is empty"]),
    ],
    ids=["syntax", "gate", "qubits", "qubits chain5", "measurement", "parameter", "prose", "empty"],
)
def test_bad_circuit_is_refused(refused, text, words, said):
    code, error = refused(text, *words)
    assert code == 1
    for part in said:
        assert part in error


def test_unknown_device_is_refused_with_the_known_ones(refused):
    code, error = refused(BELL, "--device", "pair3")
    assert code == 4
    assert "did you mean 'pair2'" in error
    assert "chain5" in error


@pytest.mark.parametrize(
    "rack",
    [
        "schema: qctrl.rack/1\ndriver: sequencer\naddres: embedded\ndevices: {}\n",
        "schema: qctrl.rack/1\nschema: qctrl.rack/1\n",
        "a: &x [1]\nb: [*x, *x]\n",
        ": : :\n",
    ],
    ids=["typo", "duplicate", "anchor", "syntax"],
)
def test_bad_rack_file_is_refused_with_its_place(refused, tmp_path, rack):
    path = tmp_path / "rack.yaml"
    path.write_text(rack)
    code, error = refused(BELL, *PAIR, "--config", str(path))
    assert code == 4
    assert f"{path}:" in error


def test_missing_rack_file_is_refused(refused, tmp_path):
    code, error = refused(BELL, *PAIR, "--config", str(tmp_path / "none.yaml"))
    assert code == 4
    assert "none.yaml" in error


def test_missing_circuit_file_is_wrong_usage(capsys):
    assert main(["run", "no_such_file.qasm"]) == 2
    assert "no_such_file.qasm" in capsys.readouterr().err


def test_dead_emulator_is_named(refused, tmp_path, request):
    wiring = request.config.rootpath / "configs" / "wiring_pair2.yaml"
    (tmp_path / "wiring_pair2.yaml").write_text(wiring.read_text())
    path = tmp_path / "rack.yaml"
    path.write_text(
        "schema: qctrl.rack/1\ndriver: sequencer\naddress: tcp://127.0.0.1:9\n"
        "devices:\n  pair2: {wiring: wiring_pair2.yaml}\n"
    )
    code, error = refused(BELL, *PAIR, "--config", str(path))
    assert code == 3
    assert "tcp://127.0.0.1:9" in error
