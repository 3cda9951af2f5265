from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_sim.physics.branches import split

WINDOW = 400


def discriminator(rig, qubit, lines, first_tick, start_ticks=0):
    """Linear two-class coefficients from the noiseless centres of levels 0 and 1."""
    readout = rig.engine._readout
    tables = readout.tables((rig.capture(qubit, first_tick, WINDOW),), lines, start_ticks)
    centres = [tables.offset[0] + tables.sums[0, 0, s, -1] for s in (0, 1)]
    axis, middle = centres[1] - centres[0], (centres[0] + centres[1]) / 2
    row = np.array([axis.real, axis.imag, -np.real(np.conj(axis) * middle)])
    return np.stack([-row, row, np.zeros(3)])


def bell(rig, shapes, *, measured=("q0", "q1"), start=100, block=600):
    """Both qubits in superposition, entangled by a CZ pulse; then readout."""
    gauss, top = shapes
    lines, envelope = rig.lines(block), gauss(20, 5.0)
    for name in ("q0", "q1"):
        rig.drive(lines, name, 0, rig.pi_amplitude(name, envelope, np.pi / 2) * envelope)
    rig.flux(lines, "q1.flux", 20, 0.1875 * top(60, 8))
    rig.flux(lines, "c01.flux", 20, 0.789 * top(60, 8))
    rig.drive(lines, "q1", 80, rig.pi_amplitude("q1", envelope, np.pi / 2) * envelope, phase=0.4)
    for name in measured:
        rig.tone(lines, name, start, np.full(WINDOW, 0.2))
    captures = []
    for k, name in enumerate(measured):
        coef = discriminator(rig, name, lines, start)
        captures.append(rig.capture(name, start, WINDOW, clbit=k, index=k, coef=coef))
    return lines, captures


def counts(branches):
    bits = np.concatenate([branch.bits for branch in branches])
    shots = np.concatenate([branch.shots for branch in branches])
    return bits[np.argsort(shots)]


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("final", [False, True])
def test_bits_do_not_depend_on_the_chunks(bench, pair2, shapes, noise, final):
    rig = bench(pair2, noise=noise)
    lines, captures = bell(rig, shapes)
    whole = rig.engine.play(rig.begin(300, n_clbits=2, captures=(2, 0)), lines, 0, captures, final=final)
    parts = [
        counts(rig.engine.play(rig.begin(n, n_clbits=2, first=k, captures=(2, 0)), lines, 0, captures, final=final))
        for k, n in ((0, 17), (17, 250), (267, 33))
    ]
    assert np.array_equal(counts(whole), np.concatenate(parts))


@pytest.mark.parametrize("levels", [2, 3])
@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_bits_alone_are_those_of_integrated_values(bench, pair2, shapes, levels, final, n_classes):
    """T1 of a window's length and much noise: jumps, doubtful shots and certain ones in plenty."""
    document = pair2.model_dump(by_alias=True)
    for name in pair2.qubits:
        document["qubits"][name] |= {"t1": 1e-6, "t2_echo": 1e-6}
    rig = bench(type(pair2).model_validate(document), noise=True, levels=levels, tree=True, allow_unsafe=True)
    lines, captures = bell(rig, shapes)
    third = np.array([[0, 0, 0], [0, 0, 0], [3.0, -2.0, -0.004]])
    captures = [replace(each, coef=each.coef + third, n_classes=n_classes) for each in captures]
    seen = []
    for n_values in (2, 0):
        branches = rig.engine.play(rig.begin(3000, n_clbits=2, captures=(n_values, 0)), lines, 0, captures, final=final)
        seen.append((counts(branches), rig.engine.populations(branches)))
    assert np.array_equal(seen[0][0], seen[1][0])
    assert seen[0][1] == pytest.approx(seen[1][1], abs=0)
    assert n_classes == 1 or 300 < np.count_nonzero(seen[0][0]) < 5700


@pytest.mark.parametrize("noise", [False, True])
def test_a_final_block_gives_the_same_bits_as_one_that_branches(bench, pair2, shapes, noise):
    rig = bench(pair2, noise=noise)
    lines, captures = bell(rig, shapes)
    bits = [
        counts(rig.engine.play(rig.begin(500, n_clbits=2, captures=(2, 0)), lines, 0, captures, final=final))
        for final in (False, True)
    ]
    assert np.array_equal(*bits)


def test_noise_off_bits_follow_the_populations_without_readout_error(bench, pair2, shapes):
    rig = bench(pair2)
    lines, captures = bell(rig, shapes)
    expected = rig.engine.play(rig.begin(), [line[:100] for line in lines], 0)[0].state.populations()
    n = 20_000
    branches = rig.engine.play(rig.begin(n, n_clbits=2, captures=(2, 0)), lines, 0, captures, final=True)
    bits = counts(branches)
    found = np.bincount(2 * bits[:, 0] + bits[:, 1], minlength=4) / n
    low = np.array([expected[0, 0], expected[0, 1:].sum(), expected[1:, 0].sum(), expected[1:, 1:].sum()])
    # 5 standard deviations per cell, false alarm below 3e-6 over 4 cells, seed 20261123.
    assert np.abs(found - low).max() < 5 * np.sqrt(0.25 / n)
    # Without noise a level always gives the same value.
    assert len(np.unique(branches[0].iq[:, 0])) <= 9


def test_a_second_measurement_finds_what_the_first_found(bench, pair2, shapes):
    rig = bench(pair2)
    lines, captures = bell(rig, shapes)
    branches = rig.engine.play(rig.begin(400, n_clbits=4, captures=(4, 0)), lines, 0, captures)
    again = rig.lines(WINDOW)
    for name in ("q0", "q1"):
        rig.tone(again, name, 0, np.full(WINDOW, 0.2), start_ticks=600)
    second = [
        rig.capture(name, 600, WINDOW, clbit=2 + k, index=2 + k, coef=discriminator(rig, name, again, 600, 600))
        for k, name in enumerate(("q0", "q1"))
    ]
    bits = counts(rig.engine.play(branches, again, 600, second, final=True))
    assert np.array_equal(bits[:, :2], bits[:, 2:])
    assert 0 < bits[:, 0].mean() < 1


def test_measuring_one_qubit_collapses_the_other_of_a_bell_pair(bench, pair2, shapes):
    rig = bench(pair2)
    lines, captures = bell(rig, shapes, measured=("q0",))
    branches = rig.engine.play(rig.begin(200), lines, 0, captures)
    assert len(branches) >= 2
    joint = rig.engine.play(rig.begin(), [line[:100] for line in lines], 0)[0].state.populations()
    for branch in branches:
        bit = branch.bits[0, 0]
        assert np.all(branch.bits[:, 0] == bit)
        assert np.linalg.norm(branch.state.data) == pytest.approx(1)
        if bit == 0:
            given = joint[0] / joint[0].sum()
            assert branch.state.marginal([1]) == pytest.approx(given, abs=1e-4)


def test_a_conditional_pulse_resets_the_qubit(bench, first_qubit, pair2, shapes):
    rig = bench(first_qubit(pair2))
    envelope = shapes[0](20, 5.0)
    lines = rig.lines(500)
    rig.drive(lines, "q0", 0, rig.pi_amplitude("q0", envelope, 1.9) * envelope)
    rig.tone(lines, "q0", 20, np.full(WINDOW, 0.2))
    capture = rig.capture("q0", 20, WINDOW, coef=discriminator(rig, "q0", lines, 20))
    (branch,) = rig.begin(500)
    after = []
    for part in rig.engine.play([branch], lines, 0, [capture]):
        for value, chosen in split(part, part.bits[:, 0] != 0).items():
            block = rig.lines(20)
            if value:
                rig.drive(block, "q0", 0, rig.pi_amplitude("q0", envelope) * envelope, start_ticks=500)
            after += rig.engine.play([chosen], block, 500)
    assert len(after) >= 2
    assert rig.engine.populations(after)[0, 0] > 0.98


def test_decay_in_the_window_leaves_the_lower_level(bench, first_qubit, pair2, shapes):
    rig = bench(first_qubit(pair2, t1=4e-7, t2_echo=4e-7), noise=True)
    envelope = shapes[0](20, 5.0)
    lines = rig.lines(420)
    rig.drive(lines, "q0", 0, rig.pi_amplitude("q0", envelope) * envelope)
    rig.tone(lines, "q0", 20, np.full(WINDOW, 0.2))
    capture = rig.capture("q0", 20, WINDOW, coef=discriminator(rig, "q0", lines, 20))
    at_start = rig.engine.populations(rig.engine.play(rig.begin(), [line[:20] for line in lines], 0))[0]
    n = 20_000
    branches = rig.engine.play(rig.begin(n), lines, 0, [capture])
    found = rig.engine.populations(branches)[0, 1]
    # Level 2 adds less than its own population; 5 standard deviations, false alarm below 1e-6, seed 20261123.
    assert found == pytest.approx(at_start[1] * np.exp(-1), abs=5 * np.sqrt(0.25 / n) + at_start[2])
    assert all(branch.in_readout == ((0, 420),) for branch in branches)


def test_captures_that_begin_apart_are_measured_in_turn_and_idle_qubits_wait(bench, pair2, shapes):
    rig = bench(pair2, noise=True)
    bits = {}
    for final in (False, True):
        lines, captures = bell(rig, shapes, block=1100)
        late = rig.capture("q1", 600, WINDOW, clbit=1, index=1)
        rig.tone(lines, "q1", 600, np.full(WINDOW, 0.2))
        late = type(late)(
            **{f: getattr(late, f) for f in late.__slots__} | {"coef": discriminator(rig, "q1", lines, 600)}
        )
        start = rig.begin(3000, n_clbits=2, captures=(2, 0))
        bits[final] = counts(rig.engine.play(start, lines, 0, [captures[0], late], final=final)).mean(axis=0)
    # The draws differ, the statistics do not: 5 standard deviations of a difference, false alarm below 2e-6.
    assert np.abs(bits[True] - bits[False]).max() < 5 * np.sqrt(0.5 / 3000)


def test_a_qubit_measured_twice_in_a_final_block_is_measured_twice(bench, first_qubit, pair2):
    rig = bench(first_qubit(pair2))
    lines = rig.lines(900)
    rig.tone(lines, "q0", 0, np.full(850, 0.2))
    captures = [rig.capture("q0", start, WINDOW, clbit=k, index=k) for k, start in enumerate((0, 450))]
    branches = rig.engine.play(rig.begin(10, n_clbits=2, captures=(2, 0)), lines, 0, captures, final=True)
    assert branches[0].used_blocks == 4


def test_traces_are_kept_on_request_and_change_no_bit(bench, pair2, shapes):
    rig = bench(pair2, noise=True)
    lines, captures = bell(rig, shapes)
    plain = rig.engine.play(rig.begin(40, n_clbits=2, captures=(2, 0)), lines, 0, captures, final=True)
    traced = rig.engine.play(rig.begin(40, n_clbits=2, captures=(2, WINDOW)), lines, 0, captures, final=True)
    assert np.array_equal(plain[0].bits, traced[0].bits)
    assert traced[0].traces.shape == (40, 2, WINDOW)
    assert np.array_equal(traced[0].traces[:, 0], traced[0].traces[:, 1])  # one ADC
    assert traced[0].take(np.arange(3)).traces.shape[0] == 3


def test_leakage_is_counted(bench, first_qubit, pair2):
    rig = bench(first_qubit(pair2))
    lines = rig.lines(500)
    rig.drive(lines, "q0", 0, np.full(30, 0.9))
    rig.tone(lines, "q0", 30, np.full(WINDOW, 0.2))
    rig.engine.play(rig.begin(2000), lines, 0, [rig.capture("q0", 30, WINDOW)], final=True)
    level_2 = rig.engine.populations(rig.engine.play(rig.begin(), [line[:30] for line in lines], 0))[0, 2]
    # 5 standard deviations, false alarm below 1e-6, seed 20261123.
    assert rig.engine.statistics()["leaked_fraction"] == pytest.approx(level_2, abs=5 * np.sqrt(0.25 / 2000))
