import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qctrl.errors import JobError
from qctrl.execution import Work
from qctrl.execution.chunks import Merger, cut
from qctrl.protocol import Patch, Results


def work_of(n_bindings, shots, mode="bits"):
    patch = Patch(bytes(32), np.zeros((n_bindings, 1), dtype=np.uint32))
    return Work(program=None, patch=patch, shots=shots, capture_mode=mode)


def block_of(first_binding, first_shot, bits, iq=None, traces=None, chunk=0):
    return Results("0" * 32, 1, chunk, first_binding, first_shot, "", "", "ok", bits, iq, traces, {"chunk": chunk})


SIZES = st.tuples(st.integers(1, 20), st.integers(1, 50), st.one_of(st.none(), st.integers(1, 70)))


@given(SIZES, st.sampled_from(["bits", "iq", "iq_mean", "trace_mean"]))
def test_chunks_cover_every_shot_once(sizes, mode):
    n_bindings, shots, chunk_shots = sizes
    covered = np.zeros((n_bindings, shots), dtype=int)
    for k, chunk in enumerate(cut(work_of(n_bindings, shots, mode), chunk_shots)):
        assert chunk.index == k
        rows = slice(chunk.first_binding, chunk.first_binding + chunk.n_bindings)
        covered[rows, chunk.first_shot : chunk.first_shot + chunk.n_shots] += 1
        if chunk_shots is not None and not mode.endswith("_mean"):
            assert chunk.n_shots * chunk.n_bindings <= chunk_shots
        if mode.endswith("_mean"):
            assert chunk.n_shots == shots
    assert (covered == 1).all()


@given(SIZES, st.randoms())
def test_merged_blocks_are_the_whole_in_any_order_and_with_repeats(sizes, random):
    n_bindings, shots, chunk_shots = sizes
    whole = np.arange(n_bindings * shots, dtype=np.uint8).reshape(n_bindings, shots, 1)
    iq = whole.astype(np.complex64)
    work = work_of(n_bindings, shots, "bits+iq")
    chunks = list(cut(work, chunk_shots))
    chunks += chunks[:2]
    random.shuffle(chunks)
    merger = Merger(work)
    for chunk in chunks:
        rows = slice(chunk.first_binding, chunk.first_binding + chunk.n_bindings)
        columns = slice(chunk.first_shot, chunk.first_shot + chunk.n_shots)
        merger.add(
            block_of(chunk.first_binding, chunk.first_shot, whole[rows, columns], iq[rows, columns], chunk=chunk.index)
        )
    assert merger.done_shots == n_bindings * shots
    result = merger.result()
    assert np.array_equal(result.bits, whole)
    assert np.array_equal(result.iq, iq)
    assert result.traces is None
    assert not result.bits.flags.writeable


def test_statistics_keep_one_entry_per_chunk_in_order():
    merger = Merger(work_of(1, 2))
    merger.add(block_of(0, 1, np.zeros((1, 1, 1), np.uint8), chunk=1))
    merger.add(block_of(0, 0, np.zeros((1, 1, 1), np.uint8), chunk=0))
    assert merger.result().statistics == {"chunks": [{"chunk": 0}, {"chunk": 1}]}


def test_mean_over_shots_has_no_shot_axis():
    merger = Merger(work_of(2, 3, "trace_mean"))
    for binding in range(2):
        traces = np.full((1, 4, 5), binding, dtype=np.complex64)
        merger.add(block_of(binding, 0, np.zeros((1, 3, 1), np.uint8), traces=traces))
    assert merger.result().traces.shape == (2, 4, 5)
    assert merger.result().traces[1, 0, 0] == 1


def test_missing_shots_are_an_error_and_never_padded():
    merger = Merger(work_of(2, 3))
    merger.add(block_of(0, 0, np.zeros((1, 3, 1), np.uint8)))
    with pytest.raises(JobError, match="3 of 6 shots did not come back"):
        merger.result()


def test_block_outside_of_the_work_is_refused():
    merger = Merger(work_of(1, 3))
    with pytest.raises(JobError, match="a work of 1 bindings with 3 shots"):
        merger.add(block_of(0, 2, np.zeros((1, 2, 1), np.uint8)))


def test_program_without_slots_is_one_binding():
    assert Work(program=None, patch=None, shots=5).n_bindings == 1
