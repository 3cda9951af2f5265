import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qctrl.errors import CompileError, ResourceError, TimingError
from qctrl.signal.envelopes import SHAPES, Envelope, dequantise, evaluate, quantise
from tests.reference import envelopes as reference

RATE_HZ = 1e9
N_SAMPLES = 24
DURATION_S = 2.4e-8
CASES = [
    ("drag", {"sigma": 5e-9, "beta": 4.1e-10}, reference.drag),
    ("flat_top_cosine", {"rise": 8e-9}, reference.flat_top_cosine),
    ("flat_top_gaussian", {"rise": 8e-9}, reference.flat_top_gaussian),
    ("gaussian", {"sigma": 6e-9}, reference.gaussian),
    ("slepian", {"theta_i": 0.1, "theta_f": 0.86, "lambda2": -0.18}, reference.slepian),
    ("slepian", {"theta_i": 0.3, "theta_f": 2.4}, reference.slepian),
    ("square", {"rise": 3e-9}, reference.flat_top_cosine),
]


def mid_times_s(n_samples, rate_hz):
    return [(k + 0.5) / rate_hz for k in range(n_samples)]


@pytest.mark.parametrize(("shape", "params", "formula"), CASES)
@pytest.mark.parametrize("rate_hz", [1e9, 2e9, 2.5e8])
def test_samples_are_the_formula_in_the_middle_of_each_sample(shape, params, formula, rate_hz):
    samples = evaluate(Envelope(shape, DURATION_S, tuple(params.items())), rate_hz)

    n_samples = round(DURATION_S * rate_hz)
    expected = [formula(t, DURATION_S, **params) for t in mid_times_s(n_samples, rate_hz)]
    assert samples.shape == (n_samples,)
    assert samples.dtype == np.complex128
    assert np.allclose(samples, expected, rtol=0, atol=3e-8)


@given(
    angles=st.lists(st.floats(0.02, 3.1), min_size=2, max_size=2, unique=True).map(sorted),
    lambda2=st.floats(-0.25, 0.25),
    time=st.floats(0.001, 0.999),
)
@settings(deadline=None, max_examples=50)
def test_a_slepian_agrees_with_its_integral(angles, lambda2, time):
    assume(angles[1] - angles[0] > 0.01)
    params = {"theta_i": angles[0], "theta_f": angles[1], "lambda2": lambda2}
    found = evaluate(Envelope("slepian", 1e-8, tuple(params.items())), 1.0e11)
    k = int(time * len(found))
    expected = reference.slepian((k + 0.5) / len(found) * 1e-8, 1e-8, **params)
    assert found[k].real == pytest.approx(expected, abs=2e-6)


@given(theta_i=st.floats(0.02, 1.0), more=st.floats(0.05, 2.0), lambda2=st.floats(-0.25, 0.25))
def test_a_slepian_rises_to_its_middle_and_falls_as_it_rose(theta_i, more, lambda2):
    params = (("theta_i", theta_i), ("theta_f", theta_i + more), ("lambda2", lambda2))
    samples = evaluate(Envelope("slepian", 1e-7, params), RATE_HZ).real
    assert np.allclose(samples, samples[::-1], rtol=0, atol=1e-9)
    assert np.all(np.diff(samples[:50]) >= -1e-12)
    assert 0 <= samples[0] <= samples.max() <= 1


@pytest.mark.parametrize("shape", ["constant", "square"])
def test_a_hard_square_is_ones(shape):
    assert np.array_equal(evaluate(Envelope(shape, DURATION_S), RATE_HZ), np.ones(N_SAMPLES))


def test_a_flat_top_without_rise_is_ones():
    envelope = Envelope("flat_top_gaussian", DURATION_S, (("rise", 0.0),))
    assert np.array_equal(evaluate(envelope, RATE_HZ), np.ones(N_SAMPLES))


@pytest.mark.parametrize("sigma_s", [1e-9, 5e-9, 1e-7, 1e-3])
def test_a_gaussian_is_symmetric_and_lifted_to_zero_at_the_ends(sigma_s):
    samples = evaluate(Envelope("gaussian", 1e-6, (("sigma", sigma_s),)), RATE_HZ).real

    assert np.allclose(samples, samples[::-1], rtol=0, atol=1e-12)
    assert 0 <= samples[0] < 5e-3
    assert 0.8 < samples.max() <= 1


def test_the_imaginary_part_of_a_drag_is_the_slope_of_its_real_part():
    beta_s, rate_hz = 3e-10, 64e9
    samples = evaluate(Envelope("drag", DURATION_S, (("sigma", 5e-9), ("beta", beta_s))), rate_hz)

    slope = np.gradient(samples.real, 1 / rate_hz)
    assert np.allclose(samples.imag[1:-1], beta_s * slope[1:-1], rtol=0, atol=1e-6)


def test_a_length_of_no_samples_gives_none():
    assert evaluate(Envelope("constant", 0.0), RATE_HZ).shape == (0,)


def test_a_fractional_sample_is_refused():
    with pytest.raises(TimingError, match="duration of envelope constant"):
        evaluate(Envelope("constant", 2.45e-8), RATE_HZ)


@pytest.mark.parametrize(
    ("envelope", "text"),
    [
        (Envelope("sawtooth", DURATION_S), "'sawtooth' is unknown; choose one of constant, drag"),
        (Envelope("constant", DURATION_S, (("detuning", 6e8),)), "a detuning of 6e\\+08 Hz is beyond"),
        (Envelope("gaussian", DURATION_S), "takes the parameters sigma; got none"),
        (Envelope("constant", DURATION_S, (("sigma", 1e-9),)), "takes the parameters none; got sigma"),
        (Envelope("gaussian", DURATION_S, (("sigma", 1e-9), ("sigma", 2e-9))), "got sigma, sigma"),
        (Envelope("gaussian", DURATION_S, (("sigma", 0.0),)), "sigma is 0 s; it must be positive"),
        (Envelope("gaussian", DURATION_S, (("sigma", math.nan),)), "sigma is nan; it must be finite"),
        (Envelope("slepian", DURATION_S, (("theta_i", 0.9), ("theta_f", 0.8))), "give 0 < theta_i < theta_f < pi"),
        (Envelope("slepian", DURATION_S, (("theta_i", 0.0), ("theta_f", 0.8))), "give 0 < theta_i < theta_f < pi"),
        (
            Envelope("slepian", DURATION_S, (("theta_i", 0.1), ("theta_f", 0.8), ("lambda2", 0.3))),
            r"lambda2 is 0.3; it must be within \[-0.25, 0.25\]",
        ),
        (Envelope("square", DURATION_S, (("rise", 1.3e-8),)), "two of them must fit into the duration"),
        (Envelope("square", DURATION_S, (("rise", -1e-9),)), "two of them must fit into the duration"),
    ],
)
def test_a_wrong_envelope_is_refused_by_name(envelope, text):
    with pytest.raises(CompileError, match=text):
        evaluate(envelope, RATE_HZ)


def test_a_drag_beyond_full_scale_is_refused():
    with pytest.raises(ResourceError, match=r"envelope drag .* imaginary part of sample \d+ is 1\.\d+ of full scale"):
        evaluate(Envelope("drag", DURATION_S, (("sigma", 2e-9), ("beta", 5e-9))), RATE_HZ)


@settings(deadline=None)
@given(st.lists(st.complex_numbers(max_magnitude=1), max_size=30))
def test_quantised_samples_are_within_half_a_step(samples):
    words = quantise(samples)

    assert words.dtype == np.int16
    assert words.shape == (len(samples), 2)
    assert np.all(np.abs((dequantise(words) - np.array(samples, dtype=complex)).view(float)) <= 0.5000001 / 32767)
    assert np.array_equal(quantise(dequantise(words)), words)


def test_quantisation_rounds_half_to_even():
    assert quantise([complex(0.5, 1.5) / 32767, complex(-2.5 / 32767, 1)]).tolist() == [[0, 2], [-2, 32767]]


@pytest.mark.parametrize("value", [1.0001, complex(0, -1.1), math.nan, complex(0, math.inf)])
def test_quantisation_refuses_what_does_not_fit(value):
    with pytest.raises(ResourceError, match=r"(real|imaginary) part of sample 1 is .* the limit is 1"):
        quantise([0.0, value])


def test_every_shape_is_known_and_sorted():
    assert list(SHAPES) == sorted(SHAPES)
