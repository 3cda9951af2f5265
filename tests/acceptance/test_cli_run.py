"""OpenQASM files through the whole stack, from the command line."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import pytest

from qctrl.cli import main
from qctrl.service import JobStore, Stage

QASM2 = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
h q[0];
cx q[0], q[1];
measure q -> c;
"""
QASM3 = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit first;
bit[2] c;
x q[0];
first = measure q[0];
reset q[0];
x q[1];
c = measure q;
"""
SHOTS = 2000


@pytest.fixture
def run(tmp_path, capsys):
    def run_text(text, *words):
        path = tmp_path / "circuit.qasm"
        path.write_text(text)
        assert main(["run", str(path), "--device", "pair2", "--shots", str(SHOTS), "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)

    return run_text


def test_bell_pair_without_noise_is_even_and_equal(run):
    counts = run(QASM2, "--seed", "11", "--no-noise")["registers"]["c"]
    assert sum(counts.values()) == SHOTS
    # Coherent errors stay; readout errors and decoherence do not.
    assert counts.get("01", 0) + counts.get("10", 0) < 0.02 * SHOTS
    # Five standard deviations of a fair coin (false alarm 6e-7) and 2 % for coherent errors.
    assert abs(counts["00"] / SHOTS - 0.5) < 5 * math.sqrt(0.25 / SHOTS) + 0.02


def test_equal_seeds_give_equal_counts(run):
    first, second = run(QASM2, "--seed", "3"), run(QASM2, "--seed", "3")
    assert first["registers"] == second["registers"]
    assert first["job_id"] != second["job_id"]


def test_reset_and_bits_declared_one_by_one(run):
    registers = run(QASM3, "--seed", "5", "--no-noise")["registers"]
    assert set(registers) == {"bits", "c"}
    assert registers["bits"]["1"] > 0.98 * SHOTS
    assert registers["c"]["10"] > 0.96 * SHOTS


def test_table_names_device_calibration_and_job(tmp_path, capsys):
    path = tmp_path / "bell.qasm"
    path.write_text(QASM2)
    assert main(["run", str(path), "--device", "pair2", "--shots", "100"]) == 0
    head, register, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("bell.qasm on pair2, calibration ")
    assert register == "register c, 100 shots"
    assert sum(int(row.split()[1]) for row in rows) == 100


def test_stored_result_is_the_printed_one(run, capsys):
    document = run(QASM2, "--seed", "8")
    assert main(["jobs", "result", document["job_id"][:12], "--json"]) == 0
    (pub,) = json.loads(capsys.readouterr().out)["pubs"]
    assert pub["registers"] == document["registers"]
    assert main(["jobs", "result", document["job_id"]]) == 0
    assert "register c, 2000 shots" in capsys.readouterr().out


def test_interrupt_cancels_the_job_and_leaves_a_record(tmp_path):
    path = tmp_path / "long.qasm"
    path.write_text(QASM3)
    store = JobStore(tmp_path / "jobs.sqlite")
    words = [sys.executable, "-m", "qctrl", "run", str(path), "--device", "pair2", "--shots", "10000000"]
    environment = {**os.environ, "QCTRL_JOBS": str(store.path)}
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not any(record.stage is Stage.RUNNING for record in store.list()):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    (record,) = store.list()
    store.close()
    assert process.returncode == 130
    assert error == f"job {record.job_id} was cancelled\n"
    assert record.stage is Stage.CANCELLED
