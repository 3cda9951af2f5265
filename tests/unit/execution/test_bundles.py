import numpy as np
import pytest

from qctrl.execution import SPAN, Work, WorkResult
from qctrl.execution.bundles import bundle
from qctrl.protocol import Patch
from tests.unit.firmware_sim import toys

PROGRAM, OTHER = toys.rabi(), toys.excited()


def work(n_bindings, pub_index=0, program=PROGRAM, shots=10, mode="bits"):
    words = np.full((n_bindings, 2), pub_index, dtype=np.uint32)
    return Work(program, Patch(program.hash, words), shots, mode, pub_index)


def test_neighbours_that_are_alike_go_together_and_the_order_stays():
    works = [work(2, 0), work(3, 1), work(1, 2, OTHER), work(1, 3), work(1, 4, shots=11), work(1, 5, mode="iq")]
    bundles = bundle(works)
    assert [each for every in bundles for each in every.works] == works
    assert [len(each.works) for each in bundles] == [2, 1, 1, 1, 1]
    assert bundles[0].pubs == ((0, 2), (1, 3))
    assert bundles[0].patch.words[:, 1].tolist() == [0, 0, 1, 1, 1]
    assert bundles[0].rows == (slice(0, 2), slice(2, 5))
    assert bundles[1].pubs == ()
    assert bundles[1].patch is works[2].patch


def test_works_without_words_and_large_ones_stay_alone():
    bare = Work(PROGRAM, None, 10)
    assert [len(each.works) for each in bundle([bare, bare])] == [1, 1]
    assert [len(each.works) for each in bundle([work(1, k, shots=2**19) for k in range(5)])] == [2, 2, 1]


@pytest.mark.parametrize("mode", ["bits+iq", "iq_mean"])
def test_each_work_gets_its_own_rows_spans_and_statistics(mode):
    (alike,) = bundle([work(2, 0, mode=mode), work(3, 1, mode=mode)])
    bits, iq = np.arange(50, dtype=np.uint8).reshape(5, 10, 1), np.arange(5, dtype=np.complex64)
    spans = np.array([(0, 1, 0, 10, 1, 2), (1, 2, 0, 10, 3, 4), (3, 2, 0, 10, 5, 6)], dtype=SPAN)
    whole = WorkResult(bits, iq, None, {"chunks": ["a", "b", "c"]}, spans)
    first, second = alike.split(whole)
    assert np.array_equal(np.concatenate([first.bits, second.bits]), bits)
    assert np.array_equal(np.concatenate([first.iq, second.iq]), iq)
    assert (first.statistics, second.statistics) == ({"chunks": ["a", "b"]}, {"chunks": ["b", "c"]})
    assert first.spans.tolist() == [(0, 1, 0, 10, 1, 2), (1, 1, 0, 10, 3, 4)]
    assert second.spans.tolist() == [(0, 1, 0, 10, 3, 4), (1, 2, 0, 10, 5, 6)]
    assert whole.spans.tolist() == spans.tolist()
