from __future__ import annotations

import os

import pytest

from qctrl.calibration import default_search, find_device, list_devices
from qctrl.errors import CalibrationError


@pytest.fixture
def folder(tmp_path):
    for name, file in (("alpha", "working.yaml"), ("beta", "nominal.yaml"), ("not-a-name", "working.yaml")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("")
    return tmp_path


def test_device_is_found_by_its_folder(folder):
    assert find_device("alpha", (folder,)) == folder / "alpha" / "working.yaml"
    assert list_devices((folder, folder / "absent")) == {"alpha": folder / "alpha" / "working.yaml"}


def test_first_folder_wins(folder, tmp_path_factory):
    second = tmp_path_factory.mktemp("second")
    (second / "alpha").mkdir()
    (second / "alpha" / "working.yaml").write_text("")
    assert find_device("alpha", (second, folder)).parent.parent == second


def test_environment_names_folders_to_search_first(folder, monkeypatch):
    monkeypatch.setenv("QCTRL_CALIBRATIONS", f"{folder}{os.pathsep}elsewhere")
    assert default_search()[0] == folder
    assert find_device("alpha") == folder / "alpha" / "working.yaml"


def test_untuned_device_names_the_command_that_tunes_it(folder):
    with pytest.raises(CalibrationError, match="not calibrated yet; run 'qctrl cal bootstrap beta'"):
        find_device("beta", (folder,))
    assert find_device("beta", (folder,), file="nominal.yaml").name == "nominal.yaml"


@pytest.mark.parametrize("name", ["gamma", "../alpha", "not-a-name", ""])
def test_unknown_device_lists_the_known_ones(folder, name):
    with pytest.raises(CalibrationError, match="is unknown; known are alpha, searched "):
        find_device(name, (folder,))


def test_empty_search_says_none(tmp_path):
    with pytest.raises(CalibrationError, match="known are none"):
        find_device("alpha", (tmp_path,))
