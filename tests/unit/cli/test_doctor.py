"""``qctrl doctor``: each check, healthy and not."""

import json
from importlib import metadata

from qctrl.cli import doctor, main
from qctrl.errors import InstrumentError


def only(check):
    (finding,) = check()
    return finding


def test_healthy_installation_passes(capsys, nominal):
    assert main(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert {"device pair2", "job store", "emulator over ipc"} <= {check["check"] for check in document["checks"]}


def test_failed_check_is_explained_and_exits_with_1(capsys, monkeypatch):
    def sick():
        yield doctor.Finding("wire", ok=False, detail="cut", remedy="mend it")

    monkeypatch.setattr(doctor, "_CHECKS", (doctor.check_python, sick))
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok    python")
    assert lines[-1] == "wire: mend it"


def test_old_python_is_refused(monkeypatch):
    monkeypatch.setattr(doctor, "_MIN_PYTHON", (9, 0))
    assert not only(doctor.check_python).ok


def test_foreign_distribution_with_the_same_folder_is_found(monkeypatch):
    monkeypatch.setattr(metadata, "packages_distributions", lambda: {"qctrl": ["qctrl", "qctrl_stack"]})
    finding = only(doctor.check_foreign_package)
    assert not finding.ok
    assert finding.remedy.startswith("pip uninstall qctrl;")


def test_own_distribution_is_not_foreign(monkeypatch):
    monkeypatch.setattr(metadata, "packages_distributions", lambda: {"qctrl": ["qctrl_stack"]})
    assert only(doctor.check_foreign_package).ok


def test_library_of_another_series_is_found(monkeypatch):
    def version(name):
        if name == "numba":
            raise metadata.PackageNotFoundError(name)
        return "3.0.1" if name == "qiskit" else "1.0"

    monkeypatch.setattr(metadata, "version", version)
    sick = {finding.check: finding.detail for finding in doctor.check_libraries() if not finding.ok}
    assert sick == {"qiskit": "3.0.1", "numba": "not installed"}


def test_cache_folder_that_is_a_file_is_found(monkeypatch, write):
    monkeypatch.setenv("NUMBA_CACHE_DIR", write("file", ""))
    finding = only(doctor.check_kernel_cache)
    assert not finding.ok
    assert "NUMBA_CACHE_DIR" in finding.remedy


def test_cache_folder_that_can_still_be_made_is_fine(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new" / "folder"))
    assert only(doctor.check_kernel_cache).ok


def test_missing_devices_are_reported(monkeypatch):
    monkeypatch.setattr("qctrl.calibration.list_devices", dict)
    assert only(doctor.check_devices).detail == "none found"
    assert list(doctor.check_wire()) == []


def test_unreadable_calibration_is_reported(nominal):
    (nominal / "pair2" / "working.yaml").write_text("schema: 5\n")
    found = {finding.check: finding for finding in doctor.check_devices()}
    assert found["device chain5"].ok
    assert not found["device pair2"].ok
    assert found["device pair2"].remedy.startswith("qctrl cal check ")


def test_job_store_that_cannot_be_made_is_reported(monkeypatch, write):
    monkeypatch.setenv("QCTRL_JOBS", write("file", "") + "/jobs.sqlite")
    finding = only(doctor.check_jobs)
    assert not finding.ok
    assert "QCTRL_JOBS" in finding.remedy


def test_emulator_that_does_not_start_is_reported(monkeypatch, nominal):
    def start(device):
        raise InstrumentError("it ended\nFileNotFoundError: truth")

    monkeypatch.setattr("qctrl.execution.Emulator", start)
    finding = only(doctor.check_wire)
    assert not finding.ok
    assert finding.detail == "it ended; FileNotFoundError: truth"
