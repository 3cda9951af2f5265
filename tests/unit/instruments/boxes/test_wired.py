"""Which lines a box may name, and where."""

import pytest

from qctrl.config import RackInstrument
from qctrl.errors import ConfigError
from qctrl.instruments.boxes import open_box
from qctrl.instruments.boxes.wired import wire

AWG = {"kind": "tektronix_awg5200", "channels": {"q0.flux": (1,)}, "trigger_channel": 8}


def wired(**bias):
    entries = {
        name: RackInstrument(address=f"TCPIP0::127.0.0.1::{port}::SOCKET", **entry)
        for port, (name, entry) in enumerate({"awg": AWG, "bias": bias}.items(), 1)
    }
    return wire(entries, {name: open_box(name, entry) for name, entry in entries.items()})


def test_source_with_many_outputs_names_one_for_each_port():
    found = wired(kind="qdevil_qdac2", bias={"q0.flux": 3, "q1.flux": 4})
    assert (found.biased("q0.flux"), found.biased("q1.flux"), found.biased("q2.flux")) == ("bias", "bias", None)
    assert found.trigger == "awg"


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"channels": {"q1.flux": (1,)}}, "names its lines in ports: or bias:, and there only"),
        ({"ports": ("q0.flux",), "bias": {"q1.flux": 2}}, "names its lines in ports: or bias:, and there only"),
        ({"ports": ("q0.flux", "q1.flux")}, "one level cannot hold 2 ports; use bias: PORT: OUTPUT"),
        ({}, "names its lines in ports: or bias:"),
    ],
)
def test_lines_in_the_wrong_place_are_refused(entry, text):
    with pytest.raises(ConfigError, match=text):
        wired(kind="yokogawa_gs200", **entry)


def test_oscillator_has_ports_only():
    with pytest.raises(ConfigError, match="a rohde_schwarz_smb100a names its lines in ports:, and there only"):
        wired(kind="rohde_schwarz_smb100a", bias={"q0.flux": 1})
