"""Each kernel in both forms against the obvious calculation."""

import cmath
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qctrl.protocol import EVENT, EventOp, Mixer, Port
from qctrl.signal import _kernels
from qctrl.signal.filters import predistortion_section
from qctrl.signal.line import OutputLine
from tests.reference import player as reference

both_forms = pytest.mark.parametrize("compiled", [True, False])
DRIVE = Port(
    name="d",
    kind="iq_drive",
    sample_ticks=1,
    granularity_ticks=1,
    full_scale_v=1.0,
    max_amplitude=0.8,
    dac_bits=14,
    mixer=Mixer((1.01, 0.02, -0.03, 0.97), 0.001, -0.002),
)


def kernel(name, compiled):
    dispatcher = getattr(_kernels, name)
    return dispatcher if compiled else dispatcher.py_func


def noise(seed, n, *, real=False):
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.5, 0.5, n) if real else rng.uniform(-0.5, 0.5, n) + 1j * rng.uniform(-0.5, 0.5, n)


@both_forms
@settings(deadline=None)
@given(word=st.integers(0, 2**48 - 1))
def test_a_phasor_is_exact_to_a_few_roundings(compiled, word):
    assert abs(kernel("unit_phasor", compiled)(word) - cmath.exp(2j * math.pi * (word / 2**48))) < 1e-15


@both_forms
@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize(("amplitude", "tau_s"), [(0.2, 1e-8), (-0.3, 4e-9)])
def test_iir_agrees_with_the_reference(compiled, real, amplitude, tau_s):
    x = noise(3, 60, real=real)
    expected = reference.undo_exponential(x.tolist(), 0.125, amplitude, tau_s, 1e-9)
    sections = np.array([predistortion_section(amplitude, tau_s, 1e-9)])
    kernel("predistort_iir", compiled)(sections, np.full(1, 0.125, dtype=x.dtype), x)

    assert np.allclose(x, expected, rtol=0, atol=1e-13)


@both_forms
@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("taps", [(0.5,), (0.7, -0.2, 0.1)])
def test_fir_agrees_with_the_reference_and_owes_its_tail_to_the_next_samples(compiled, real, taps):
    x = noise(4, 20, real=real)
    tail, parts = np.zeros(len(taps) - 1, dtype=x.dtype), []
    for part in (x[:1], x[1:12], x[12:]):
        out = np.empty(len(part) + len(tail), dtype=x.dtype)
        kernel("predistort_fir", compiled)(np.array(taps), tail, part, out)
        parts.append(out[: len(part)])

    assert np.allclose(np.concatenate(parts), reference.convolve(x.tolist(), 0.0, taps), rtol=0, atol=1e-14)


@both_forms
def test_real_ports_mix_by_a_matrix(compiled):
    x, matrix = noise(5, 12, real=True).reshape(3, 4), np.array([[1.0, 0.1, 0.0], [0.0, 0.9, 0.2], [0.3, 0.0, 1.1]])
    out = np.zeros_like(x)
    kernel("mix_real", compiled)(matrix, x, out)

    assert np.allclose(out, matrix @ x, rtol=0, atol=1e-15)


@both_forms
def test_iq_ports_mix_by_a_matrix_that_turns(compiled):
    x, matrix = noise(6, 10).reshape(2, 5), np.array([[1.0, 0.1j], [0.0, 0.9]])
    words = np.array([2**40 + 3, 2**45 - 1])
    out = np.zeros_like(x)
    kernel("mix_iq", compiled)(matrix, words, 10**9, 2, x, out)

    beat = [int(words[1] - words[0]) * (10**9 + 2 * k) % 2**48 / 2**48 for k in range(5)]
    assert np.allclose(out[0], x[0] + 0.1j * np.exp(2j * np.pi * np.array(beat)) * x[1], rtol=0, atol=1e-14)
    assert np.allclose(out[1], 0.9 * x[1], rtol=0, atol=1e-15)


@both_forms
def test_finishing_iq_samples_agrees_with_the_reference(compiled):
    x = noise(7, 200)
    expected = [reference.quantise(DRIVE, reference.correct_mixer(DRIVE, value)) for value in x.tolist()]
    flat = x.view(np.float64)
    numbers = OutputLine(DRIVE, Fraction(1, 10**9), 0.0).numbers.numbers
    kernel("correct", compiled)(numbers, 2, flat)

    assert kernel("finish", compiled)(0.8 * 8191, 1 / 8191, flat) == -1
    assert np.allclose(x, expected, rtol=1e-15, atol=0)


@both_forms
@pytest.mark.parametrize("value", [101.0, -101.0, math.nan, math.inf])
def test_the_first_value_out_of_range_is_named_and_nothing_is_rounded(compiled, value):
    x = np.array([0.1, value, value, 0.2])

    assert kernel("finish", compiled)(100.0, 1 / 127, x) == 1
    assert x[0] == 0.1


@both_forms
def test_finishing_rounds_to_codes_half_to_even(compiled):
    x = np.array([0.5, 1.5, -0.2, 127.0])
    assert kernel("finish", compiled)(127.0, 1 / 127, x) == -1

    assert np.allclose(x * 127, [0, 2, 0, 127], rtol=1e-15, atol=0)
    assert not np.signbit(x).any()


@both_forms
def test_an_acquire_port_resolves_captures_with_the_registers_of_their_time(compiled):
    events = np.zeros(4, dtype=EVENT)
    events["op"] = EventOp.SHIFT_PHASE, EventOp.SET_FREQUENCY, EventOp.CAPTURE, EventOp.SHIFT_PHASE
    events["phase"] = 2**32 - 5, 2**32 - 1, 9, 3
    events["gain"][1] = -12345
    frames, carriers = np.array([[0, 777, 1]]), np.zeros((4, 2), dtype=np.int64)
    kernel("open_captures", compiled)(events, np.zeros(1, dtype=np.uint32), frames, carriers)

    assert frames.tolist() == [[0, -12345, 2**32 - 1]]
    assert carriers[2].tolist() == [-12345, 5]
