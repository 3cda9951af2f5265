from __future__ import annotations

import pytest

from qctrl.routines.tune_cz import first_return


@pytest.mark.parametrize(
    ("costs", "chosen"),
    [
        ([0.5, 0.2, 0.01, 0.3, 0.5, 0.005], 2),  # a second, deeper valley: the state swings twice
        ([0.5, 0.2, 0.15, 0.3, 0.05, 0.3], 4),  # a high valley is no return
        ([0.5, 0.4, 0.3], 2),
        ([0.02, 0.2, 0.3], 0),
    ],
)
def test_the_first_full_return_is_chosen(costs: list[float], chosen: int) -> None:
    assert first_return(costs) == chosen
