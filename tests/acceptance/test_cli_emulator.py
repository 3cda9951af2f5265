"""A rack file that points at an emulator of its own."""

import json
import subprocess
import sys

import pytest

from qctrl.cli import main

BELL = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n'
RACK = """schema: qctrl.rack/1
driver: sequencer
address: {address}
devices:
  pair2: {{wiring: wiring_pair2.yaml}}
"""


@pytest.fixture
def rack(tmp_path, request):
    wiring = request.config.rootpath / "configs" / "wiring_pair2.yaml"
    (tmp_path / "wiring_pair2.yaml").write_text(wiring.read_text())

    def write(address):
        path = tmp_path / "rack.yaml"
        path.write_text(RACK.format(address=address))
        return str(path)

    return write


@pytest.fixture
def bell(tmp_path):
    path = tmp_path / "bell.qasm"
    path.write_text(BELL)
    return str(path)


@pytest.fixture
def address():
    words = [sys.executable, "-m", "qctrl", "emulator", "up", "pair2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            yield line.split(" at ")[1].split(";")[0]
        finally:
            process.terminate()


def test_circuit_runs_on_an_emulator_that_was_started_before(capsys, rack, bell, address):
    words = ["run", bell, "--device", "pair2", "--config", rack(address), "--shots", "300", "--json"]
    assert main([*words, "--seed", "2"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert sum(first["registers"]["c"].values()) == 300
    assert main([*words, "--seed", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["registers"] == first["registers"]


def test_address_that_may_leave_the_machine_is_refused(capsys, rack, bell):
    assert main(["run", bell, "--device", "pair2", "--config", rack("tcp://192.0.2.1:5570")]) == 4
    assert "192.0.2.1" in capsys.readouterr().err
