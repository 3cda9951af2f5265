"""Slow noise against the integrals of its spectral density; seeds are fixed, tolerances state their deviations."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from firmware_sim.config import Truth
from firmware_sim.physics.device import build_chip
from firmware_sim.physics.engine import Engine
from firmware_sim.physics.random import Draws, stream_key
from firmware_sim.physics.slow_noise import Clock, SlowNoise, turn
from qctrl.protocol import SimOptions

KEY = stream_key(20261123, 0, b"slow")
TURN = 2 * np.pi


def noise_of(pair2, clock, frequency=None, flux=None):
    document = pair2.model_dump(by_alias=True)
    document["qubits"]["q0"] |= {"frequency_noise": frequency, "flux_noise": flux}
    return SlowNoise(build_chip(Truth.model_validate(document)), clock)


def shots(n, binding=0, first=0):
    return Draws(KEY, binding, np.arange(first, first + n, dtype=np.uint64))


def angles(noise, draws, *spans, slope=0.0):
    return [noise.angles(draws, span, np.array([slope, 0.0]))[:, 0] for span in spans]


def test_a_truth_without_slow_noise_is_silent(pair2):
    noise = SlowNoise(build_chip(pair2), Clock())
    assert noise.silent
    assert noise.kinds == ()
    assert noise_of(pair2, Clock(), {"drift": 1.0}, {"one_over_f": 1e-6}).kinds == ("one_over_f", "drift")
    assert set(noise.groups(shots(9)).tolist()) == {0}
    assert not noise.angles(shots(3), (0.0, 1.0), np.zeros(2)).any()


def test_quasi_static_noise_has_its_deviation_on_some_sixteen_values(pair2):
    noise, n = noise_of(pair2, Clock(), {"quasi_static": 5e3}), 100_000
    (found,) = angles(noise, shots(n), (0.0, 1e-6))
    # 5 standard deviations of a variance, false alarm below 1e-6.
    assert np.var(found) == pytest.approx((TURN * 5e3 * 1e-6) ** 2, rel=5 * np.sqrt(2 / n))
    assert 14 <= len(np.unique(found)) <= 20
    labels = noise.groups(shots(n))
    for label in np.unique(labels):
        assert len(np.unique(found[labels == label])) == 1


def test_only_qubits_that_matter_tell_shots_apart(pair2):
    noise = noise_of(pair2, Clock(), {"quasi_static": 5e3})
    assert set(noise.groups(shots(99), frozenset({1})).tolist()) == {0}
    assert np.array_equal(noise.groups(shots(99), frozenset({0})), noise.groups(shots(99)))
    assert noise.most_groups(10**6, frozenset({1})) == 1
    assert noise.most_groups(10**6, frozenset({0, 1})) == 16
    assert noise.most_groups(5) == 5


def test_offsets_do_not_depend_on_the_batch(pair2):
    clock = Clock(100.0, 1e-4, 1e-5)
    for truth in ({"quasi_static": 5e3}, {"one_over_f": 1e3, "highest": 1e6}):
        noise = noise_of(pair2, clock, truth)
        (whole,) = angles(noise, shots(50), (0.0, 1e-6))
        (part,) = angles(noise_of(pair2, clock, truth), shots(7, first=20), (0.0, 1e-6))
        assert np.array_equal(whole[20:27], part)


def test_drift_grows_with_simulated_time(pair2):
    for hours in (0.0, 2.5):
        (found,) = angles(noise_of(pair2, Clock(hours * 3600), {"drift": 400.0}), shots(2), (0.0, 1e-3))
        assert found == pytest.approx(np.full(2, TURN * 400 * hours * 1e-3))


def test_flux_noise_acts_by_the_slope_of_the_tuning_curve(pair2):
    noise = noise_of(pair2, Clock(), None, {"quasi_static": 1e-5})
    (found,) = angles(noise, shots(100_000), (0.0, 1e-6), slope=-3e8)
    assert np.std(found) == pytest.approx(TURN * 3e8 * 1e-5 * 1e-6, rel=5 / np.sqrt(200_000))
    assert not angles(noise, shots(10), (0.0, 1e-6))[0].any()


def test_the_slope_is_the_derivative_of_the_curve(bench, pair2):
    rig = bench(pair2)
    lines = rig.lines(10)
    lines[rig.setup.port_index("q1.flux")][:] = 0.2
    qubit = build_chip(pair2).qubits[1]
    at = qubit.frequency_hz(np.array([0.2001, 0.1999]))
    assert rig.engine._chain.slopes_hz(lines, (2, 8))[1] == pytest.approx((at[0] - at[1]) / 2e-4, rel=1e-5)


SEQUENCES = {
    "ramsey": (np.array([1.0]), np.array([1.0])),
    "echo": (np.array([0.5, 0.5]), np.array([1.0, -1.0])),
    "cpmg4": (np.array([1, 2, 2, 2, 1]) / 8, np.array([1.0, -1, 1, -1, 1])),
}


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_phases_under_one_over_f_noise_have_the_variance_of_the_filter_function(pair2, sequence):
    """var(phase) = integral of S(f) |integral of s(t) exp(2 pi i f t)|^2 (2 pi)^2 df, s = +-1 between pulses."""
    total_s, amplitude, lowest, highest = 2e-5, 2e3, 1e-1, 3e6
    truth = {"one_over_f": amplitude, "lowest": lowest, "highest": highest}
    noise = noise_of(pair2, Clock(0.0, 1e-3, total_s), truth)
    lengths, signs = SEQUENCES[sequence]
    borders = np.concatenate([[0], np.cumsum(lengths)]) * total_s
    spans = list(pairwise(borders))
    squares = []
    for binding in range(1500):
        phase = np.sum(signs[:, None] * angles(noise, shots(4, binding), *spans), axis=0)
        squares.append(np.mean(phase**2))
    f = np.geomspace(lowest, highest, 200_001)
    window = sum(
        sign * (b - a) * np.sinc(f * (b - a)) * np.exp(1j * np.pi * f * (a + b))
        for sign, (a, b) in zip(signs, spans, strict=True)
    )
    expected = np.trapezoid(amplitude**2 / f * np.abs(window) ** 2, f) * TURN**2
    deviation = np.std(squares) / np.sqrt(len(squares))
    print(f"{sequence}: variance {np.mean(squares):.5g} +- {deviation:.2g}, expected {expected:.5g}")
    assert abs(np.mean(squares) - expected) < 5 * deviation  # false alarm below 1e-6
    assert deviation < 0.06 * expected


def test_slow_one_over_f_noise_has_the_deviation_of_its_band(pair2):
    truth = {"one_over_f": 1e3, "lowest": 1e-2, "highest": 1e3}
    noise = noise_of(pair2, Clock(0.0, 1e-3, 1e-6), truth)
    assert not noise.moving
    squares = [np.mean(angles(noise, shots(1, binding), (0.0, 1e-6))[0] ** 2) for binding in range(4000)]
    expected = (TURN * 1e-3) ** 2 * np.log(1e5)
    assert np.mean(squares) == pytest.approx(expected, rel=5 * np.sqrt(2 / 4000))


def test_turning_multiplies_coherences_by_the_difference_of_levels():
    ket = turn(np.ones(9, dtype=complex) / 3, [0.3, 0.5], 3)
    assert ket[5] * 3 == pytest.approx(np.exp(-1j * (0.3 + 2 * 0.5)))
    density = turn(np.ones((9, 9), dtype=complex) / 9, [0.3, 0.5], 3)
    assert density == pytest.approx(np.outer(ket, ket.conj()))


def contrast_after(bench, truth, waits, shapes, n_shots, clock):
    """1 - 2 P(1) of pi/2 pulses at both ends and pi pulses between the waits, averaged over the shots' noise."""
    rig = bench(truth, noise=True, levels=2)
    rig.engine = Engine(truth, rig.setup, SimOptions(seed=1, levels=2), None, clock)
    envelope = shapes[0](20, 5.0)
    half = rig.pi_amplitude("q0", envelope, np.pi / 2)
    lines, at = rig.lines(20 * (len(waits) + 1) + sum(waits)), 0
    for number, wait in enumerate([*waits, 0]):
        rig.drive(lines, "q0", at, (1 if number in (0, len(waits)) else 2) * half * envelope)
        at += 20 + wait
    return 1 - 2 * rig.engine.populations(rig.engine.play(rig.begin(n_shots), lines, 0))[0, 1]


@pytest.mark.parametrize("total", [6000, 12_000])
def test_ramsey_loses_a_gaussian_and_echo_only_t2(bench, first_qubit, pair2, shapes, total):
    sigma_hz = 2e4
    truth = first_qubit(pair2, line={"phase": 0.0}, frequency_noise={"quasi_static": sigma_hz})
    n = 20_000
    ramsey = -contrast_after(bench, truth, [total], shapes, n, Clock())
    echo = contrast_after(bench, truth, [total // 2, total // 2], shapes, n, Clock())
    t2 = np.exp(-(total + 40) * 1e-9 / truth.qubits["q0"].t2_echo)
    phase = TURN * sigma_hz * (total + 20) * 1e-9
    # 5 standard deviations of a mean cosine, false alarm below 1e-6, and 1 % of the pulses' own detuning.
    assert abs(ramsey - t2 * np.exp(-(phase**2) / 2)) < 5 * 0.71 / np.sqrt(n) + 0.01
    assert abs(echo) == pytest.approx(t2, abs=5e-3)


def test_fast_one_over_f_noise_limits_the_echo_and_more_pulses_save_it(bench, first_qubit, pair2, shapes):
    noise = {"one_over_f": 3e4, "lowest": 1.0, "highest": 1e6}
    truth = first_qubit(pair2, line={"phase": 0.0}, frequency_noise=noise)
    clock = Clock(0.0, 1e-3, 1.2e-5)
    echo = abs(contrast_after(bench, truth, [6000, 6000], shapes, 300, clock))
    cpmg = abs(contrast_after(bench, truth, [1500, 3000, 3000, 3000, 1500], shapes, 300, clock))
    t2 = np.exp(-12.04e-6 / truth.qubits["q0"].t2_echo)
    print(f"echo {echo:.3f}, four pulses {cpmg:.3f}, without slow noise {t2:.3f}")
    assert echo < cpmg - 0.1
    assert cpmg < t2


def test_with_every_imperfection_on_shots_do_not_depend_on_their_batch(bench, first_qubit, pair2, shapes):
    noise = {"quasi_static": 2e4, "one_over_f": 1e4, "highest": 1e6, "drift": 1e3}
    document = first_qubit(pair2, frequency_noise=noise, flux_noise={"quasi_static": 1e-5}, thermal_population=0.1)
    document = document.model_dump(by_alias=True)
    document["resonators"]["q0"]["t1_with_photons"] = [{"photons": 1.0, "factor": 0.1}]
    document["feedlines"]["f0"]["adc_bits"] = 3
    truth = Truth.model_validate(document)
    rig = bench(truth, noise=True)
    rig.engine = Engine(truth, rig.setup, SimOptions(seed=1), None, Clock(1000.0, 1e-4, 1e-6))
    envelope = shapes[0](20, 5.0)
    half = rig.pi_amplitude("q0", envelope, np.pi / 2)
    lines = rig.lines(800)
    for start in (0, 300):
        rig.drive(lines, "q0", start, half * envelope)
    rig.tone(lines, "q0", 320, np.full(480, 0.1))

    def play(first, n_shots):
        branches = rig.engine.play(rig.begin(n_shots, first=first), lines, 0, (rig.capture("q0", 320, 480),))
        found = np.zeros((n_shots, 1), dtype=np.complex64)
        for branch in branches:
            found[(branch.shots - first).astype(int)] = branch.iq
        return found

    whole = play(0, 30)
    assert np.array_equal(np.concatenate([play(0, 7), play(7, 22), play(29, 1)]), whole)
    assert len(np.unique(whole)) == 30
