"""``qctrl compile``."""

import json
from pathlib import Path

import numpy as np
import pytest

from qctrl.cli import main
from qctrl.protocol import Program

from .conftest import OPEN, RESET

pytestmark = pytest.mark.usefixtures("nominal")
PAIR = ["--device", "pair2"]
CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.mark.parametrize(
    ("dump", "word"), [("gates", "cz q0 q1"), ("pulses", "play q0.drive"), ("program", "capture -> c0")]
)
def test_stage_is_printed(capsys, bell, dump, word):
    assert main(["compile", bell, *PAIR, "--dump", dump]) == 0
    assert word in capsys.readouterr().out


def test_packed_program_is_the_default_and_can_be_kept(capsys, bell, tmp_path):
    out = tmp_path / "bell.qprog"
    assert main(["compile", bell, *PAIR, "--out", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    program = Program.from_bytes(out.read_bytes())
    assert document["program_hash"] == program.hash.hex()
    assert document["bytes"] == out.stat().st_size
    assert document["duration_ticks"] == int(program.blocks["length_ticks"].sum())
    assert document["text"] == program.text()


def test_samples_are_summed_up_per_port(capsys, bell):
    assert main(["compile", bell, *PAIR, "--dump", "samples"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["port", "samples", "period", "peak", "rms"]
    assert {line.split()[0] for line in lines[1:]} >= {"q0.drive", "q1.flux", "f0.readout"}


@pytest.mark.parametrize(("port", "columns"), [("q0.drive", 3), ("q1.flux", 2)])
def test_samples_of_one_port_are_listed(capsys, bell, port, columns):
    assert main(["compile", bell, *PAIR, "--dump", "samples", "--port", port]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1000
    assert {len(line.split()) for line in lines} == {columns}


def test_samples_as_json_are_numbers(capsys, bell):
    assert main(["compile", bell, *PAIR, "--dump", "samples", "--json"]) == 0
    samples = json.loads(capsys.readouterr().out)["samples"]
    assert np.abs(np.array(samples["q0.drive"]["i"]) + 1j * np.array(samples["q0.drive"]["q"])).max() > 0.05
    assert np.abs(samples["q1.flux"]["level"]).max() > 0.05


def test_open_parameter_compiles(capsys, write):
    assert main(["compile", write("open.qasm", OPEN), *PAIR, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == ["theta"]


def test_samples_need_parameter_values(capsys, write):
    assert main(["compile", write("open.qasm", OPEN), *PAIR, "--dump", "samples"]) == 1
    assert "theta" in capsys.readouterr().err


def test_branching_program_has_no_single_duration(capsys, write):
    assert main(["compile", write("reset.qasm", RESET), *PAIR, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["duration_ticks"] is None


def test_unknown_port_is_refused_with_the_known_ones(capsys, bell):
    assert main(["compile", bell, *PAIR, "--dump", "samples", "--port", "q9.drive"]) == 1
    error = capsys.readouterr().err
    assert "no output port q9.drive" in error
    assert "q0.drive, q1.drive" in error


def test_port_without_samples_is_wrong_usage(capsys, bell):
    assert main(["compile", bell, *PAIR, "--port", "q0.drive"]) == 2
    assert "--dump samples" in capsys.readouterr().err


def test_unwritable_output_is_refused(capsys, bell, tmp_path):
    assert main(["compile", bell, *PAIR, "--out", str(tmp_path / "none" / "x")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_q1asm_of_a_cluster_is_printed(capsys, bell):
    rack = str(CONFIGS / "rack_qblox_pair2.yaml")
    assert main(["compile", bell, *PAIR, "--dump", "q1asm", "--config", rack]) == 0
    out = capsys.readouterr().out
    assert "# slot 2 sequencer 0 (QCM-RF)" in out
    assert "shot:   reset_ph" in out


def test_q1asm_needs_the_rack_of_a_cluster(capsys, bell):
    assert main(["compile", bell, *PAIR, "--dump", "q1asm"]) == 2
    assert "--config" in capsys.readouterr().err
    assert main(["compile", bell, *PAIR, "--dump", "q1asm", "--config", str(CONFIGS / "emulator.yaml")]) == 4
    assert "only a rack with driver: cluster" in capsys.readouterr().err
