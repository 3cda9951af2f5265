"""Devices and files for the command line's tests."""

import shutil
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]

BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
RESET = BELL.replace("h q[0];", "h q[0];\nreset q[0];")
OPEN = BELL.replace("qubit[2] q;", "input float[64] theta;\nqubit[2] q;\nrz(theta) q[0];\nsx q[0];")


@pytest.fixture
def nominal(tmp_path, monkeypatch):
    """Devices with their nominal numbers, which need no tuning to be compiled for."""
    folder = tmp_path / "calibrations"
    for name in ("pair2", "chain5", "heavyhex7", "grid20"):
        (folder / name).mkdir(parents=True)
        shutil.copy(CHECKOUT / "calibrations" / name / "nominal.yaml", folder / name / "working.yaml")
    monkeypatch.setenv("QCTRL_CALIBRATIONS", str(folder))
    return folder


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path as a word for the command line."""

    def write_file(name, text):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write_file


@pytest.fixture
def bell(write):
    return write("bell.qasm", BELL)
