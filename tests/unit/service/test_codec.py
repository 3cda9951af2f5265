"""Circuits and raw results come back from the store as they were."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Annotation, Parameter

from qctrl.errors import JobError
from qctrl.execution import JobResult, WorkResult
from qctrl.service import decode_circuits, encode_circuits
from qctrl.service.codec import decode_result, encode_result


def test_circuits_come_back_with_their_parameters_and_metadata():
    circuit = QuantumCircuit(1, 1, metadata={"k": [1, 2], "set": {3}})
    circuit.rz(Parameter("a"), 0)
    circuit.measure(0, 0)
    (again,) = decode_circuits(encode_circuits([circuit]))
    assert again.parameters[0].name == "a"
    assert again.metadata == {"k": [1, 2], "set": "{3}"}
    assert decode_circuits(encode_circuits([])) == []
    with pytest.raises(JobError, match="cannot be read as QPY"):
        decode_circuits(np.zeros(40, np.uint8))


class Unknown(Annotation):
    """Of a package that the store knows nothing of."""

    namespace = "some.package"

    def __repr__(self):
        return "Unknown(3)"


def test_annotations_of_any_package_are_kept_by_their_text():
    body = QuantumCircuit(1)
    body.x(0)
    circuit = QuantumCircuit(1)
    circuit.box(body, [0], [], annotations=[Unknown()])
    circuit.box(body, [0], [], annotations=[Unknown(), Unknown()])
    (again,) = decode_circuits(encode_circuits([circuit]))
    first, second = (instruction.operation.annotations for instruction in again.data)
    assert [(kept.namespace, repr(kept)) for kept in first] == [("some.package", "Unknown(3)")]
    assert second == first * 2
    assert decode_circuits(encode_circuits([again])) == [again], "and kept again"
    assert len({*first, *second}) == 1


def test_raw_results_come_back():
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 256, (2, 3, 1), dtype=np.uint8)
    iq = rng.normal(size=(2, 3, 4)).astype(np.complex64)
    result = JobResult(
        (WorkResult(bits=bits, iq=iq, traces=iq[..., None], statistics={"a": 1}), WorkResult(bits=bits)), {"m": [1]}
    )
    again = decode_result(encode_result(result))
    assert again.metadata == {"m": [1]}
    assert np.array_equal(again.works[0].bits, bits)
    assert np.array_equal(again.works[0].iq, iq)
    assert again.works[0].traces.shape == (2, 3, 4, 1)
    assert again.works[0].statistics == {"a": 1}
    assert again.works[1].iq is None
    assert again.works[1].traces is None
