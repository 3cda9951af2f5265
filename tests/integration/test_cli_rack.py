"""``qctrl rack check`` on an emulated rack of its own process, and the control port of that process."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from qctrl.cli import main
from tests.integration.rack_bench import with_ports

pytest.importorskip("pyvisa_py")

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    """Yield the rack file and a way to ask the control port."""
    folder = tmp_path_factory.mktemp("rack")
    text = (CONFIGS / "rack_visa.yaml").read_text().replace("wiring_", f"{CONFIGS}/wiring_")
    text = text.replace("address: embedded\n", "")
    file = folder / "rack.yaml"
    file.write_text(text)
    command = [
        sys.executable,
        "-m",
        "firmware_sim",
        "rack",
        str(file),
        "--any-port",
        "--control",
        "0",
        "--watch-stdin",
        "--seed",
        "1",
    ]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ready, device, *ports = child.stdout.readline().split()
    assert (ready, device) == ("ready", "pair2")
    *boxes, control = [int(port.partition("=")[2]) for port in ports]
    file.write_text(with_ports(text, boxes))

    def ask(**request):
        with socket.create_connection(("127.0.0.1", control)) as link, link.makefile("rw") as stream:
            stream.write(json.dumps(request) + "\n")
            stream.flush()
            return json.loads(stream.readline())

    yield file, ask
    child.stdin.close()
    assert child.wait(10) == 0
    child.stdout.close()


@pytest.fixture(autouse=True)
def leases(tmp_path, monkeypatch):
    monkeypatch.setenv("QCTRL_LEASES", str(tmp_path))


def test_rack_in_order_is_listed_box_by_box_and_left_as_it_was(emulated, capsys):
    file, ask = emulated
    assert ask(instrument="lo_drive", ask="state")["frequency_hz"] == 1e9
    assert main(["rack", "check", str(file), "--json"]) == 0
    rows = {row["box"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["awg1"]["identity"] == "TEKTRONIX AWG5208 B010201"
    assert rows["lo_drive"]["limits"] == "15 dBm"
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert {row["outputs"] for row in rows.values()} == {"off"}
    assert {row["errors"] for row in rows.values()} == {"none"}
    assert ask(instrument="lo_drive", ask="state")["reference"] == "INT"


def test_trouble_is_named_at_its_box_and_fails_the_check(emulated, capsys):
    file, ask = emulated
    assert ask(instrument="awg2", fault="reference_locked", value=False) == {"ok": True}
    ask(instrument="digitizer", fault="push_error", value=[-300, "Device-specific error"])
    ask(instrument="lo_drive", fault="identity", value="Rohde&Schwarz,SGS100A,7,1")
    assert main(["rack", "check", str(file)]) == 1
    out = capsys.readouterr().out
    assert "not locked to its reference clock" in out
    assert "-300, Device-specific error  its error queue was not empty" in out
    assert "serial number 7 answers, not 101001" in out
    ask(instrument="awg2", fault="reference_locked", value=True)
    ask(instrument="lo_drive", fault="identity", value=None)
    assert main(["rack", "check", str(file)]) == 0


def test_box_that_does_not_answer_is_one_line_and_the_others_are_checked(emulated, tmp_path, capsys):
    file, _ = emulated
    other = tmp_path / "other.yaml"
    text = file.read_text()
    awg1 = next(line for line in text.splitlines() if line.startswith("    address:"))
    other.write_text(text.replace(awg1, "    address: TCPIP0::127.0.0.1::1::SOCKET"))
    assert main(["rack", "check", str(other), "--json"]) == 1
    rows = {row["box"]: row["status"] for row in json.loads(capsys.readouterr().out)}
    said = "cannot be opened: nobody answers there (Connection refused); check its address, its power and its cable"
    assert rows.pop("awg1") == said
    assert set(rows.values()) == {"ok"}


def test_outputs_are_announced_without_asking_anybody(tmp_path, capsys):
    file = CONFIGS / "rack_visa.yaml"
    assert main(["rack", "outputs", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "bias: 0 V, held from now on (q0.flux)"
    assert "lo_drive: 4900000000 Hz at 13 dBm (q0.drive, q1.drive)" in lines
    assert "awg1 channel 8: 0 V, and the trigger at marker 1" in lines
    assert "awg2 channel 3: within 1 V of 0 V, at 1000000000 samples/s (c01.flux)" in lines
    assert len(lines) == 13
    assert main(["rack", "outputs", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == lines


@pytest.mark.parametrize("command", ["check", "outputs"])
def test_rack_of_a_sequencer_is_refused(command, capsys):
    assert main(["rack", command, str(CONFIGS / "emulator.yaml")]) == 4
    assert "this rack is a sequencer" in capsys.readouterr().err


def test_control_port_refuses_what_it_does_not_know(emulated):
    _, ask = emulated
    assert "there is no instrument 'x'" in ask(instrument="x", fault="delay_s")["error"]
    assert "bias has no fault 'misses_triggers'" in ask(instrument="bias", fault="misses_triggers")["error"]
    assert "awg1 has no fault 'tired'; known: delay_s, " in ask(instrument="awg1", fault="tired")["error"]
    assert (
        ask(instrument="awg1", fault="delay_s", value="long")["error"]
        == "delay_s takes a value of type float, not 'long'"
    )
    assert "takes a code and a text" in ask(instrument="awg1", fault="push_error", value=-222)["error"]
    assert ask(fault="delay_s")["error"].startswith('say {"instrument": NAME')
    assert ask(instrument="awg1", ask="age")["error"].startswith('say {"instrument": NAME')
    assert "frames_short" in ask(instrument="digitizer", ask="faults")["faults"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("tektronix_mso", "lecroy"), "'lecroy' is not emulated"),
        (("::15204::SOCKET", "::INSTR"), "cannot be served here"),
        (("  pair2:", "  pear2:"), "no truth for device 'pear2'"),
    ],
)
def test_rack_that_cannot_be_emulated_is_refused(tmp_path, change, text):
    file = tmp_path / "r.yaml"
    source = (CONFIGS / "rack_visa.yaml").read_text().replace("wiring_", f"{CONFIGS}/wiring_")
    file.write_text(source.replace(*change))
    command = [sys.executable, "-m", "firmware_sim", "rack", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert text in done.stderr
