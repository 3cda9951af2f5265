"""Packed registers become BitArrays, register by register."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.primitives import BitArray, DataBin

from qctrl.errors import CompileError, ProtocolError
from qctrl.protocol import CAPTURE
from qctrl.readout import (
    RESERVED_NAMES,
    _kernels,
    bit_moves,
    check_register_names,
    last_captures,
    to_bit_array,
    to_data_bin,
    to_kerneled_bin,
)


def little_endian(bools):
    """Pack ``(..., n)`` booleans as Results do, independently of the code under test."""
    return np.packbits(np.asarray(bools, dtype=bool), axis=-1, bitorder="little")


@st.composite
def registers(draw):
    n_bits = draw(st.integers(1, 37))
    clbits = draw(st.lists(st.integers(0, n_bits - 1), max_size=21))
    shape = draw(st.sampled_from([(), (1,), (3,), (2, 2), (0,), (2, 0)]))
    shots = draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    bools = np.random.default_rng(seed).random((int(np.prod(shape, dtype=int)), shots, n_bits)) < 0.5
    return bools, tuple(clbits), shape


@settings(deadline=None)  # the first call compiles
@given(registers())
def test_registers_equal_what_qiskit_packs_from_booleans(case):
    bools, clbits, shape = case
    ours = to_bit_array(little_endian(bools), clbits, shape)
    theirs = BitArray.from_bool_array(
        bools[..., list(clbits)].reshape(*shape, bools.shape[1], len(clbits)), order="little"
    )
    assert ours == theirs
    assert ours.array.shape == theirs.array.shape
    assert np.array_equal(ours.array, theirs.array), "padding bits are zero"


@settings(deadline=None)  # the first call compiles
@given(registers())
def test_the_kernel_and_its_python_form_agree(case):
    bools, clbits, _ = case
    rows = little_endian(bools).reshape(bools.shape[0] * bools.shape[1], -(-bools.shape[2] // 8))
    outputs = []
    for kernel in (_kernels.pack_register, _kernels.pack_register.py_func):
        packed = np.zeros((len(rows), -(-len(clbits) // 8)), dtype=np.uint8)
        kernel(rows, bit_moves(clbits), packed)
        outputs.append(packed)
    assert np.array_equal(*outputs)


def test_neighbouring_bits_move_together():
    assert len(bit_moves(range(20))) == 3
    assert len(bit_moves(range(3, 11))) == 2
    assert bit_moves((5, 6, 9)).tolist() == [[0, 5, 3, 0, 0], [1, 1, 1, 2, 0]]
    assert bit_moves(()).shape == (0, 5)


def test_aliased_and_empty_registers_come_from_their_own_bits():
    bits = little_endian([[[1, 0, 0, 1], [0, 1, 0, 0]]])
    data = to_data_bin(bits, [("whole", (0, 1, 2, 3)), ("ends", (3, 0)), ("none", ()), ("swapped", (1, 0))], ())
    assert list(data.keys()) == ["whole", "ends", "none", "swapped"]
    assert data.whole.get_bitstrings() == ["1001", "0010"]
    assert data.ends.get_bitstrings() == ["11", "00"]
    assert data.swapped.get_bitstrings() == ["10", "01"]
    assert data.none.array.shape == (2, 0)


def test_bits_that_nobody_sent_are_refused():
    with pytest.raises(ProtocolError, match="classical bit 8 is not there"):
        to_bit_array(np.zeros((1, 2, 1), np.uint8), (8,), ())
    with pytest.raises(ProtocolError, match="3 bindings"):
        to_bit_array(np.zeros((3, 2, 1), np.uint8), (0,), (2,))


def test_the_reserved_names_are_those_of_data_bin():
    assert RESERVED_NAMES == DataBin._RESTRICTED_NAMES
    with pytest.raises(CompileError, match="'shape' has the name of an attribute of DataBin; rename it"):
        check_register_names([("fine", (0,)), ("shape", (1,))])
    with pytest.raises(CompileError, match="'__class__' has the name of an attribute of DataBin; rename it"):
        check_register_names([("__class__", (0,))])


@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_iq_points_are_sliced_per_register(shape):
    rng = np.random.default_rng(3)
    n = int(np.prod(shape, dtype=int))
    iq = (rng.normal(size=(n, 5, 3)) + 1j * rng.normal(size=(n, 5, 3))).astype(np.complex64)
    columns = {0: 2, 1: 0}
    data = to_kerneled_bin(iq, [("a", (1,)), ("b", (0, 2))], shape, columns)
    assert data.a.shape == (*shape, 5, 1)
    assert np.array_equal(data.a.reshape(n, 5), iq[..., 0])
    assert np.array_equal(data.b.reshape(n, 5, 2)[..., 0], iq[..., 2])
    assert not data.b.reshape(n, 5, 2)[..., 1].any(), "bit 2 is never measured"
    mean = to_kerneled_bin(iq.mean(axis=1), [("b", (0, 2))], shape, columns)
    assert mean.b.shape == (*shape, 2)


def test_the_last_capture_of_a_bit_counts():
    captures = np.zeros(3, dtype=CAPTURE)
    captures["clbit"], captures["index"] = [4, 4, 0], [0, 2, 1]
    assert last_captures(captures) == {4: 2, 0: 1}
