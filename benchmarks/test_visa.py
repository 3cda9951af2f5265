"""Uploads to, and queries of, an emulated generator on a TCP socket: through a session, and through pyvisa alone."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qctrl.instruments.scpi import Session

pyvisa = pytest.importorskip("pyvisa")

RACK = Path(__file__).resolve().parents[1] / "configs" / "rack_visa.yaml"
ROUNDS = 5


@pytest.fixture(scope="module")
def address():
    """Yield the address of a generator in a process of its own."""
    command = [sys.executable, "-m", "firmware_sim", "rack", str(RACK), "--any-port", "--watch-stdin"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = re.search(r"awg1=(\d+)", child.stdout.readline())[1]
    yield f"TCPIP0::127.0.0.1::{port}::SOCKET"
    child.stdin.close()
    child.wait()
    child.stdout.close()


@pytest.fixture
def session(address):
    found = Session("awg1", address)
    found.open()
    yield found
    found.close()


@pytest.fixture
def plain(address):
    manager = pyvisa.ResourceManager("@py")
    found = manager.open_resource(address, read_termination="\n", write_termination="\n", timeout=60_000)
    yield found
    found.close()
    manager.close()


def samples(megabytes):
    return np.random.default_rng(0).uniform(-1, 1, megabytes << 18).astype("<f4")


@pytest.mark.parametrize("megabytes", [1, 4, 16])
def test_upload_through_a_session(benchmark, session, megabytes):
    wave, name = samples(megabytes), f"s{megabytes}"
    session.write(f'WLISt:WAVeform:NEW "{name}",{len(wave)},REAL')

    def upload():
        session.write(f'WLISt:WAVeform:DATA "{name}",0,{len(wave)},', memoryview(wave).cast("B"))
        assert session.ask("*OPC?") == "1"

    benchmark.pedantic(upload, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info["megabytes_per_s"] = round(megabytes * 1.048576 / benchmark.stats.stats.min, 1)
    assert session.ask_block(f'WLISt:WAVeform:DATA? "{name}",0,{len(wave)}', wave.nbytes) == wave.tobytes()


@pytest.mark.parametrize("megabytes", [1, 4, 16])
def test_upload_through_pyvisa_alone(benchmark, plain, megabytes):
    wave, name = samples(megabytes), f"p{megabytes}"
    plain.write(f'WLISt:WAVeform:NEW "{name}",{len(wave)},REAL')

    def upload():
        plain.write_binary_values(f'WLISt:WAVeform:DATA "{name}",0,{len(wave)},', wave, datatype="f")
        assert plain.query("*OPC?") == "1"

    benchmark.pedantic(upload, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info["megabytes_per_s"] = round(megabytes * 1.048576 / benchmark.stats.stats.min, 1)


def test_query_through_a_session(benchmark, session):
    assert benchmark(session.ask, "*OPC?") == "1"


def test_two_commands_and_a_query_through_a_session(benchmark, session):
    def group():
        session.write("AWGControl:STOP")
        session.write("OUTPut:OFF 0")
        return session.ask("*OPC?")

    assert benchmark(group) == "1"


def test_query_through_pyvisa_alone(benchmark, plain):
    assert benchmark(plain.query, "*OPC?") == "1"


def test_two_commands_and_a_query_through_pyvisa_alone(benchmark, plain):
    def group():
        plain.write("AWGControl:STOP")
        plain.write("OUTPut:OFF 0")
        return plain.query("*OPC?")

    # The first round may be a thousand times faster than all others, and so are the rounds that are planned by it.
    assert benchmark.pedantic(group, rounds=20) == "1"
