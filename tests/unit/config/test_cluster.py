"""Rack files of a Qblox cluster."""

import pytest

from qctrl.config import load_rack
from qctrl.errors import ConfigError

GOOD = """
schema: qctrl.rack/1
driver: cluster
devices:
  pair2: {wiring: wiring.yaml}
instruments:
  cluster:
    kind: qblox_cluster
    address: dummy
    modules: {2: QCM-RF, 6: QRM-RF}
    channels: {q0.drive: [2, 1], f0.readout: [6, 1], f0.acquire: [6, 1]}
"""


def rack_of(tmp_path, *changes):
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "rack.yaml"
    path.write_text(text)
    return load_rack(path)


def test_a_cluster_is_one_instrument_with_branches(tmp_path):
    rack = rack_of(tmp_path)
    assert (rack.driver, rack.has_branches, rack.has_switches) == ("cluster", True, False)
    assert rack.instruments["cluster"].modules == {"2": "QCM-RF", "6": "QRM-RF"}


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("QCM-RF", "QXM", "modules.2"),
        ("2: QCM-RF", "21: QCM-RF", "modules"),
        ("[2, 1]", "[3, 1]", "is no slot and output of a module"),
        ("[2, 1]", "[2]", "is no slot and output of a module"),
        ("q0.drive: [2, 1]", "q0.drive: [6, 1]", r"\[6, 1\] is taken by q0.drive"),
        ("qblox_cluster", "tektronix_mso", "is no cluster; write qblox_cluster"),
        ("driver: cluster", "driver: cluster\naddress: embedded", "a cluster has its address among the instruments"),
        ("devices:\n", "devices:\n  pair3: {wiring: wiring.yaml}\n", "a cluster is wired to one device"),
        ("instruments:\n", "instruments:\n  other: {kind: qblox_cluster, address: dummy}\n", "here are 2"),
    ],
)
def test_what_no_cluster_is_gets_refused(old, new, text, tmp_path):
    with pytest.raises(ConfigError, match=text):
        rack_of(tmp_path, (old, new))
