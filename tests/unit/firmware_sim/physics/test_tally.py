from __future__ import annotations

import pytest

from firmware_sim.physics.segment_gates import SegmentGates
from firmware_sim.physics.tally import Tally


def segment(*, neglected=0.0, truncated=False, lost=0.0):
    return SegmentGates((), (), 2, neglected, truncated, lost)


@pytest.mark.parametrize(
    ("segments", "text"),
    [
        ([segment(truncated=True)], "play fewer of them at a time"),
        ([segment(lost=0.05), segment(lost=0.25)], "25% of a state are in level 2; use levels=3"),
        ([segment(neglected=0.008), segment(neglected=0.005)], "leave out up to 1.3e-02"),
    ],
)
def test_an_unsafe_run_says_why_and_the_way_out(segments, text):
    tally = Tally()
    tally.add_segments(segments)
    assert tally.unsafe
    assert text in tally.why()
    assert tally.statistics()["approximation"] == "unsafe"


def test_errors_of_segments_add_up_and_the_largest_loss_counts():
    tally = Tally(measured=200, leaked=3)
    tally.add_segments([segment(neglected=3e-3, lost=0.01), segment(neglected=1e-3, lost=0.09)])
    found = tally.statistics()
    assert not tally.unsafe
    assert found["neglected_infidelity"] == pytest.approx(4e-3)
    assert (found["truncated_norm"], found["leaked_fraction"], found["largest_cluster"]) == (0.09, 0.015, 2)
    assert found["approximation"] == "edge ratios"


def test_nothing_measured_is_nothing_leaked():
    assert Tally().statistics()["leaked_fraction"] == 0
