from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.config import Truth
from firmware_sim.line_truth import LineTruth
from firmware_sim.wires import Wires, mix
from qctrl.errors import ConfigError
from qctrl.protocol.setup import Crosstalk, Mixer, Setup
from qctrl.signal import SetupChain
from tests.unit.firmware_sim.test_signal_chain import TRUTH, setup, silent

DRIVE, OTHER, FLUX, NEXT = range(4)


def truth_of(**parts) -> Truth:
    """pair2 with wires, crosstalk or fields of q0's drive line."""
    document = TRUTH.model_dump(by_alias=True)
    document["lines"]["q0.drive"].update(parts.pop("line", {}))
    return Truth.model_validate({**document, **parts})


def with_crosstalk(base, ports, matrix) -> Setup:
    matrix = np.array(matrix, dtype=complex)
    rows = [tuple(map(tuple, part.tolist())) for part in (matrix.real, matrix.imag)]
    return Setup("bench", 1, 10**9, 100, 0, "", base.ports, (Crosstalk(ports, *rows),))


def test_without_imperfections_the_chip_gets_the_very_arrays_of_the_converters():
    wires, lines = Wires(TRUTH, setup()), silent(10)
    assert wires.ideal
    assert wires.apply(lines, 0) is lines


def test_a_mixer_of_five_percent_and_three_degrees_has_its_image_at_minus_28_9_decibel():
    line = LineTruth(rabi_hz_per_fs=1e8, gain_imbalance=0.05, phase_imbalance=np.deg2rad(3))
    spectrum = np.fft.fft(mix(line, 0.5 * np.exp(2j * np.pi * 0.1 * np.arange(100)))) / 100
    assert 20 * np.log10(abs(spectrum[90] / spectrum[10])) == pytest.approx(-28.93, abs=0.01)


def test_mixer_flaws_make_an_image_and_a_leak():
    gain, angle = 0.04, 0.03
    flaws = {"gain_imbalance": gain, "phase_imbalance": angle, "offset_i": 0.01, "offset_q": -0.02}
    wires, lines = Wires(truth_of(line=flaws), setup()), silent(100)
    lines[DRIVE][:] = 0.5 * np.exp(2j * np.pi * 0.1 * np.arange(100))
    spectrum = np.fft.fft(wires.apply(lines, 0)[DRIVE]) / 100
    assert spectrum[0] == pytest.approx(0.01 - 0.02j, abs=1e-12)
    # I = a cos, Q = (1 + g) a sin(wt + angle): image / carrier of an unbalanced mixer.
    turn = (1 + gain) * np.exp(1j * angle)
    assert spectrum[10] == pytest.approx(0.25 * (1 + turn))
    assert spectrum[90] == pytest.approx(0.25 * (1 - np.conj(turn)))


def test_the_mixer_correction_of_a_setup_removes_image_and_leak():
    gain, angle, offsets = 0.05, np.deg2rad(3), (0.01, -0.02)
    truth = truth_of(
        line={"gain_imbalance": gain, "phase_imbalance": angle, "offset_i": offsets[0], "offset_q": offsets[1]}
    )
    # Q = (1 + g) (Q' cos p + I sin p) is undone by Q' = (Q / (1 + g) - I sin p) / cos p.
    matrix = (1.0, 0.0, -np.tan(angle), 1 / ((1 + gain) * np.cos(angle)))
    inverse = Mixer(matrix, -offsets[0], -(offsets[1] / (1 + gain) - offsets[0] * np.sin(angle)) / np.cos(angle))
    base = setup({"q0.drive": {"mixer": inverse, "dac_bits": 24}})
    lines = silent(64)
    lines[DRIVE][:] = 0.4 * np.exp(2j * np.pi * 0.125 * np.arange(64))
    wanted = lines[DRIVE].copy()
    felt = Wires(truth, base).apply(SetupChain(base).apply(lines, 0), 0)[DRIVE]
    assert np.abs(felt - wanted).max() < 1e-6


def test_a_step_through_exponentials_overshoots_and_decays_as_stated():
    sections = [{"amplitude": 0.03, "tau": 2e-8}]
    wires, lines = Wires(truth_of(wires={"q0.flux": {"exponentials": sections}}), setup()), silent(200)
    lines[FLUX][10:] = 0.5
    felt = wires.apply(lines, 0)[FLUX]
    expected = 0.5 * (1 + 0.03 * np.exp(-np.arange(190) / 20))
    assert felt[10:] == pytest.approx(expected, rel=1e-12)
    assert felt.dtype == np.float64


def test_predistortion_of_a_setup_undoes_the_line_at_the_sample_instants():
    pairs = ((0.03, 2e-8), (-0.015, 3e-7))
    sections = [{"amplitude": a, "tau": tau} for a, tau in pairs]
    base = setup({"q0.flux": {"iir": pairs, "idle": 0.1, "dac_bits": 24}})
    wires, chain = Wires(truth_of(wires={"q0.flux": {"exponentials": sections}}), base), SetupChain(base)
    lines, wanted = silent(400), np.full(400, 0.1)
    lines[FLUX][50:90] = 0.4
    wanted[50:90] += 0.4
    felt = wires.apply(chain.apply(lines, 0), 0)[FLUX]
    assert np.abs(felt - wanted).max() < 1e-6
    assert wires.rest[FLUX] == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("kind", ["drive", "flux"])
def test_crosstalk_compensation_of_a_setup_undoes_the_leaks(kind):
    if kind == "drive":
        leaks = {
            "q0.drive": {"q1.drive": {"amplitude": 0.05, "phase": 0.7}},
            "q1.drive": {"q0.drive": {"amplitude": 0.1}},
        }
        physical, ports, pair = np.array([[1, 0.05 * np.exp(0.7j)], [0.1, 1]]), ("q0.drive", "q1.drive"), (DRIVE, OTHER)
    else:
        leaks = {"q0.flux": {"q1.flux": -0.04}, "q1.flux": {"q0.flux": 0.02}}
        physical, ports, pair = np.array([[1, -0.04], [0.02, 1]]), ("q0.flux", "q1.flux"), (FLUX, NEXT)
    base = setup({name: {"dac_bits": 24} for name in ports})
    wires = Wires(truth_of(crosstalk={kind: leaks}), base)
    lines = silent(50)
    lines[pair[0]][10:40], lines[pair[1]][20:30] = 0.3, -0.2
    wanted = np.array([lines[p] for p in pair])
    bare = np.array([wires.apply(lines, 0)[p] for p in pair])
    assert bare == pytest.approx(physical @ wanted)
    chain = SetupChain(with_crosstalk(base, ports, np.linalg.inv(physical)))
    felt = wires.apply(chain.apply(lines, 0), 0)
    assert np.abs(np.array([felt[p] for p in pair]) - wanted).max() < 1e-6


def test_a_leak_between_lines_of_different_los_turns_at_their_difference():
    leaks = {"q0.drive": {"q1.drive": {"amplitude": 0.1, "phase": 0.3}}}
    base = setup({"q1.drive": {"lo_hz": 5.0e9}})
    lines = silent(20)
    lines[OTHER][:] = 0.5
    found = Wires(truth_of(crosstalk={"drive": leaks}, line={"lo_error": 3e6}), base).apply(lines, 7)[DRIVE]
    beat_hz = 5.0e9 - 4.9e9 - 3e6
    expected = 0.05 * np.exp(0.3j) * np.sinc(beat_hz * 1e-9)
    assert found == pytest.approx(expected * np.exp(2j * np.pi * beat_hz * (np.arange(20) + 7.5) * 1e-9))


def test_crosstalk_between_unequal_rates_is_refused():
    leaks = {"q0.drive": {"q1.drive": {"amplitude": 0.1}}}
    with pytest.raises(ConfigError, match=r"crosstalk of q1\.drive into q0\.drive: their sample rates differ"):
        Wires(truth_of(crosstalk={"drive": leaks}), setup({"q1.drive": {"sample_ticks": 2}}))


def test_delays_of_setup_and_cable_add_and_only_differences_are_felt():
    base = setup({f"q{q}.drive": {"delay_ticks": 5} for q in (0, 1)} | {"q0.flux": {"delay_ticks": 2}})
    wires = Wires(truth_of(wires={"q1.drive": {"delay": 4e-9}, "q1.flux": {"delay": 3e-9}}), base)
    lines = silent(30)
    for line in lines:
        line[10] = 0.5
    # Earliest is c01.flux with 0 ticks.
    assert [int(np.argmax(np.abs(x))) for x in wires.apply(lines, 0)] == [15, 19, 12, 13, 10]


def test_a_delay_of_half_a_sample_is_refused():
    with pytest.raises(ConfigError, match=r"q0\.drive lags the earliest by 1 ticks; make it whole samples"):
        Wires(truth_of(wires={"q0.drive": {"delay": 1e-9}}), setup({"q0.drive": {"sample_ticks": 2}}))


def test_a_coarse_converter_rounds_to_its_codes_and_gain_scales():
    wires, lines = Wires(truth_of(wires={"q0.drive": {"bits": 4, "gain": 0.5}}), setup()), silent(3)
    lines[DRIVE][:] = [0.5, 0.07 - 0.08j, 1.0]
    assert wires.apply(lines, 0)[DRIVE] == pytest.approx(np.array([4 / 7, -1j / 7, 1.0]) * 0.5)


def test_memories_restore_and_forget_what_is_negligible():
    wires = Wires(truth_of(wires={"q0.flux": {"exponentials": [{"amplitude": 0.1, "tau": 1e-8}]}}), setup())
    lines = silent(20)
    lines[FLUX][5:] = 0.3
    before = wires.settled()
    first = wires.apply(lines, 0)[FLUX].copy()
    assert wires.state()[0] == pytest.approx(0.3 * (1 - np.exp(-1.5)))
    wires.restore(before)
    assert np.array_equal(wires.apply(lines, 0)[FLUX], first)
    wires.apply(silent(250), 20)
    assert np.array_equal(wires.state()[0], before[0])


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.lists(st.floats(-0.5, 0.5), min_size=0, max_size=4),
    st.integers(0, 7),
    st.integers(0, 2**32 - 1),
)
def test_cutting_a_program_into_blocks_changes_nothing(lengths, taps, delay, seed):
    wire = {"fir": [1.0, *taps], "delay": delay * 1e-9, "exponentials": [{"amplitude": 0.05, "tau": 2e-8}]}
    truth = truth_of(wires={"q0.drive": wire, "q0.flux": wire}, crosstalk={"flux": {"q0.flux": {"q1.flux": 0.1}}})
    base, rng = setup({"q0.flux": {"idle": 0.2}}), np.random.default_rng(seed)
    lines = [(rng.normal(size=x.shape) * 0.1).astype(x.dtype) for x in silent(sum(lengths))]
    whole = Wires(truth, base).apply(lines, 0)
    wires, start = Wires(truth, base), 0
    for length in lengths:
        part = wires.apply([x[start : start + length] for x in lines], start)
        for got, expected in zip(part, whole, strict=True):
            assert got == pytest.approx(expected[start : start + length], abs=1e-12)
        start += length
