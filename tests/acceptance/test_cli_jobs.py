"""Results of every primitive, found again from the command line."""

import json

import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from qctrl import EstimatorV2, ProviderService, SamplerV2
from qctrl.cli import main


@pytest.fixture
def backend():
    with ProviderService() as service:
        yield service.backend("pair2", seed=4)


def fitted(circuit, backend):
    return generate_preset_pass_manager(1, backend=backend, seed_transpiler=1).run(circuit)


def result_of(job, capsys):
    job.result()
    assert main(["jobs", "result", job.job_id(), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert main(["jobs", "result", job.job_id()]) == 0
    assert "pub 0" in capsys.readouterr().out
    return document["pubs"]


def test_sweep_gives_counts_per_point(backend, capsys):
    theta = Parameter("theta")
    circuit = QuantumCircuit(1)
    circuit.rx(theta, 0)
    circuit.measure_all()
    job = SamplerV2(backend).run([(fitted(circuit, backend), np.linspace(0, np.pi, 3)[:, None])], shots=50)
    (pub,) = result_of(job, capsys)
    assert [sum(counts.values()) for counts in pub["meas"]] == [50, 50, 50]


def test_expectation_values_are_shown(backend, capsys):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    isa = fitted(circuit, backend)
    observable = SparsePauliOp("ZZ").apply_layout(isa.layout)
    (pub,) = result_of(EstimatorV2(backend).run([(isa, observable)], precision=0.1), capsys)
    assert 0.5 < pub["evs"] <= 1.5


def test_counts_of_backend_run_are_shown(backend, capsys):
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.measure_all()
    (pub,) = result_of(backend.run(fitted(circuit, backend), shots=60), capsys)
    assert sum(pub["registers"]["all"].values()) == 60
