"""A service on an emulated rack, and a ledger of what its job store must hold."""

from __future__ import annotations

import dataclasses
import sqlite3

from qiskit import QuantumCircuit, transpile

from qctrl.access import ProviderService
from qctrl.compiler import CompileCache
from qctrl.execution import Work
from qctrl.primitives import SamplerV2
from qctrl.provider import Request
from qctrl.service import JobStore

SHOTS = 20
DEADLINE_S = 15.0
"""Of a job with a fault, on a machine whose cores are busy; its own deadlines are a tenth of it."""
_NOTE_ENDS = """
CREATE TABLE ends (id VARCHAR NOT NULL);
CREATE TRIGGER note_end AFTER UPDATE OF status ON jobs WHEN NEW.status NOT IN ('QUEUED', 'RUNNING')
BEGIN INSERT INTO ends VALUES (NEW.id); END;
"""


def bell(backend):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return transpile(circuit, backend, seed_transpiler=1)


class Ledger:
    """Every job that was taken, as it ended: stage, text of the error, bytes of the result.

    The store's file itself notes each time that a job ends.
    """

    def __init__(self):
        self._kept = {}
        self._path = JobStore().path
        JobStore().list()  # makes the file
        with sqlite3.connect(self._path) as connection:
            connection.executescript(_NOTE_ENDS)
        connection.close()

    def stored(self):
        # Opened anew, as an earlier or a later process does.
        store = JobStore()
        records = [store.get(record.job_id) for record in store.list(limit=None)]
        store.close()
        return {record.job_id: (record.stage, record.error, record.result) for record in records}

    def take(self):
        """Enter the jobs that are new, after a check that nothing else changed; return their stages and errors."""
        found = self.stored()
        assert {job_id: found.get(job_id) for job_id in self._kept} == self._kept
        new = {job_id: kept for job_id, kept in found.items() if job_id not in self._kept}
        self._kept = found
        assert all(stage.final for stage, _, _ in found.values())
        assert all((result is not None) == (stage == "DONE") for stage, _, result in found.values())
        with sqlite3.connect(self._path) as connection:
            ended = [job_id for (job_id,) in connection.execute("SELECT id FROM ends ORDER BY id")]
        connection.close()
        assert ended == sorted(found)  # each once
        return [(str(stage), error) for stage, error, _ in new.values()]


class Lab:
    """A service on a rack, as a lab has it.

    Args:
        path: Rack file.
        ledger: Of the job store.
    """

    def __init__(self, path, ledger):
        self.ledger = ledger
        self.path = path
        self.service = ProviderService(config=path)
        self.backend = self.service.backend("pair2")
        self.bell = bell(self.backend)

    def submit(self, circuit=None, backend=None):
        return SamplerV2(backend or self.backend).run([circuit or self.bell], shots=SHOTS)

    def submit_program(self, change):
        """Submit the program of a Bell pair after a change that no compiler makes."""
        program = change(self.backend.compile(self.bell).program)
        return self.backend.submit(Request("sampler", (Work(program, None, SHOTS),), {}, {}))

    def submit_for(self, change):
        """Submit a Bell pair for a Setup with other ports."""
        device = self.backend.device
        ports = tuple(change(port) for port in device.setup.ports)
        setup = dataclasses.replace(device.setup, ports=ports)
        view = dataclasses.replace(device, setup=setup, compile_cache=CompileCache())
        return self.submit(backend=self.backend.viewing(view))

    def submit_beside(self):
        """Submit from a second service on the same rack."""
        with ProviderService(config=self.path) as second:
            job = self.submit(backend=second.backend("pair2"))
            job.wait_for_final_state(DEADLINE_S)
            return job

    def assert_works(self):
        """The next job is done, and the store holds it beside all others."""
        job = self.submit()
        assert job.result(DEADLINE_S)[0].data.meas.num_shots == SHOTS
        assert self.ledger.take() == [("DONE", "")]

    def close(self):
        self.service.close()
