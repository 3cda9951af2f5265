import math
from fractions import Fraction

import numpy as np
import pytest

from qctrl.errors import ProtocolError, ResourceError
from qctrl.protocol import Crosstalk, Mixer, Port, Setup
from qctrl.signal import SetupChain
from qctrl.signal.filters import predistortion_section
from qctrl.signal.setup_chain import lo_word
from tests.reference import player as reference

TICK_S = Fraction(1, 10**9)


def port(name="q0.flux", kind="flux", **changes):
    values = {"sample_ticks": 1, "granularity_ticks": 1, "full_scale_v": 1.0, "max_amplitude": 1.0, "dac_bits": 16}
    return Port(name=name, kind=kind, **(values | changes))


def chain(*ports, crosstalk=()):
    setup = Setup("device", 1, 10**9, 1000, 100, "", ports, crosstalk)
    setup.verify()
    return SetupChain(setup)


def line_response(y, amplitude, tau_s, sample_s):
    """What a line with one exponential turns samples into, step by step."""
    steps = np.diff(y, prepend=0.0)
    out = np.array(y, dtype=float)
    for n in range(len(y)):
        for m in range(n + 1):
            out[n] += amplitude * steps[m] * math.exp(-(n - m) * sample_s / tau_s)
    return out


@pytest.mark.parametrize(("amplitude", "tau_s"), [(0.1, 30e-9), (-0.2, 5e-9), (0.4, 2e-6)])
def test_predistortion_undoes_the_exponential_of_the_line(amplitude, tau_s):
    wanted = np.concatenate((np.zeros(3), np.full(20, 0.3), np.full(15, -0.2), np.zeros(20)))
    played = chain(port(iir=((amplitude, tau_s),), dac_bits=24)).apply([wanted.copy()], 0)[0]

    assert np.allclose(line_response(played, amplitude, tau_s, 1e-9), wanted, rtol=0, atol=1e-6)


def test_a_constant_passes_predistortion_unchanged():
    played = chain(port(idle=0.25, iir=((0.1, 30e-9), (-0.05, 1e-6)), dac_bits=24)).apply([np.zeros(50)], 0)[0]

    assert np.allclose(played, 0.25, rtol=0, atol=1e-7)


def test_the_state_of_filters_runs_on_across_blocks_and_reset_settles_it():
    filtered = port(idle=0.1, iir=((0.2, 10e-9),), fir=(0.9, 0.05, 0.05))
    x = np.sin(np.arange(40) / 5) / 4
    one, two = chain(filtered), chain(filtered)

    whole = one.apply([x.copy()], 0)[0]
    parts = [two.apply([x[:1].copy()], 0)[0], two.apply([x[1:17].copy()], 1)[0], two.apply([x[17:].copy()], 17)[0]]
    assert np.array_equal(np.concatenate(parts), whole)

    two.reset()
    assert np.array_equal(two.apply([x.copy()], 0)[0], whole)


def test_restoring_a_state_repeats_what_followed_it():
    one = chain(port(iir=((0.2, 10e-9),), fir=(0.9, 0.1)))
    one.apply([np.full(10, 0.4)], 0)
    state = one.state()

    first = one.apply([np.zeros(10)], 10)[0]
    one.restore(state)
    assert np.array_equal(one.apply([np.zeros(10)], 10)[0], first)
    assert first[0] != 0


def test_an_unstable_inverse_is_refused():
    with pytest.raises(ProtocolError, match=r"cannot be inverted stably; the amplitude must be above -0\.9"):
        predistortion_section(-0.96, 1e-8, 1e-9)


def test_crosstalk_mixes_idle_levels_too():
    matrix = Crosstalk(("a", "b"), ((1.0, 0.1), (0.0, 1.0)), ((0.0, 0.0), (0.0, 0.0)))
    slow = ((0.3, 1e-3),)
    out = chain(
        port("a", idle=0.2, iir=slow, dac_bits=24), port("b", idle=-0.5, iir=slow, dac_bits=24), crosstalk=(matrix,)
    ).apply([np.zeros(5), np.zeros(5)], 0)

    assert np.allclose(out[0], 0.2 - 0.05, atol=1e-7)
    assert np.allclose(out[1], -0.5, atol=1e-7)


def test_iq_crosstalk_turns_with_the_difference_of_the_local_oscillators():
    matrix = Crosstalk(("a", "b"), ((1.0, 0.1), (0.0, 1.0)), ((0.0, 0.2), (0.0, 0.0)))
    drives = port("a", "iq_drive", lo_hz=5e9, dac_bits=24), port("b", "iq_drive", lo_hz=5.01e9, dac_bits=24)
    start = 7 * 10**6 + 13
    out = chain(*drives, crosstalk=(matrix,)).apply([np.zeros(8, complex), np.full(8, 0.5 + 0j)], start)

    turns = [Fraction(10**7, 10**9) * (start + k) % 1 for k in range(8)]
    expected = [(0.1 + 0.2j) * 0.5 * np.exp(2j * np.pi * float(t)) for t in turns]
    assert np.allclose(out[0], expected, rtol=0, atol=3e-7)
    assert np.allclose(out[1], 0.5, atol=1e-7)


@pytest.mark.parametrize("lo_hz", [0.0, 4.9e9, 6.123456789e9])
def test_an_lo_word_is_the_fraction_of_a_turn_per_tick(lo_hz):
    turns = Fraction(str(lo_hz)) * TICK_S % 1

    assert 0 <= lo_word(lo_hz, TICK_S) < 2**48
    assert abs(Fraction(lo_word(lo_hz, TICK_S), 2**48) - turns) <= Fraction(1, 2**49)


def test_mixer_correction_and_offset_come_last_and_flux_has_none():
    mixer = Mixer((1.0, 0.1, -0.2, 0.9), 0.01, -0.02)
    iq, flux = chain(port("d", "iq_drive", mixer=mixer, dac_bits=24), port("z", mixer=mixer, dac_bits=24)).apply(
        [np.array([0.5 + 0.25j]), np.array([0.5])], 0
    )

    assert iq[0] == pytest.approx(complex(0.5 + 0.025 + 0.01, -0.1 + 0.225 - 0.02), abs=1e-6)
    assert flux[0] == pytest.approx(0.5, abs=1e-6)


def test_output_is_whole_codes_rounded_half_to_even():
    codes = 2**7 - 1
    out = chain(port(dac_bits=8)).apply([np.array([0.5, 1.5, -2.5, 127.0, -0.2]) / codes], 0)[0]

    assert np.allclose(out * codes, [0, 2, -2, 127, 0], rtol=1e-15, atol=0)
    assert not np.signbit(out[[0, 4]]).any()


@pytest.mark.parametrize("value", [0.51, -0.51, math.nan, math.inf])
def test_a_flux_sample_out_of_range_is_an_error_with_port_tick_value_and_limit(value):
    limited = port(max_amplitude=0.5, sample_ticks=2, granularity_ticks=2)
    x = np.array([0.5, -0.5, value, 0.9])

    with pytest.raises(ResourceError, match=rf"port q0\.flux, tick 104: {value:.6g} of full scale .* limit is 0\.5"):
        chain(limited).apply([x], 100)


@pytest.mark.parametrize("value", [0.51 + 0j, -0.51j, complex(math.nan, 0)])
def test_an_iq_sample_out_of_range_is_an_error(value):
    with pytest.raises(ResourceError, match=r"port d, tick 1: I = .*, Q = .* of full scale"):
        chain(port("d", "iq_drive", max_amplitude=0.5)).apply([np.array([0j, value])], 0)


def test_the_mixer_offset_counts_against_the_limit():
    drive = port("d", "iq_drive", max_amplitude=0.5, mixer=Mixer(offset_i=0.02))
    with pytest.raises(ResourceError, match=r"I = 0\.51, Q = 0"):
        chain(drive).apply([np.array([0.49 + 0j])], 0)


def test_acquire_ports_have_no_samples():
    out = chain(port("a", "acquire", iir=(), fir=())).apply([np.empty(0, complex)], 0)
    assert [len(samples) for samples in out] == [0]


def pair(real=((1.0, 0.0), (0.0, 1.0)), imag=((0.0, 0.0), (0.0, 0.0))):
    return Crosstalk(("a", "b"), real, imag)


@pytest.mark.parametrize(
    ("ports", "crosstalk", "text"),
    [
        ((port("a"), port("b", "iq_drive")), (pair(),), "equal kind and sample rate"),
        ((port("a"), port("b", sample_ticks=2, granularity_ticks=2)), (pair(),), "equal kind and sample rate"),
        ((port("a", "acquire"), port("b", "acquire")), (pair(),), "must be outputs"),
        ((port("a"), port("b")), (pair(imag=((0.0, 0.1), (0.0, 0.0))),), "the imaginary part must be 0"),
        ((port("a"), port("b")), (pair(), pair()), "a port appears twice"),
    ],
)
def test_impossible_crosstalk_is_refused(ports, crosstalk, text):
    with pytest.raises(ProtocolError, match=text):
        chain(*ports, crosstalk=crosstalk)


def test_a_decayed_filter_state_becomes_exactly_zero():
    settling = chain(port(iir=((0.3, 2e-9),)))
    settling.apply([np.array([0.5, 0.0])], 0)
    settling.apply([np.zeros(2000)], 2)

    assert [array.tolist() for array in settling.state()] == [[0.0, 0.0], []]


def test_filters_agree_with_the_reference_on_noise():
    rng = np.random.default_rng(20261123)
    drive = port("d", "iq_drive", iir=((0.1, 8e-9), (-0.2, 3e-8)), fir=(0.8, 0.1, -0.05, 0.02))
    setup = Setup("device", 1, 10**9, 1000, 100, "", (drive,), ())
    x = rng.uniform(-0.3, 0.3, 200) + 1j * rng.uniform(-0.3, 0.3, 200)

    expected = reference.dac(setup, [x.tolist()])[0]
    assert np.allclose(SetupChain(setup).apply([x.copy()], 0)[0], expected, rtol=0, atol=1.01 / 32767)
