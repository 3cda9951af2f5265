from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qctrl.calibration import find_device, load
from qctrl.config import default_racks, find_rack, load_rack, load_wiring
from qctrl.errors import ConfigError

CONFIGS = Path(__file__).parents[3] / "configs"
WIRING = (CONFIGS / "wiring_pair2.yaml").read_text()
RACK = (CONFIGS / "emulator.yaml").read_text()


def written(folder: Path, text: str, name: str = "f.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("device", ["pair2", "chain5", "heavyhex7", "grid20"])
def test_shipped_wiring_has_every_port_of_its_device(device):
    wiring = load_rack(CONFIGS / "emulator.yaml").wiring(device)
    calibration = load(find_device(device, file="nominal.yaml"))
    for index in calibration.live_qubits:
        ports = calibration.live_qubit(index).ports
        given = {ports.drive, ports.flux, ports.readout, ports.acquire}
        # Transmons of fixed frequency have neither flux lines nor couplers.
        assert given - ({None} if device == "heavyhex7" else set()) <= set(wiring.ports)
    for edge in calibration.document.edges.values():
        assert (edge.coupler is None) == (device == "heavyhex7")
        assert edge.coupler is None or wiring.port(edge.coupler.port).kind == "flux"


@pytest.mark.parametrize("device", ["pair2", "chain5", "heavyhex7", "grid20"])
def test_shipped_carriers_lie_within_the_bandwidth_of_their_lo(device):
    wiring = load_rack(CONFIGS / "emulator.yaml").wiring(device)
    calibration = load(find_device(device, file="nominal.yaml"))
    for index in calibration.live_qubits:
        qubit = calibration.live_qubit(index)
        assert qubit.readout is not None
        for port, carrier in ((qubit.ports.drive, qubit.frequency), (qubit.ports.readout, qubit.readout.frequency)):
            assert port is not None
            assert carrier is not None
            assert abs(carrier.value - wiring.lo_hz(port)) <= wiring.port(port).bandwidth


def test_flux_port_has_no_lo():
    wiring = load_wiring(CONFIGS / "wiring_pair2.yaml")
    assert wiring.lo_hz("q0.flux") == 0.0
    assert wiring.lo_hz("q0.drive") == 4.9e9
    with pytest.raises(ConfigError, match=r"port q9.drive is not wired; add it"):
        wiring.port("q9.drive")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("lo: lo_drive", "lo: lo_x", r"f.yaml:\d+:\d+: ports.q0.drive.lo: LO lo_x does not exist; known are lo_drive"),
        ("lo: lo_drive, ", "", "a port of kind iq_drive needs an LO; add lo"),
        ("kind: flux", "kind: flux, lo: lo_drive", "a flux port has no LO; remove it"),
        ("kind: iq_drive", "kind: iq_readout", "port q0.drive cannot be of kind iq_readout; its name ends in .readout"),
        ("kind: iq_drive", "kind: iq_out", "value 'iq_out' is not one of 'iq_drive', 'flux'"),
        ("sample_rate: 1.0e9", "sample_rate: 1", "value 1 Hz is outside"),
        ("full_scale_v", "fullscale_v", "unknown key; did you mean 'full_scale_v'"),
        ("schema: qctrl.wiring/1", "schema: qctrl.rack/1", "is not one of 'qctrl.wiring/1'"),
        ("frequency: 4.9e9", "frequency: 4.9e9, frequency: 5e9", "duplicate key"),
    ],
)
def test_bad_wiring_is_refused_with_its_place(tmp_path, old, new, expected):
    assert old in WIRING
    with pytest.raises(ConfigError, match=expected):
        load_wiring(written(tmp_path, WIRING.replace(old, new, 1)))


def test_hand_written_quantities_are_read(tmp_path):
    text = WIRING.replace("4.9e9", "4.9 GHz").replace("full_scale_v: 0.5", "full_scale_v: 500 mV, delay: 12 ns")
    wiring = load_wiring(written(tmp_path, text))
    assert wiring.lo_hz("q0.drive") == 4.9e9
    assert wiring.port("q0.drive").full_scale_v == 0.5
    assert wiring.port("q0.drive").delay == 1.2e-8


def test_shipped_rack_is_the_embedded_emulator():
    rack = load_rack(CONFIGS / "emulator.yaml")
    assert rack.embedded
    assert rack.driver == "sequencer"
    assert rack.devices == ("pair2", "chain5", "heavyhex7", "grid20")
    with pytest.raises(ConfigError, match="device 'x' is not in this rack; known are pair2, chain5, heavyhex7, grid20"):
        rack.wiring("x")


@pytest.mark.parametrize("address", ["ipc:///tmp/a", "tcp://127.0.0.1:5571", "embedded"])
def test_addresses_of_a_rack(tmp_path, address):
    rack = load_rack(written(tmp_path, RACK.replace("address: embedded", f'address: "{address}"')))
    assert rack.address == address
    assert rack.embedded == (address == "embedded")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("embedded", "http://x", r"f.yaml:4:10: address: value 'http://x' is not an address; write embedded, ipc"),
        ("embedded", "tcp://", "is not an address"),
        ("driver: sequencer", "driver: visa", "value 'visa' is not one of 'sequencer'"),
        ("wiring: wiring_pair2.yaml", "wirng: x", "unknown key; did you mean 'wiring'"),
        ("  pair2:", "  pair-2:", "devices.pair-2: value 'pair-2' "),
    ],
)
def test_bad_rack_is_refused_with_its_place(tmp_path, old, new, expected):
    assert old in RACK
    with pytest.raises(ConfigError, match=expected):
        load_rack(written(tmp_path, RACK.replace(old, new, 1)))


def test_missing_wiring_file_is_told(tmp_path):
    rack = load_rack(written(tmp_path, RACK))
    with pytest.raises(ConfigError, match=r"wiring_pair2.yaml:1:1: document: does not exist"):
        rack.wiring("pair2")


def test_named_rack_wins_over_environment_and_defaults(tmp_path, monkeypatch):
    first, second = written(tmp_path, RACK, "a.yaml"), written(tmp_path, RACK, "b.yaml")
    monkeypatch.setenv("QCTRL_CONFIG", str(second))
    assert find_rack(first) == first
    assert find_rack() == second
    monkeypatch.delenv("QCTRL_CONFIG")
    assert find_rack().name == "emulator.yaml"
    assert find_rack() in default_racks()


def test_missing_rack_is_told(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"^rack file \S*absent.yaml does not exist"):
        find_rack(tmp_path / "absent.yaml")
    monkeypatch.setenv("QCTRL_CONFIG", str(tmp_path / "absent.yaml"))
    with pytest.raises(ConfigError, match="QCTRL_CONFIG: rack file"):
        find_rack()
    monkeypatch.delenv("QCTRL_CONFIG")
    monkeypatch.setattr("qctrl.config.find.default_racks", lambda: (tmp_path / "absent.yaml",))
    with pytest.raises(ConfigError, match=r"no rack file found, searched .*absent.yaml; name one or set QCTRL_CONFIG"):
        find_rack()


@given(start=st.integers(0, len(WIRING)), length=st.integers(0, 20), insert=st.text(max_size=6))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_typing_error_anywhere_gives_a_config_error_or_a_valid_file(tmp_path, start, length, insert):
    path = tmp_path / "f.yaml"
    path.write_bytes((WIRING[:start] + insert + WIRING[start + length :]).encode("utf-8", "surrogatepass"))
    message = ""
    try:
        load_wiring(path)
    except ConfigError as error:
        message = str(error)
    assert not message or message.startswith(f"{path}:")
