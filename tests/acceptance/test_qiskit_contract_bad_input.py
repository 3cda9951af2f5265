"""What Qiskit's own primitives refuse over our backend, ours refuse with the same type, before a job exists."""

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.quantum_info import SparsePauliOp

from qctrl import EstimatorV2, SamplerV2
from tests.reference.ideal_backend import ideal_backend


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    return ideal_backend("pair2", tmp_path_factory.mktemp("jobs") / "jobs.sqlite")


def rotation(*, measured=True):
    circuit = QuantumCircuit(2)
    circuit.rz(Parameter("a"), 0)
    circuit.rz(Parameter("b"), 1)
    if measured:
        circuit.measure_all()
    return circuit


def plain(*, measured=True):
    circuit = QuantumCircuit(2)
    circuit.x(0)
    if measured:
        circuit.measure_all()
    return circuit


SAMPLER = {
    "no list": lambda run: run(plain()),
    "no list, a tuple": lambda run: run((rotation(), [0.1, 0.2])),
    "no circuit": lambda run: run([5]),
    "a text": lambda run: run(["pub"]),
    "nothing": lambda run: run([None]),
    "an empty tuple": lambda run: run([()]),
    "too long a tuple": lambda run: run([(plain(), None, 10, 10)]),
    "no values": lambda run: run([rotation()]),
    "too few values": lambda run: run([(rotation(), [0.1])]),
    "too many values": lambda run: run([(rotation(), [0.1, 0.2, 0.3])]),
    "values for nothing": lambda run: run([(plain(), [0.1])]),
    "a missing name": lambda run: run([(rotation(), {"a": 0.1})]),
    "values that do not fit together": lambda run: run([(rotation(), {"a": [0.1, 0.2], "b": [0.1, 0.2, 0.3]})]),
    "values of text": lambda run: run([(rotation(), ["x", "y"])]),
    "no shots": lambda run: run([plain()], shots=0),
    "fewer than no shots": lambda run: run([plain()], shots=-1),
    "half a shot": lambda run: run([plain()], shots=0.5),
    "shots of text": lambda run: run([plain()], shots="10"),
    "true shots": lambda run: run([plain()], shots=True),
    "no shots of a pub": lambda run: run([(plain(), None, 0)]),
    "half a shot of a pub": lambda run: run([(plain(), None, 1.5)]),
    "a bad pub behind a good one": lambda run: run([plain(), rotation()]),
}
ESTIMATOR = {
    "no list": lambda run: run((plain(measured=False), "ZZ")),
    "no observable": lambda run: run([(plain(measured=False),)]),
    "a circuit alone": lambda run: run([plain(measured=False)]),
    "too long a tuple": lambda run: run([(plain(measured=False), "ZZ", None, 0.1, 1)]),
    "an observable of another width": lambda run: run([(plain(measured=False), "ZZZ")]),
    "no letters": lambda run: run([(plain(measured=False), "AB")]),
    "not hermitian": lambda run: run([(plain(measured=False), SparsePauliOp("ZZ", 1j))]),
    "a number": lambda run: run([(plain(measured=False), 5)]),
    "shapes that do not broadcast": lambda run: run([(rotation(measured=False), ["ZZ"] * 3, np.zeros((2, 2)))]),
    "no values": lambda run: run([(rotation(measured=False), "ZZ")]),
    "too few values": lambda run: run([(rotation(measured=False), "ZZ", [0.1])]),
    "precision below 0": lambda run: run([(plain(measured=False), "ZZ", None, -0.1)]),
    "precision of text": lambda run: run([(plain(measured=False), "ZZ")], precision="0.1"),
    "no precision at all": lambda run: run([(plain(measured=False), "ZZ")], precision=0.0),
}


def refusal(call, primitive):
    try:
        call(primitive.run)
    except Exception as error:  # noqa: BLE001 (which one it is, is the question)
        return error
    return None


@pytest.mark.parametrize("case", SAMPLER)
def test_the_sampler_refuses_as_qiskits(backend, case):
    theirs = refusal(SAMPLER[case], BackendSamplerV2(backend=backend))
    before = len(backend.jobs.store.list(limit=None))
    ours = refusal(SAMPLER[case], SamplerV2(backend))
    assert theirs is not None
    assert isinstance(ours, type(theirs)), f"{ours!r} instead of {theirs!r}"
    assert len(backend.jobs.store.list(limit=None)) == before


@pytest.mark.parametrize("case", ESTIMATOR)
def test_the_estimator_refuses_as_qiskits(backend, case):
    theirs = refusal(ESTIMATOR[case], BackendEstimatorV2(backend=backend))
    before = len(backend.jobs.store.list(limit=None))
    ours = refusal(ESTIMATOR[case], EstimatorV2(backend))
    assert theirs is not None
    assert isinstance(ours, type(theirs)), f"{ours!r} instead of {theirs!r}"
    assert len(backend.jobs.store.list(limit=None)) == before


@pytest.mark.parametrize("name", ["shape", "items", "keys", "values", "ndim", "size"])
def test_a_register_that_breaks_qiskits_result_is_refused_by_ours_at_once(backend, name):
    """Qiskit's sampler raises when the result is made, after the job ran."""
    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(1, name))
    circuit.measure(0, 0)
    job = BackendSamplerV2(backend=backend).run([circuit], shots=1)
    with pytest.raises((ValueError, TypeError)):
        job.result()
    with pytest.raises(ValueError, match=f"classical register '{name}' has the name of an attribute of DataBin"):
        SamplerV2(backend).run([circuit])


def test_a_value_for_a_parameter_that_is_not_there_is_refused_at_once(backend):
    """Qiskit's sampler counts parameters at first, and fails when the job binds them."""
    pub = (rotation(), {"a": 0.1, "c": 0.2})
    before = len(backend.jobs.store.list(limit=None))
    with pytest.raises(ValueError, match="Could not find placement for parameter"):
        SamplerV2(backend).run([pub])
    assert len(backend.jobs.store.list(limit=None)) == before
