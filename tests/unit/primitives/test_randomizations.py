"""Shots are spread over twirls, and come back as the shots of one pub."""

import numpy as np
import pytest

from qctrl.primitives.option_tree import make_options
from qctrl.primitives.options import EstimatorOptions, SamplerOptions
from qctrl.primitives.randomizations import Randomization, Randomizer, restore, spread_shots, store
from qctrl.primitives.suppression import TwirlingOptions
from qctrl.primitives.tasks import TaskResult
from qctrl.service import Blob


@pytest.mark.parametrize(
    ("shots", "n_draws", "each", "wanted"),
    [
        (4096, "auto", "auto", (32, 128)),
        (1024, "auto", "auto", (16, 64)),
        (1000, "auto", "auto", (16, 63)),
        (10, "auto", "auto", (1, 10)),
        (1000, 7, "auto", (7, 143)),
        (1000, "auto", 300, (4, 300)),
        (1000, 10, 100, (10, 100)),
        (1000, 10, 200, (10, 200)),
        (1000, np.int64(10), np.int64(200), (10, 200)),
    ],
)
def test_the_shots_of_a_pub_are_spread_evenly(shots, n_draws, each, wanted):
    options = TwirlingOptions(num_randomizations=n_draws, shots_per_randomization=each)
    assert spread_shots(shots, options) == wanted


def test_the_product_of_both_numbers_is_the_default_of_the_shots():
    both = {"twirling": {"enable_gates": True, "num_randomizations": 3, "shots_per_randomization": 12}}
    assert SamplerOptions().shots() == 1024
    assert make_options(SamplerOptions, both).shots() == 36
    assert make_options(EstimatorOptions, both).precision() == 1 / 6
    off = {"twirling": {**both["twirling"], "enable_gates": False}}
    assert make_options(SamplerOptions, off).shots() == 1024


def test_more_shots_than_both_numbers_give_are_refused():
    options = TwirlingOptions(enable_gates=True, num_randomizations=3, shots_per_randomization=10)
    options.check(0, 30)
    with pytest.raises(ValueError, match="3 randomizations of 10 shots give 30 shots, the 2-th pub wants 31"):
        options.check(2, 31)
    assert spread_shots(95, options) == (10, 10), "a heavy observable takes more twirls"
    options.enable_gates = False
    options.check(0, 31)


def test_inverted_bits_are_put_right_and_shots_joined():
    flips = np.array([[1], [0], [3], [2]], dtype=np.uint8)
    true = np.arange(4 * 3, dtype=np.uint8).reshape(4, 3, 1) & 3
    scratch = np.full((4, 3, 1), 9, dtype=np.uint8)
    part = TaskResult(np.concatenate([true ^ flips[:, None], scratch], axis=2), None, {})
    merged = Randomization(2, 5, flips).merged(part).bits
    assert merged[:, :, 0].tolist() == [row[:5] for row in true.reshape(2, 6).tolist()]
    assert (merged[:, :, 1] == 9).all()


def test_points_are_joined_or_averaged():
    flips, bits = np.zeros((4, 1), dtype=np.uint8), np.zeros((4, 3, 1), dtype=np.uint8)
    clouds = np.arange(24, dtype=np.complex64).reshape(4, 3, 2)
    joined = Randomization(2, 6, flips).merged(TaskResult(bits, clouds, {})).iq
    assert joined.tolist() == clouds.reshape(2, 6, 2).tolist()
    averaged = Randomization(2, 6, flips).merged(TaskResult(bits, clouds.mean(axis=1), {})).iq
    assert averaged == pytest.approx(joined.mean(axis=1))


def test_tasks_stay_as_they_are_without_twirls():
    tasks, randomizations = Randomizer(TwirlingOptions(), 1).spread(["a task"])
    assert (tasks, randomizations[0].merged("a result")) == (["a task"], "a result")


def test_jobs_remember_how_shots_were_spread():
    blob = Blob({"a": 1}, {"b": np.zeros(1)})
    plain, spread = Randomization(), Randomization(2, 5, np.ones((4, 1), dtype=np.uint8))
    assert store([plain], blob) is blob
    assert [each.n_draws for each in restore(blob, 2)] == [1, 1]
    kept = restore(store([plain, spread], blob), 2)
    assert kept[0].flips is None
    assert (kept[1].n_draws, kept[1].shots, kept[1].flips.tolist()) == (2, 5, [[1]] * 4)
