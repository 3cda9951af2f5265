"""Days of a laboratory in minutes: good, refused, cancelled and killed jobs in turn; nothing leaks and nothing is lost.

Left out unless ``pytest tests/soak --soak MINUTES`` says how long; ``make soak`` does.
"""

import sqlite3
import time
from dataclasses import dataclass

import numpy as np
import psutil
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.providers import JobStatus

from qctrl import EstimatorV2, ProviderService, SamplerV2
from qctrl.errors import JobCancelledError, UnsupportedInstructionError

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

WAIT_S = 60.0
KILL_EVERY = 50
# Caches fill up first, since angles come back; from then on a leak of 10 KiB a job would be above this in ten minutes.
WARM_UP_SHARE, GROWTH_BYTES = 0.4, 12 << 20
ANGLES = np.linspace(-3, 3, 50)


@pytest.fixture
def store(tmp_path, monkeypatch):
    file = tmp_path / "jobs.sqlite"
    monkeypatch.setenv("QCTRL_JOBS", str(file))
    return file


@pytest.fixture
def backend(store):
    with ProviderService() as service:
        yield service.backend("pair2", seed=3)


def swept():
    angle = Parameter("angle")
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.rz(angle, 0)
    circuit.sx(0)
    circuit.cz(0, 1)
    return circuit


def measured():
    return swept().measure_all(inplace=False)


def sampled(backend, rng):
    return SamplerV2(backend).run([(measured(), rng.choice(ANGLES, (20, 1)), 50)])


def estimated(backend, rng):
    return EstimatorV2(backend).run([(swept(), ["ZZ", "XI", "IY"], rng.choice(ANGLES, 1))], precision=0.1)


def counted(backend, rng):
    return backend.run(measured().assign_parameters(rng.choice(ANGLES, 1)), shots=100, memory=True)


def cancelled(backend, rng):
    job = SamplerV2(backend).run([(measured(), rng.choice(ANGLES, (2000, 1)), 100)])
    job.cancel()
    return job


def refuse(backend):
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    with pytest.raises(UnsupportedInstructionError, match="instruction h"):
        SamplerV2(backend).run([circuit])


def the_emulator():
    (child,) = psutil.Process().children(recursive=True)
    return child


@dataclass(frozen=True)
class Footprint:
    host_bytes: int
    emulator_bytes: int
    files: int
    threads: int


def footprint():
    here, emulator = psutil.Process(), the_emulator()
    return Footprint(here.memory_info().rss, emulator.memory_info().rss, here.num_fds(), here.num_threads())


def cycle(backend, rng, ended):
    """Run one job of each kind, and keep how it ended."""
    refuse(backend)
    for work in (sampled, estimated, counted):
        job = work(backend, rng)
        job.result(timeout=WAIT_S)
        ended[job.job_id()] = job.status()
        assert job.status() == JobStatus.DONE
    job = cancelled(backend, rng)
    with pytest.raises(JobCancelledError):
        job.result(timeout=WAIT_S)
    ended[job.job_id()] = job.status()


def kill_in_a_job(backend, rng, ended):
    """Take the emulator away under a job, which must end soon and must not harm the next."""
    job = SamplerV2(backend).run([(measured(), rng.choice(ANGLES, (2000, 1)), 100)])
    the_emulator().kill()
    job.wait_for_final_state(WAIT_S)
    assert job.status() == JobStatus.ERROR
    ended[job.job_id()] = job.status()


def test_nothing_leaks_and_nothing_is_lost(backend, store, request, rng):
    start, length_s = time.monotonic(), 60 * request.config.getoption("--soak")
    before, ended, cycles = None, {}, 0
    while time.monotonic() < start + length_s:
        cycles += 1
        cycle(backend, rng, ended)
        warm = time.monotonic() > start + WARM_UP_SHARE * length_s
        if before is None and not warm and cycles % KILL_EVERY == 0:
            kill_in_a_job(backend, rng, ended)
        if before is None and warm:
            before = footprint()
    after = footprint()
    print(f"{len(ended)} jobs; {before} -> {after}")
    assert after.host_bytes - before.host_bytes < GROWTH_BYTES
    assert after.emulator_bytes - before.emulator_bytes < GROWTH_BYTES
    assert after.files <= before.files
    assert after.threads <= before.threads
    with sqlite3.connect(store) as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
        rows = dict(database.execute("select id, status from jobs").fetchall())
    assert rows == {job: status.name for job, status in ended.items()}
