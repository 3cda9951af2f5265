"""Edited copies of shipped calibrations and truths, and the statistics that the physics tests share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML
from scipy.stats import binomtest

ROOT = Path(__file__).resolve().parents[2]
FALSE_ALARM = 1e-6


def edited(source: Path, target: Path, changes: Mapping[str, Any]) -> Path:
    """Write ``source`` to ``target`` with other, bare numbers at places like ``qubits/q0/t1``."""
    yaml = YAML()
    data = yaml.load(source.read_text())
    for place, value in changes.items():
        *path, last = place.split("/")
        here = data
        for key in path:
            here = here[key]
        here[last] = float(value)
    with target.open("w") as file:
        yaml.dump(data, file)
    return target


def calibration(tmp_path: Path, device: str, changes: Mapping[str, Any]) -> Path:
    return edited(ROOT / "calibrations" / device / "working.yaml", tmp_path / "working.yaml", changes)


def truth(tmp_path: Path, device: str, changes: Mapping[str, Any]) -> Path:
    return edited(ROOT / "configs" / "truth" / f"{device}.yaml", tmp_path / "truth.yaml", changes)


def bit_probabilities(populations: NDArray[np.float64], n_qubits: int) -> NDArray[np.float64]:
    """Populations of ``3**n`` levels as probabilities of ``2**n`` bit strings, level 2 reading as 1.

    Qubit 0 is the slowest axis of the levels and the rightmost, least significant bit.
    """
    cube = populations.reshape((3,) * n_qubits)
    for axis in range(n_qubits):
        low, middle, high = np.moveaxis(cube, axis, 0)
        cube = np.moveaxis(np.array([low, middle + high]), 0, axis)
    return cube.transpose(range(n_qubits - 1, -1, -1)).reshape(-1)


def assert_counts_match(counts: Mapping[str, int], probabilities: NDArray[np.float64]) -> None:
    """Test every outcome exactly, with Bonferroni's correction; false-alarm probability 1e-6 in all."""
    shots = sum(counts.values())
    width = len(probabilities).bit_length() - 1
    for outcome, expected in enumerate(probabilities):
        seen = counts.get(format(outcome, f"0{width}b"), 0)
        p_value = binomtest(seen, shots, min(max(float(expected), 0.0), 1.0)).pvalue
        assert p_value > FALSE_ALARM / len(probabilities), (
            f"outcome {outcome:0{width}b}: {seen} of {shots}, expected {expected * shots:.1f}, p = {p_value:.2g}"
        )


def total_variation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return 0.5 * float(np.abs(a - b).sum())


def frequencies(counts: Mapping[str, int], width: int) -> NDArray[np.float64]:
    shots = sum(counts.values())
    return np.array([counts.get(format(k, f"0{width}b"), 0) for k in range(2**width)]) / shots
