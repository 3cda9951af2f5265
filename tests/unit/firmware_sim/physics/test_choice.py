from __future__ import annotations

import pytest

from firmware_sim.physics.choice import Choice, Job, choose, columns
from qctrl.errors import ResourceError
from qctrl.protocol import SimOptions


def job(n_qubits=5, *, n_segments=40, shots=4096, records=0, jumps=0.25, readings=0, is_open=False) -> Job:
    return Job(n_qubits, n_segments, shots, records, jumps, readings=readings, is_open=is_open)


@pytest.mark.parametrize(
    ("what", "options", "mode", "levels"),
    [
        (job(2, n_segments=10), SimOptions(), "density matrix", 3),
        (job(2, n_segments=10, jumps=0.0), SimOptions(noise=False), "ket", 3),
        (job(5), SimOptions(), "tree", 3),
        (job(12), SimOptions(), "tree", 3),
        (job(15), SimOptions(), "tree", 2),
        (job(20, shots=100), SimOptions(), "tree", 2),
        (job(10, jumps=0.0), SimOptions(noise=False), "tree", 3),
        (job(5), SimOptions(mode="density matrix"), "density matrix", 3),
        (job(2), SimOptions(levels=4), "density matrix", 4),
        (job(1), SimOptions(levels=2), "density matrix", 2),
        (job(5), SimOptions(levels=2), "density matrix", 2),
        (job(5, shots=10), SimOptions(levels=2), "tree", 2),
        (job(5, shots=10, is_open=True), SimOptions(levels=2), "density matrix", 2),
        (job(5, readings=3), SimOptions(levels=2), "tree", 2),
        (job(8), SimOptions(levels=2), "tree", 2),
        (job(2, jumps=0.0), SimOptions(levels=2, noise=False), "tree", 2),
    ],
)
def test_the_engine_is_counted(what, options, mode, levels):
    found = choose(what, options)
    assert (found.mode, found.levels) == (mode, levels)


def test_the_choice_depends_on_nothing_else():
    assert choose(job(), SimOptions(seed=1)) == choose(job(), SimOptions(seed=2, time_s=1e3))


def test_shots_of_a_batch_fit_into_the_memory():
    found = choose(job(20), SimOptions(memory_mib=1024))
    assert isinstance(found, Choice)
    assert 1 <= found.batch_shots < 2**30 / (16 * 2**20)


@pytest.mark.parametrize(
    ("what", "options", "text"),
    [
        (job(20), SimOptions(memory_mib=64), "20 qubits of 2 levels need 272 MiB, .* 64 MiB; raise memory_mib"),
        (job(14), SimOptions(levels=3, memory_mib=256), "raise memory_mib or use levels=2"),
        (job(6), SimOptions(mode="density matrix"), "touches 6 qubits; a density matrix of 3 levels holds 5"),
        (job(6), SimOptions(levels=4), "use levels=3"),
        (job(8), SimOptions(mode="density matrix", levels=2), "of 2 levels holds 7; use .* or leave the mode"),
        (job(2), SimOptions(mode="ket"), "does not go with noise=True"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_way_out(what, options, text):
    with pytest.raises(ResourceError, match=text):
        choose(what, options)


def test_histories_are_no_more_than_shots_that_jump_or_places_to_jump():
    assert columns(job(jumps=0.0)) == 1
    assert columns(job(shots=10)) <= 11
    assert columns(job(shots=10**9)) <= 1 + 40 * 5 * 4 / 2
