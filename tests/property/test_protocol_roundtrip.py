"""Random bytes and random damage never get past the codec."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qctrl.errors import ProtocolError
from qctrl.protocol import Patch, Program, Results, Run, Setup
from tests.unit.protocol.test_protocol_artefacts import results, run, setup
from tests.unit.protocol.test_protocol_programs import program

SAMPLES = [(Setup, setup()), (Program, program()), (Run, run()), (Results, results())]


@given(st.sampled_from([Setup, Program, Patch, Run, Results]), st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else_is_raised(kind: type[Program], data: bytes) -> None:
    try:
        kind.from_bytes(data)
    except ProtocolError:
        return
    raise AssertionError("garbage was accepted")


@given(st.sampled_from(SAMPLES), st.data())
def test_a_flipped_bit_is_refused(sample: tuple[type[Program], Program], data: st.DataObject) -> None:
    kind, artefact = sample
    good = bytearray(artefact.to_bytes())
    place = data.draw(st.integers(0, len(good) * 8 - 1))
    good[place // 8] ^= 1 << (place % 8)
    try:
        kind.from_bytes(bytes(good))
    except ProtocolError:
        return
    raise AssertionError(f"bit {place} was flipped unnoticed")


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_patches_round_trip(bindings: int, slots: int, seed: int) -> None:
    words = np.random.default_rng(seed).integers(0, 2**32, (bindings, slots), dtype=np.uint32)
    words[:, 0] = 0
    patch = Patch(bytes(32), words)
    got = Patch.from_bytes(patch.to_bytes())
    assert np.array_equal(got.words, words)
    assert got.to_bytes() == patch.to_bytes()
