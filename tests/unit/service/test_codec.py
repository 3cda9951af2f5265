"""Stored bytes come back as they were, or say what is wrong with them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qctrl.errors import JobError
from qctrl.execution import JobResult, WorkResult
from qctrl.service import Blob, decode, decode_circuits, encode, encode_circuits
from qctrl.service.codec import decode_result, encode_result

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=4), st.binary(max_size=50))
def test_blobs_come_back(document, data):
    blob = decode(encode(Blob(document, {"a": np.frombuffer(data, np.uint8), "b": np.eye(2)})))
    assert blob.document == document
    assert blob.arrays["a"].tobytes() == data
    assert np.array_equal(blob.arrays["b"], np.eye(2))


def test_numpy_numbers_are_numbers_and_the_rest_its_repr():
    document = {"n": np.int64(3), "x": np.float32(0.5), "o": {1}}
    assert decode(encode(Blob(document))).document == {"n": 3, "x": 0.5, "o": "{1}"}


@pytest.mark.parametrize(
    "damage", [lambda d: d[:5], lambda d: d[:-1], lambda d: b"X" + d[1:], lambda d: d[:-3] + b"abc"]
)
def test_damage_is_found(damage):
    with pytest.raises(JobError, match="record of job j is damaged") as caught:
        decode(damage(encode(Blob({"a": 1}))), job_id="j")
    assert caught.value.job_id == "j"


def test_a_later_version_is_refused():
    data = bytearray(encode(Blob({})))
    data[4] = 9
    with pytest.raises(JobError, match="has version 9, this release reads 1"):
        decode(bytes(data))


def test_objects_are_never_stored():
    with pytest.raises(ValueError, match="allow_pickle=False"):
        encode(Blob({}, {"bad": np.array([object()])}))


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
