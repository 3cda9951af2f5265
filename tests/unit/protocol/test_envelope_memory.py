"""What an envelope plays, with and without a hold."""

import numpy as np
import pytest

from qctrl.protocol.envelope_memory import ENVELOPE, played, played_lengths, unfold

SAMPLES = np.array([(k, -k) for k in range(10)], dtype=np.int16)


def numbers(row, samples=SAMPLES):
    return played(np.array(row, dtype=ENVELOPE)[()], samples)[:, 0].tolist()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((2, 3, 0, 0), [2, 3, 4]),
        ((2, 3, 0, 2), [2, 2, 2, 3, 4]),
        ((2, 3, 1, 1), [2, 3, 3, 4]),
        ((2, 3, 2, 3), [2, 3, 4, 4, 4, 4]),
        ((9, 1, 0, 4), [9, 9, 9, 9, 9]),
    ],
)
def test_one_sample_is_held(row, expected):
    assert numbers(row) == expected
    assert played_lengths(np.array([row], dtype=ENVELOPE)).tolist() == [len(expected)]


def test_unfolding_plays_the_same_and_holds_nothing():
    folded = np.array([(2, 3, 1, 2), (0, 2, 0, 0), (2, 3, 1, 4)], dtype=ENVELOPE)
    plain, samples = unfold(folded, SAMPLES)
    assert not plain["hold"].any()
    for before, after in zip(folded, plain, strict=True):
        assert np.array_equal(played(before, SAMPLES), played(after, samples))


def test_without_holds_the_memory_stays_as_it_is():
    plain = np.array([(2, 3, 0, 0)], dtype=ENVELOPE)
    assert unfold(plain, SAMPLES) == (plain, SAMPLES)
