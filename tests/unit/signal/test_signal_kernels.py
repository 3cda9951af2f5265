"""Each kernel in both forms against the obvious calculation."""

import cmath
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qctrl.protocol import Mixer, Port
from qctrl.signal import _kernels
from qctrl.signal.setup_chain import predistortion_section
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
@pytest.mark.parametrize("step", [0, 1, 2**47, 2**48 - 12345])
def test_a_modulated_envelope_is_added_to_what_is_there(compiled, step):
    envelope, word = noise(1, 17), 2**48 - 7
    out = np.ones(34)
    kernel("add_modulated", compiled)(envelope, -0.5, word, step, out)

    turns = [(word + k * step) % 2**48 / 2**48 for k in range(17)]
    expected = 1 + 1j - 0.5 * envelope * np.exp(2j * np.pi * np.array(turns))
    assert np.allclose(out.view(complex), expected, rtol=0, atol=1e-14)


@both_forms
def test_a_real_envelope_adds_its_real_part(compiled):
    envelope, out = noise(2, 9), np.ones(12)
    kernel("add_real", compiled)(envelope, 0.25, out)

    assert np.array_equal(out, np.concatenate((1 + 0.25 * envelope.real, np.ones(3))))


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
def test_fir_agrees_with_the_reference(compiled, real, taps):
    x = noise(4, 20, real=real)
    extended = np.concatenate((np.full(len(taps) - 1, 0.25), x))
    out = np.zeros_like(x)
    kernel("predistort_fir", compiled)(np.array(taps), extended, out)

    assert np.allclose(out, reference.convolve(x.tolist(), 0.25, taps), rtol=0, atol=1e-14)


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
    correction = np.array([*DRIVE.mixer.matrix, DRIVE.mixer.offset_i, DRIVE.mixer.offset_q])

    assert kernel("finish_iq", compiled)(correction, 0.8, 8191.0, x) == -1
    assert np.array_equal(x, expected)


@both_forms
@pytest.mark.parametrize("value", [0.9, -0.9j, complex(0, math.nan)])
def test_the_first_iq_sample_out_of_range_is_named(compiled, value):
    x = np.array([0.1, value, value, 0.2], dtype=complex)
    correction = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0])

    assert kernel("finish_iq", compiled)(correction, 0.8, 8191.0, x) == 1


@both_forms
def test_finishing_real_samples_rounds_to_codes_and_names_the_first_out_of_range(compiled):
    x = np.array([0.5, 1.5, -0.2]) / 127
    assert kernel("finish_real", compiled)(1.0, 127.0, x) == -1
    assert (x * 127).tolist() == [0, 2, 0]

    assert kernel("finish_real", compiled)(0.5, 127.0, np.array([0.5, -0.6, 0.7])) == 1
    assert kernel("finish_real", compiled)(0.5, 127.0, np.array([math.nan])) == 0


@both_forms
def test_a_block_moves_registers_and_resolves_captures(compiled):
    columns = _kernels
    events = np.zeros((4, columns.EVENT_COLUMNS), dtype=np.int64)
    events[:, columns.OP] = 2, 3, 1, 0
    events[0, columns.PHASE] = 2**32 - 5
    events[1, columns.FTW] = -12345
    events[2, columns.PHASE] = 9
    events[3, [columns.START, columns.LENGTH, columns.GAIN]] = 4, 2, 2**30
    frames = np.array([[0, 777, 1]])
    out = np.zeros(16)
    kernel("render_block", compiled)(events, 10**10, np.array([[2, 0, 1]]), frames, np.ones(2, complex), out)

    assert frames.tolist() == [[0, -12345, 2**32 - 4]]
    assert events[2, [columns.FTW, columns.WINDOW_PHASE]].tolist() == [-12345, 5]
    words = [(-12345 * (10**10 + 4 + 2 * k) + ((2**32 - 4) << 16)) % 2**48 for k in range(2)]
    expected = np.concatenate((np.zeros(2), np.exp(2j * np.pi * np.array(words) / 2**48), np.zeros(4)))
    assert np.allclose(out.view(complex), expected, rtol=0, atol=1e-14)
