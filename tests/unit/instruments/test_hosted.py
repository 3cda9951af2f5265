from __future__ import annotations

import numpy as np
import pytest

from qctrl.errors import InstrumentError
from qctrl.instruments.hosted import HostedRun
from qctrl.protocol import Results, Run, SimOptions


def run(epoch=1, **changes) -> Run:
    return Run("r", epoch, "", "", "", 0, 2, 0, 3, 0, **changes)


def block(binding: int) -> Results:
    bits = np.zeros((1, 3, 1), dtype=np.uint8)
    return Results("r", 1, 0, binding, 0, "", "", "ok", bits, None, None, {})


@pytest.fixture
def hosted() -> HostedRun:
    return HostedRun(lambda text: InstrumentError(f"rack {text}"))


def test_a_run_moves_on_only_until_the_block_that_is_asked_for(hosted):
    first, second = block(0), block(1)
    hosted.begin(run(), iter([None, first, None, second]))
    hosted.advance(0, 10.0)
    assert hosted.progress().state == "running"
    assert hosted.progress().done_shots == 3
    assert hosted.take(0) is first
    assert hosted.take(0) is first
    hosted.advance(1, 10.0)
    assert hosted.take(1) is second
    assert hosted.take(0) is None
    hosted.advance(2, 10.0)
    assert (hosted.progress().state, hosted.progress().done_shots, hosted.progress().total_shots) == ("done", 6, 6)


def test_waiting_ends_with_its_time(hosted):
    hosted.begin(run(), iter([None] * 1000))
    hosted.advance(0, 0.0)
    assert hosted.take(0) is None
    assert hosted.progress().steps == 1


def test_what_is_not_its_to_play_is_refused(hosted):
    hosted.accept(run(epoch=2))
    with pytest.raises(InstrumentError, match="served epoch 2, the run has 1"):
        hosted.accept(run(epoch=1))
    with pytest.raises(InstrumentError, match="is real"):
        hosted.accept(run(epoch=2, sim=SimOptions(seed=1)))
    with pytest.raises(InstrumentError, match="there is no run 'r'"):
        hosted.check_known("r")
    assert hosted.epoch == 2
