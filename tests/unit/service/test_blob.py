"""Stored bytes come back as they were, or say what is wrong with them."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qctrl.errors import JobError
from qctrl.service import Blob, decode, encode

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
    with pytest.raises(JobError, match="has version 9, this release reads up to 2"):
        decode(bytes(data))


def test_objects_are_never_stored():
    with pytest.raises(ValueError, match="only plain numbers are stored"):
        encode(Blob({}, {"bad": np.array([object()])}))
    with pytest.raises(ValueError, match="'rows' has dtype"):
        encode(Blob({}, {"rows": np.zeros(2, dtype=[("a", "<i4")])}))


@settings(deadline=None)
@given(
    st.lists(
        hnp.arrays(
            st.sampled_from([np.uint8, np.float64, np.complex64, np.int32]),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        ),
        max_size=4,
    )
)
def test_arrays_of_any_shape_come_back_read_only(arrays):
    found = decode(encode(Blob({}, {f"a{index}": array for index, array in enumerate(arrays)}))).arrays
    assert len(found) == len(arrays)
    for index, array in enumerate(arrays):
        again = found[f"a{index}"]
        assert again.dtype == array.dtype
        assert again.shape == array.shape
        assert again.tobytes() == array.tobytes()
        assert not again.flags.writeable


def test_an_array_that_is_not_contiguous_comes_back():
    array = np.arange(12).reshape(3, 4)[:, ::2]
    assert np.array_equal(decode(encode(Blob({}, {"a": array}))).arrays["a"], array)


def of_first_release(body):
    return struct.pack("<4sHHQI", b"QJOB", 1, 0, len(body), zlib.crc32(body)) + body


def test_records_of_the_first_release_are_read():
    body = io.BytesIO()
    np.savez(body, document=np.frombuffer(json.dumps({"k": [1]}).encode(), np.uint8), values=np.eye(2))
    data = body.getvalue()
    blob = decode(of_first_release(data))
    assert blob.document == {"k": [1]}
    assert np.array_equal(blob.arrays["values"], np.eye(2))
    with pytest.raises(JobError, match="is damaged"):
        decode(of_first_release(data[:40] + data[60:]))
