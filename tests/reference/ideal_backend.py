"""A backend whose runner samples ideal state vectors: the whole Qiskit side without an instrument.

Programs are compiled for real; the runner looks up, by hash, which circuit each came from and lets
Aer sample it. Nothing below the runner is used.
"""

import dataclasses
import hashlib
import threading
from pathlib import Path

import msgspec
import numpy as np
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

from qctrl.calibration import load
from qctrl.compiler import DEFAULT
from qctrl.config import load_rack
from qctrl.execution import Execution, JobResult, WorkResult
from qctrl.execution.setup import build_setup
from qctrl.provider import Backend, Device, Emulation
from qctrl.service import Jobs, JobStore

_ROOT = Path(__file__).resolve().parents[2]


class _Recorded:
    """A compiled program that remembers which values its words stand for."""

    def __init__(self, compiled, values):
        self._compiled = compiled
        self._values = values

    def __getattr__(self, name):
        return getattr(self._compiled, name)

    def bind(self, values):
        patch = self._compiled.bind(values)
        for words, point in zip(
            patch.words, np.asarray(values, dtype=float).reshape(len(patch.words), -1), strict=True
        ):
            self._values[patch.program_hash, words.tobytes()] = point
        return patch


class IdealRunner:
    """Runs each job in a thread of its own; ``gate`` holds it back, ``error`` makes it fail."""

    def __init__(self, misread_as=None):
        self.misread_as = misread_as
        self.circuits = {}
        self.executions = []
        self.values = {}
        self.specs = []
        self.error = None
        self.gate = threading.Event()
        self.gate.set()
        self._aer = AerSimulator()

    def submit(self, spec):
        self.specs.append(spec)
        execution = Execution(spec.job_id, spec.total_shots)
        self.executions.append(execution)
        threading.Thread(target=self._run, args=(spec, execution), daemon=True).start()
        return execution

    def pending(self):
        return sum(one.status() in ("QUEUED", "RUNNING") for one in self.executions)

    def debug(self, setup, body, buffers=()):
        raise NotImplementedError

    def close(self):
        self.gate.set()

    def _run(self, spec, execution):
        if not execution.begin():
            return
        self.gate.wait()
        if self.error is not None:
            execution.fail(self.error)
            return
        try:
            execution.succeed(
                JobResult(tuple(self._work(work, spec.sim) for work in spec.works), {"device": spec.device})
            )
        except Exception as error:  # noqa: BLE001 (as the real runner does)
            execution.fail(error)

    def _work(self, work, sim):
        circuit = self.circuits[work.program.hash]
        points = [np.empty(0)] if work.patch is None else self._points(work.patch)
        words = np.array(
            [self._point(circuit, point, work, sim, number) for number, point in enumerate(points)], dtype=object
        )
        n_bytes = -(-work.program.n_clbits // 8)
        bits = np.zeros((len(points), work.shots, n_bytes), dtype=np.uint8)
        for byte in range(n_bytes):
            bits[..., byte] = (words >> (8 * byte)) & 255
        if self.misread_as is not None:
            _misread(bits, self.misread_as, np.random.default_rng(sim.seed))
        bits.setflags(write=False)  # as results from the wire are
        return WorkResult(bits=bits, iq=_clouds(work, bits), statistics={"shots": work.shots})

    def _points(self, patch):
        return [self.values[patch.program_hash, words.tobytes()] for words in patch.words]

    def _point(self, circuit, point, work, sim, number):
        bound = circuit.assign_parameters(point.tolist()) if len(point) else circuit
        if not bound.num_clbits:
            return [0] * work.shots
        key = f"{sim.seed}/{work.pub_index}/{work.program.hash.hex()}/{number}".encode()
        seed = int.from_bytes(hashlib.blake2b(key, digest_size=4).digest(), "little") >> 1
        memory = self._aer.run(bound, shots=work.shots, memory=True, seed_simulator=seed).result().data(0)
        return [int(word, 16) for word in memory.get("memory", ["0x0"] * work.shots)]


def _misread(bits, calibration, rng):
    for qubit in calibration.live_qubits:
        rows = calibration.live_qubit(qubit).readout.assignment.value
        ones = (bits[..., qubit >> 3] >> (qubit & 7)) & 1
        flips = rng.random(ones.shape) < np.where(ones, rows[0][1], rows[1][0])
        bits[..., qubit >> 3] ^= (flips << (qubit & 7)).astype(np.uint8)


def _clouds(work, bits):
    """Return noiseless IQ points: +1 for outcome 0, -1 for 1, plus i times the capture's index."""
    if "iq" not in work.capture_mode:
        return None
    captures = work.program.captures
    iq = np.zeros((*bits.shape[:2], len(captures)), dtype=np.complex64)
    for capture in captures:
        clbit, index = int(capture["clbit"]), int(capture["index"])
        iq[..., index] = 1 - 2.0 * ((bits[..., clbit >> 3] >> (clbit & 7)) & 1) + 1j * index
    return iq.mean(axis=1) if work.capture_mode == "iq_mean" else iq


class IdealBackend(Backend):
    """The real backend, but for telling the runner what it compiles."""

    def compile(self, circuits, options=DEFAULT, *, rep_delay_s=None):
        if not isinstance(circuits, QuantumCircuit):
            return [self.compile(circuit, options, rep_delay_s=rep_delay_s) for circuit in circuits]
        compiled = super().compile(circuits, options, rep_delay_s=rep_delay_s)
        self.runner.circuits[compiled.program.hash] = circuits
        return _Recorded(compiled, self.runner.values)


def ideal_backend(name, path, *, seed=1, emulation=None, calibration="nominal", misread=False, changes=None):
    """Return an ideal backend of a shipped device that stores its jobs in ``path``.

    With ``misread``, bits are flipped as the assignment matrices of the calibration say, on circuits whose qubit k
    is measured into bit k. ``changes`` are fields of all drive ports.
    """
    calibration = load(_ROOT / "calibrations" / name / f"{calibration}.yaml")
    setup = build_setup(calibration, load_rack(_ROOT / "configs" / "emulator.yaml").wiring(name))
    if changes:
        ports = [msgspec.structs.replace(port, **changes) if "drive" in port.name else port for port in setup.ports]
        setup = dataclasses.replace(setup, ports=tuple(ports))
    jobs = Jobs(JobStore(path))
    runner = IdealRunner(calibration if misread else None)
    return IdealBackend(Device(calibration, setup, runner, jobs, emulation or Emulation(seed=seed)))
