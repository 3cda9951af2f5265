"""The forecast is arithmetic: it follows what a run holds, and never exceeds one state per shot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_sim.physics.choice import Choice, Job
from firmware_sim.physics.forecast import forecast, refuse_slow
from qctrl.errors import ResourceError

JOB = Job(n_qubits=5, n_segments=80, shots=1000, records=0, jumps_per_shot=0.2)
TREE = Choice("tree", 3, 1 << 20, 1 << 30)
DENSE = Choice("density matrix", 3, 1 << 30, 1 << 30)


@pytest.mark.parametrize("choice", [TREE, DENSE])
def test_bindings_and_segments_multiply_and_captures_add(choice):
    once = forecast(JOB, choice)
    assert once.seconds > 0
    assert forecast(JOB, choice, bindings=7).seconds == pytest.approx(7 * once.seconds)
    assert forecast(replace(JOB, n_segments=800), DENSE).seconds == pytest.approx(10 * forecast(JOB, DENSE).seconds)
    assert forecast(JOB, choice, captures=5).seconds == pytest.approx(once.seconds + 5 * 1000 * 2e-7)
    assert (once.mode, once.levels, once.qubits, once.segments) == (choice.mode, 3, 5, 80)


@pytest.mark.parametrize("choice", [TREE, DENSE])
def test_readings_and_slow_noise_tell_shots_apart_up_to_one_state_each(choice):
    plain = forecast(JOB, choice).histories
    assert plain < forecast(replace(JOB, readings=3), choice).histories
    assert forecast(replace(JOB, branches=16), choice).histories == pytest.approx(min(16 * plain, 1000))
    assert forecast(replace(JOB, branches=10**6, readings=50), choice).histories == 1000


def test_a_reading_doubles_what_comes_after_it():
    """One state before it, two behind it: 1.5 on the mean."""
    assert forecast(replace(JOB, readings=1), DENSE).histories == 1.5


def test_what_takes_too_long_is_refused_with_the_way_out():
    found = forecast(JOB, TREE)
    refuse_slow(found, None)
    refuse_slow(found, found.seconds)
    with pytest.raises(ResourceError, match=r"about \S+ s \(tree of 3 levels, 5 qubits, 80 segments, .* or levels=2"):
        refuse_slow(found, found.seconds / 2)
