from __future__ import annotations

import importlib.util
from math import erfc, sqrt
from pathlib import Path

import numpy as np
import pytest

from firmware_sim.physics import _kernels
from firmware_sim.physics.cache import OperatorCache
from firmware_sim.physics.device import build_chip
from firmware_sim.physics.integration import digitise, integrate, integrate_with_traces
from firmware_sim.physics.random import Draws, stream_key
from firmware_sim.physics.readout import Readout
from qctrl.errors import ConfigError, ResourceError
from qctrl.signal import demodulate

READOUT_LO_HZ = 7.0e9
WINDOW = 1000
KEY = stream_key(11, 0, b"readout")


@pytest.fixture(scope="module")
def reference():
    path = Path(__file__).parents[3] / "reference" / "readout_trace.py"
    spec = importlib.util.spec_from_file_location("reference_readout_trace", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prepare(rig, qubits, *, amplitude=0.1, length=WINDOW, block=WINDOW):
    """Lines, captures and tables of a readout of some qubits that begins at tick 40 of the block at tick 300."""
    lines = rig.lines(block + 40)
    for name in qubits:
        rig.tone(lines, name, 40, np.full(length, amplitude), start_ticks=300)
    captures = tuple(rig.capture(name, 340, length, clbit=k, index=k) for k, name in enumerate(qubits))
    readout = Readout(build_chip(rig.truth), rig.setup, OperatorCache())
    (group,) = readout.groups(captures)
    return lines, captures, readout.tables(group, lines, 300)


def shots(n, binding=0):
    return Draws(KEY, binding, np.arange(n, dtype=np.uint64))


def steady(rates_per_s, n_samples, up=0.0):
    """Hazards of constant rates, at 1 GS/s."""
    rates = np.array(rates_per_s)
    return rates[:, :, None] * 1e-9 * np.arange(n_samples + 1), np.broadcast_to(up, rates.shape).astype(float)


def test_a_capture_belongs_to_the_nearest_resonator(bench, chain5):
    rig = bench(chain5)
    readout = Readout(build_chip(chain5), rig.setup, OperatorCache())
    assert [readout.qubit_of(rig.capture(name, 0, 100)) for name in chain5.qubits] == [0, 1, 2, 3, 4]


def test_every_trajectory_of_levels_equals_the_sample_by_sample_reference(bench, chain5, reference):
    rig = bench(chain5)
    names = ["q1", "q2", "q3"]
    lines, captures, tables = prepare(rig, names, length=240, block=240)
    sent = lines[rig.setup.port_index("f0.readout")]
    # Level at the start, then jumps (sample, level after) of each qubit.
    rows = [
        ((0, ()), (1, ((100, 0),)), (2, ((30, 1), (170, 0)))),
        ((2, ()), (2, ((20, 1), (20, 0))), (1, ((239, 0),))),
        ((0, ((50, 1), (90, 2), (91, 1))), (1, ((7, 2),)), (2, ())),
    ]
    levels = np.array([[start for start, _ in row] for row in rows], dtype=np.uint8)
    times, after = np.full((3, 3, 3), 240, dtype=np.int64), np.repeat(levels[:, :, None], 3, axis=2)
    for shot, row in enumerate(rows):
        for k, (_, jumps) in enumerate(row):
            for number, (sample, level) in enumerate(jumps):
                times[shot, k, number], after[shot, k, number:] = sample, level
    parts = (tables.sums, tables.fields, tables.tails, tables.poles, tables.relevant)
    for kernel in (_kernels.integrate_shots, _kernels.integrate_shots.py_func):
        found = np.broadcast_to(tables.offset, levels.shape).copy()
        kernel(levels, (times, after), parts, found)
        for shot, row in enumerate(rows):
            course = {}
            for name, (start, jumps) in zip(names, row, strict=True):
                course[name] = np.full(280, start)
                for sample, level in jumps:
                    course[name][40 + sample :] = level
            adc = reference.adc_samples(sent, chain5, "f0", course, lo_hz=READOUT_LO_HZ)[40:]
            for k, capture in enumerate(captures):
                expected = demodulate(adc, 340, 1, capture.ftw, 0, None)
                assert abs(found[shot, k] - expected) < 2e-6 * abs(expected)


def test_traces_integrate_to_the_very_values_and_follow_the_reference(bench, pair2, reference):
    rig = bench(pair2)
    lines, captures, tables = prepare(rig, ["q0", "q1"], length=200, block=200)
    levels = np.array([[0, 1], [2, 2], [1, 0]] * 20, dtype=np.uint8)
    hazards = steady([[4e6, 8e6, 2e7]] * 2, 200, up=[1.0, 0.3, 0.0])
    quiet = integrate(tables, shots(60), 5, levels, hazards)
    loud = integrate_with_traces(tables, shots(60), 5, levels, hazards)
    assert loud.iq.tolist() == quiet.iq.tolist()
    for k, capture in enumerate(captures):
        for shot in range(60):
            value = demodulate(loud.traces[shot].astype(complex), 340, 1, capture.ftw, 0, None)
            assert value == pytest.approx(complex(loud.iq[shot, k]), abs=1e-7)
    silent = integrate_with_traces(tables, shots(60), 5, levels, None)
    sent = lines[rig.setup.port_index("f0.readout")]
    course = {"q0": np.full(240, 2), "q1": np.full(240, 2)}
    expected = reference.adc_samples(sent, pair2, "f0", course, lo_hz=READOUT_LO_HZ)[40:]
    assert np.abs(silent.traces[1] - expected).max() < 1e-7
    assert np.array_equal(silent.end_levels, levels)


def test_the_averaged_trace_shows_the_decay(bench, first_qubit, pair2, reference):
    rig = bench(first_qubit(pair2))
    lines, _, tables = prepare(rig, ["q0"], length=200, block=200)
    levels = np.full((200, 1), 2, dtype=np.uint8)
    hazards = steady([[0.0, 1e7, 3e7]], 200)
    found = integrate_with_traces(tables, shots(200), 0, levels, hazards)
    (times, _), _ = shots(200).windows(0, hazards, levels)
    mean = np.zeros(200, dtype=complex)
    sent = lines[rig.setup.port_index("f0.readout")]
    t = np.arange(240) - 40
    for a, b, _ in times[:, 0]:
        course = {"q0": 2 - (t >= a).astype(int) - (t >= b)}
        mean += reference.adc_samples(sent, rig.truth, "f0", course, lo_hz=READOUT_LO_HZ)[40:] / 200
    # White noise of the mean: 6 standard deviations over 400 numbers, false alarm below 1e-6, seed 11.
    assert np.abs(found.traces.mean(axis=0) - mean).max() < 6 * tables.noise_deviation * sqrt(2 / 200)


def test_the_steady_field_and_photon_number_are_those_of_a_driven_damped_oscillator(bench, first_qubit, pair2):
    rig = bench(first_qubit(pair2))
    _, _, tables = prepare(rig, ["q0"], length=3000, block=3000)
    resonator = pair2.resonators["q0"]
    kappa = 2 * np.pi * resonator.kappa
    b = 0.1 * pair2.feedlines["f0"].input_scale
    half = np.pi * resonator.chi_01
    # A held sample of a tone at f has amplitude sinc(f dt) at f.
    hold = np.sinc((rig.readout_hz("q0") - READOUT_LO_HZ) * 1e-9)
    expected = kappa * (b * hold) ** 2 / ((kappa / 2) ** 2 + half**2)
    photons = np.abs(tables.fields[0, 0, -500:]) ** 2
    assert photons.mean() == pytest.approx(expected, rel=2e-3)
    # Held samples of a tone that turns by w dt from each to the next have a steady state of their own.
    pole = (-kappa / 2 + 1j * 2 * np.pi * (resonator.frequency - READOUT_LO_HZ)) * 1e-9
    turn = np.exp(2j * np.pi * (rig.readout_hz("q0") - READOUT_LO_HZ) * 1e-9)
    settled = np.sqrt(kappa) * b * 1e-9 * np.expm1(pole) / pole / (turn - np.exp(pole))
    assert photons == pytest.approx(np.full(500, abs(settled) ** 2), rel=1e-9)


@pytest.mark.parametrize("amplitude", [0.1, 0.05])
def test_assignment_errors_follow_the_signal_to_noise_ratio_and_t1(bench, first_qubit, pair2, amplitude):
    rig = bench(first_qubit(pair2))
    _, _, tables = prepare(rig, ["q0"], amplitude=amplitude)
    n = 200_000
    t1 = pair2.qubits["q0"].t1
    hazards = steady([[0.0, 1 / t1, 2 / t1]], WINDOW)
    truth = pair2.feedlines["f0"]
    centres = [integrate(tables, shots(1), 0, np.array([[s]], dtype=np.uint8), None).iq[0, 0] for s in (0, 1)]
    deviation = truth.adc_scale / sqrt(2 * truth.efficiency * WINDOW * 1e-9)
    snr = abs(centres[1] - centres[0]) / (2 * deviation)
    wrong = []
    for s in (0, 1):
        iq = integrate(tables, shots(n, binding=s), 0, np.full((n, 1), s, dtype=np.uint8), hazards).iq[:, 0]
        axis = np.conj(centres[1] - centres[0])
        score = np.real((iq - (centres[0] + centres[1]) / 2) * axis)
        wrong.append(np.mean((score > 0) != bool(s)))
    gaussian = erfc(snr / sqrt(2)) / 2
    print(f"amplitude {amplitude}: SNR {snr:.3f}, errors {wrong}, Gaussian {gaussian:.5f}, seed 11")
    # 5 standard deviations, false alarm below 1e-6; half of the decays in the window, T / 2 T1, come early enough to
    # count, where the clouds are far apart.
    assert wrong[0] == pytest.approx(gaussian, abs=5 * sqrt(gaussian / n))
    assert wrong[1] == pytest.approx(gaussian + 0.5e-6 / t1, abs=5 * sqrt(wrong[1] / n))
    if amplitude == 0.1:
        assert 0.002 < np.mean(wrong) < 0.015


def test_half_the_amplitude_has_half_the_signal_to_noise_ratio(bench, first_qubit, pair2):
    rig = bench(first_qubit(pair2))
    separation = []
    for amplitude in (0.1, 0.05, 0.0):
        _, _, tables = prepare(rig, ["q0"], amplitude=amplitude)
        centres = [integrate(tables, shots(1), 0, np.array([[s]], dtype=np.uint8), None).iq[0, 0] for s in (0, 1)]
        separation.append(abs(centres[1] - centres[0]))
    assert separation[1] == pytest.approx(separation[0] / 2, rel=1e-5)
    assert separation[2] == 0


def test_noise_of_captures_has_the_covariance_of_their_weights(bench, pair2):
    rig = bench(pair2)
    _, _, tables = prepare(rig, ["q0", "q1"], length=7, block=7)  # so short that the tones overlap
    n = 100_000
    levels = np.zeros((n, 2), dtype=np.uint8)
    iq = integrate(tables, shots(n), 0, levels, steady(np.zeros((2, 3)), 7)).iq.astype(complex)
    found = np.cov(iq.T)
    c = tables.coefficients
    expected = 2 * tables.noise_deviation**2 * (c @ c.conj().T)
    assert abs(expected[0, 1]) > 0.05 * expected[0, 0].real
    # 6 standard deviations of a covariance, false alarm below 1e-6, seed 11.
    assert np.abs(found - expected).max() < 6 * expected[0, 0].real / sqrt(n)


def test_a_window_before_the_tone_or_a_cable_away_sees_silence(bench, first_qubit, pair2):
    document = first_qubit(pair2).model_dump(by_alias=True)
    document["feedlines"]["f0"]["delay"] = 2e-7
    rig = bench(type(pair2).model_validate(document))
    _, _, tables = prepare(rig, ["q0"], length=100, block=100)
    found = integrate(tables, shots(1), 0, np.ones((1, 1), dtype=np.uint8), None)
    assert found.iq[0, 0] == 0


def test_two_captures_of_one_qubit_in_one_window_are_refused(bench, pair2):
    rig = bench(pair2)
    readout = Readout(build_chip(pair2), rig.setup, OperatorCache())
    with pytest.raises(ResourceError, match="resonator of q0"):
        readout.groups([rig.capture("q0", 0, 100), rig.capture("q0", 0, 100)])


def test_a_port_without_a_feedline_is_refused(bench, pair2):
    rig = bench(pair2)
    readout = Readout(build_chip(pair2), rig.setup, OperatorCache())
    capture = rig.capture("q0", 0, 100)
    stray = type(capture)(0, 0, 100, 0, 0, None, capture.coef, 2, 0, 0)
    with pytest.raises(ConfigError, match=r"port q0\.drive is not the acquire_port"):
        readout.qubit_of(stray)


def test_a_feedline_without_resonators_is_refused(bench, pair2):
    rig = bench(pair2)
    empty = pair2.model_copy(update={"resonators": {}})
    readout = Readout(build_chip(empty), rig.setup, OperatorCache())
    with pytest.raises(ConfigError, match="feedline f0 has no resonator to read; give one"):
        readout.qubit_of(rig.capture("q0", 0, 100))


def test_level_three_has_its_own_shift(bench, pair2, reference):
    rig = bench(pair2)
    lines, captures, _ = prepare(rig, ["q0"], length=200, block=200)
    readout = Readout(build_chip(pair2), rig.setup, OperatorCache(), levels=4)
    tables = readout.tables(captures, lines, 300)
    assert pair2.resonators["q0"].shifts == (0.0, -4.4e6, -8.1e6, pytest.approx(-11.8e6))
    found = integrate(tables, shots(1), 0, np.array([[3]], dtype=np.uint8), None).iq[0, 0]
    sent = lines[rig.setup.port_index("f0.readout")]
    adc = reference.adc_samples(sent, pair2, "f0", {"q0": np.full(240, 3)}, lo_hz=READOUT_LO_HZ)[40:]
    assert found == pytest.approx(demodulate(adc, 340, 1, captures[0].ftw, 0, None), rel=2e-6)


def test_photons_shorten_t1_as_the_curve_says(bench, first_qubit, pair2):
    document = first_qubit(pair2).model_dump(by_alias=True)
    document["resonators"]["q0"]["t1_with_photons"] = [
        {"photons": 2.0, "factor": 0.5},
        {"photons": 400.0, "factor": 0.2},
    ]
    rig = bench(type(pair2).model_validate(document))
    _, _, tables = prepare(rig, ["q0"])
    expected, share = Readout(build_chip(rig.truth), rig.setup, OperatorCache()).hazards(tables)
    photons = np.abs(tables.fields[0, 1, :-1]) ** 2
    factor = np.where(photons < 2, 1 - photons / 4, 0.5 - 0.3 * (photons - 2) / 398)
    assert expected[0, 1, -1] == pytest.approx(np.sum(1e-9 / 7.4e-5 / factor), rel=1e-9)
    assert photons.max() > 2
    assert not share.any()


def with_adc(first_qubit, pair2, bits, scale=1.0):
    document = first_qubit(pair2).model_dump(by_alias=True)
    document["feedlines"]["f0"]["adc_bits"] = bits
    document["feedlines"]["f0"]["adc_scale"] *= scale
    return type(pair2).model_validate(document)


def test_a_converter_rounds_and_clips_at_full_scale():
    codes, clipped = digitise(np.array([0.1 + 0.2j, 1.2 - 0.5j, -3j, 1.0 + 0j]), 3)
    assert codes == pytest.approx(np.array([0 + 1j / 3, 1 - 2j / 3, -1j, 1.0]))
    assert clipped == 2


def test_a_fine_converter_far_from_its_limits_changes_nothing(bench, first_qubit, pair2):
    levels, found = np.array([[0], [1]] * 50, dtype=np.uint8), []
    for bits in (None, 14):
        rig = bench(with_adc(first_qubit, pair2, bits))
        _, _, tables = prepare(rig, ["q0"], length=300, block=300)
        found.append(integrate(tables, shots(100), 0, levels, steady(np.zeros((1, 3)), 300)))
    assert np.array_equal(found[0].iq, found[1].iq)
    assert found[1].clipped == 0


def test_coarse_steps_add_a_twelfth_of_their_square_and_clipped_samples_are_counted(bench, first_qubit, pair2):
    levels, hazards = np.zeros((300, 1), dtype=np.uint8), steady(np.zeros((1, 3)), 300)
    rig = bench(with_adc(first_qubit, pair2, 4, scale=0.6))
    _, _, tables = prepare(rig, ["q0"], length=300, block=300)
    iq, step = integrate(tables, shots(300), 0, levels, hazards), 1 / 7
    weight = np.sum(np.abs(tables.coefficients[0]) ** 2)
    expected = weight * (tables.noise_deviation**2 + step**2 / 12)
    assert tables.noise_deviation > step / 3  # so that the noise dithers the steps
    assert np.var(iq.iq.real) == pytest.approx(expected, rel=5 * sqrt(2 / 300))  # false alarm below 1e-6
    loud = bench(with_adc(first_qubit, pair2, 12, scale=10.0))
    _, _, tables = prepare(loud, ["q0"], length=300, block=300)
    found = integrate(tables, shots(20), 0, levels[:20], hazards)
    assert found.clipped > 1000
    assert np.abs(found.traces).max() <= np.sqrt(2) * (1 + 1e-6)


@pytest.mark.parametrize("compiled", [True, False])
def test_cavity_and_ringdown_kernels_are_one_pole_recursions(compiled):
    cavity = _kernels.cavity if compiled else _kernels.cavity.py_func
    ringdown = _kernels.ringdown if compiled else _kernels.ringdown.py_func
    drive = np.array([1.0, 0.0, 2j], dtype=complex)
    field, tail = np.zeros(4, dtype=complex), np.empty(4, dtype=complex)
    cavity(drive, 0.5 + 0j, 0.1 + 0j, field)
    ringdown(drive, 0.5 + 0j, tail)
    assert field == pytest.approx(np.array([0, 0.1, 0.05, 0.025 + 0.2j]))
    assert tail == pytest.approx(np.array([1 + 0.5j, 1j, 2j, 0]))
