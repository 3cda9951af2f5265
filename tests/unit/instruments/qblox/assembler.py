"""The vendor's own assembler as the judge of programs; it comes with ``qblox-instruments`` and needs no hardware."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

MEMORIES = ("assembler", "instruction memory")


def binary():
    """Path of the assembler; skips where there is none that runs."""
    found = importlib.util.find_spec("qblox_instruments")
    if found is None or found.origin is None or sys.platform != "linux":
        pytest.skip("qblox-instruments with its assembler for Linux is not installed")
    return Path(found.origin).parent / "assemblers" / "q1asm_linux"


def complaint(text, folder):
    """What the assembler says against a program; empty if it takes it."""
    (folder / "one.q1asm").write_text(text)
    done = subprocess.run(
        [binary(), "-o", "one", "one.q1asm"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def accept(cluster, folder):
    """Assert that every program of a cluster is taken."""
    for each in cluster.sequences:
        assert not complaint(each.program, folder), each.program
        assert each.n_instructions == sum(1 for line in each.program.splitlines() if line.strip())
