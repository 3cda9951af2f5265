import pytest

from firmware_sim import search
from qctrl.errors import ConfigError


def test_environment_wins_over_the_checkout(tmp_path, monkeypatch):
    (tmp_path / "pair2.yaml").touch()
    monkeypatch.setenv(search.VARIABLE, f"/nowhere:{tmp_path}")
    assert search.find_truth("pair2") == tmp_path / "pair2.yaml"


def test_shipped_devices_are_found(monkeypatch):
    monkeypatch.delenv(search.VARIABLE, raising=False)
    assert search.find_truth("pair2").is_file()


def test_unknown_device_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"no truth for device 'nope'; known: .*pair2.*--truth FILE"):
        search.find_truth("nope")


@pytest.mark.parametrize("name", ["", "../pair2", "a b", "pair2.yaml"])
def test_name_that_is_no_name_is_refused(name):
    with pytest.raises(ConfigError, match="letters, digits"):
        search.find_truth(name)
