"""A built wheel, unpacked far from the checkout, runs the demo: the shipped devices travel inside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]


def test_an_installed_wheel_runs_the_demo_in_an_empty_folder(tmp_path: Path) -> None:
    subprocess.run([*BUILD, str(tmp_path), str(ROOT)], check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("qctrl_stack-*.whl")
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # The copy in the wheel is not what coverage is measured of.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment = {**inherited, "PYTHONPATH": str(site), "QCTRL_JOBS": str(tmp_path / "jobs.sqlite")}
    for code in ("import qctrl; print(qctrl.__file__)", "import firmware_sim; print(firmware_sim.__file__)"):
        found = subprocess.run(
            [sys.executable, "-c", code], cwd=empty, env=environment, capture_output=True, check=True
        )
        assert str(site) in found.stdout.decode()
    demo = [sys.executable, "-m", "qctrl", "demo", "--json", "--shots", "1000"]
    told = subprocess.run(demo, cwd=empty, env=environment, capture_output=True, check=True, timeout=120)
    counts = json.loads(told.stdout)["registers"]["meas"]
    assert sum(counts.values()) == 1000
    # Readout errors of about 1 % a bit; with 30 expected, 100 is beyond 12 sigma.
    assert counts.get("01", 0) + counts.get("10", 0) < 100
