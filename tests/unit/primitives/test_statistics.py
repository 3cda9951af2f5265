"""The statistics of all runs of a job in one."""

import numpy as np
import pytest

from qctrl.execution import WorkResult
from qctrl.primitives.statistics import summary


def work(*runs):
    return WorkResult(np.zeros((1, 1, 1), dtype=np.uint8), None, None, {"chunks": list(runs)})


def test_the_worst_of_all_runs_is_told_and_times_add_up():
    first = {"mode": "tree", "levels": 3, "leaked_fraction": 0.001, "elapsed_s": 1.5, "approximation": "edge ratios"}
    second = {**first, "leaked_fraction": 0.002, "elapsed_s": 0.5, "approximation": "unsafe", "seed": 7}
    assert summary([work(first), work(second)]) == {
        "mode": "tree",
        "levels": 3,
        "leaked_fraction": 0.002,
        "elapsed_s": 2.0,
        "approximation": "edge ratios, unsafe",
        "seed": 7,
    }


@pytest.mark.parametrize("works", [[], [work()], [WorkResult(np.zeros((1, 1, 1), dtype=np.uint8), None, None)]])
def test_firmware_that_says_nothing_is_not_spoken_for(works):
    assert summary(works) == {}
