"""The script that writes an emulated grid."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from firmware_sim.config import load_truth
from firmware_sim.physics.device import build_chip

ROOT = Path(__file__).parents[2]


def generated(folder: Path, *arguments: str) -> Path:
    command = [sys.executable, str(ROOT / "configs" / "generate_grid.py"), *arguments, "--root", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    return folder


def test_the_shipped_files_of_grid20_are_what_it_writes(tmp_path):
    written = generated(tmp_path, "grid20", "4", "5")
    for name in ("calibrations/grid20/nominal.yaml", "configs/wiring_grid20.yaml", "configs/truth/grid20.yaml"):
        assert (written / name).read_text() == (ROOT / name).read_text()


def test_another_seed_is_another_chip_of_the_same_design(tmp_path):
    first, second = (generated(tmp_path / seed, "row3", "1", "3", "--seed", seed) for seed in ("1", "2"))
    truths = [load_truth(folder / "configs/truth/row3.yaml") for folder in (first, second)]
    assert truths[0].hash != truths[1].hash
    assert [len(build_chip(truth).couplings) for truth in truths] == [2, 2]
