"""Kernels of the signal equation and of the Setup's corrections; the neighbours check shapes and ranges.

Samples are float64: interleaved (I, Q) on IQ ports, ``width`` 2, plain on flux ports, ``width`` 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numba import njit

from qctrl.jit import JIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Columns of the frame registers.
F_PORT, F_FTW, F_PHASE = range(3)
FRAME_COLUMNS: Final = 3
# Columns of a predistortion section.
DIRECT, FROM_STATE, POLE, FEED = range(4)
SECTION_COLUMNS: Final = 4
# The numbers of a line: mixer matrix, level of silence and limit in codes of the DAC, one code in full scales, and
# ROUNDING, which is among them because the compiler would load a constant again for every sample.
M00, M01, M10, M11, BASE_I, BASE_Q, LIMIT, LSB, ROUNDER = range(9)

CHUNK: Final = 256
"""Samples for which the decay of a state is tabulated."""
PLAY, CAPTURE, _SHIFT_PHASE = 0, 1, 2
_BY_GAIN, _BY_FREQUENCY = 1, 2
_MASK_32: Final = 2**32 - 1
MASK_48: Final = 2**48 - 1
_GAIN_LSB: Final = 2.0**-30
# A thousand times below the least error of a double at full scale; a decaying state would end in slow subnormals.
SETTLED: Final = 1e-18
# Adding and subtracting it rounds half to even, and never leaves -0.0: equal codes are equal bytes.
ROUNDING: Final = 1.5 * 2.0**52

# exp(2 pi i word / 2**48) is the product of three table entries of eight bits each and a short series for the
# remaining 24 bits, whose angle is below 4e-7 rad. It depends on the word alone: equal words, equal bits. Larger
# tables would push the responses out of the first cache.
_TABLE_BITS: Final = 8
_TABLE_MASK: Final = 2**_TABLE_BITS - 1
_HIGH_SHIFT: Final = 48 - _TABLE_BITS
_MIDDLE_SHIFT: Final = 48 - 2 * _TABLE_BITS
_LOW_BITS: Final = 48 - 3 * _TABLE_BITS
_LOW_MASK: Final = 2**_LOW_BITS - 1
_WORD_RAD: Final = 2.0 * math.pi / 2.0**48
_HIGH = np.exp(2j * np.pi * np.arange(2**_TABLE_BITS) / 2.0**_TABLE_BITS)
_MIDDLE = np.exp(2j * np.pi * np.arange(2**_TABLE_BITS) / 2.0 ** (2 * _TABLE_BITS))
_LOW = np.exp(2j * np.pi * np.arange(2**_TABLE_BITS) / 2.0 ** (3 * _TABLE_BITS))


class Line(NamedTuple):
    """What is fixed about one output port; with m filter sections and K + 1 taps."""

    width: int
    ticks: int
    """Per sample."""
    numbers: NDArray[np.float64]
    """Mixer matrix, level of silence (I, Q) and limit, all in codes of the DAC; one code in full scales."""
    sections: NDArray[np.float64]
    """Shape ``(m, SECTION_COLUMNS)``."""
    taps: NDArray[np.float64]
    modes: NDArray[np.float64]
    """Output following a unit in state k, shape ``(max(m, 2), CHUNK)``; zeros where there is no section."""
    reach: NDArray[np.float64]
    """Largest level that follows a unit in each state, after the mixer matrix, in codes; shape ``(max(m, 2),)``."""
    powers: NDArray[np.float64]
    """State n samples after a state, lower triangles, shape ``(CHUNK + 1, n, n)`` with n the number of modes."""


@njit(**JIT)
def unit_phasor(word: int) -> complex:
    """Return ``exp(2 pi i word / 2**48)`` for a word in ``[0, 2**48)``, to 6e-16."""
    low_rad = (word & _LOW_MASK) * _WORD_RAD
    fine = _MIDDLE[(word >> _MIDDLE_SHIFT) & _TABLE_MASK] * _LOW[(word >> _LOW_BITS) & _TABLE_MASK]
    return _HIGH[word >> _HIGH_SHIFT] * fine * complex(1.0 - 0.5 * low_rad * low_rad, low_rad)


# ---- events: open slots, frame registers


@njit(**JIT)
def _signed(word: Any) -> int:
    """Return a 32-bit word as two's complement."""
    value = int(np.int64(word))
    return value - 2**32 if value >= 2**31 else value


@njit(**JIT)
def event_phase(event: Any, words: NDArray[np.uint32], frames: NDArray[np.int64]) -> int:
    """Return the sum of event phase, row and phase register, 2**-32 turn."""
    own = int(np.int64(event["phase"])) + int(np.int64(words[event["phase_row"]]))
    return (own + int(frames[event["frame"], F_PHASE])) & _MASK_32


@njit(**JIT)
def play_gain(event: Any, words: NDArray[np.uint32]) -> float:
    """Return the gain of a play."""
    by_row = event["row_field"] == _BY_GAIN
    return (_signed(words[event["value_row"]]) if by_row else int(event["gain"])) * _GAIN_LSB


@njit(**JIT)
def play_word(event: Any, start_tick: int, words: NDArray[np.uint32], frames: NDArray[np.int64]) -> int:
    """Return the phase of a play's first sample, 2**-48 turn."""
    tick = int(start_tick) + int(np.int64(event["start_ticks"]))
    # The product wraps modulo 2**64, of which 2**48 is a divisor.
    return (int(frames[event["frame"], F_FTW]) * tick + (event_phase(event, words, frames) << 16)) & MASK_48


@njit(**JIT)
def change_frame(event: Any, words: NDArray[np.uint32], frames: NDArray[np.int64]) -> None:
    """Shift the phase of a frame or set its frequency."""
    frame = event["frame"]
    if event["op"] == _SHIFT_PHASE:
        frames[frame, F_PHASE] = event_phase(event, words, frames)
    elif event["row_field"] == _BY_FREQUENCY:
        frames[frame, F_FTW] = _signed(words[event["value_row"]]) * 2**16
    else:
        frames[frame, F_FTW] = _signed(event["phase"]) * 2**32 + (int(event["gain"]) & _MASK_32)


@njit(**JIT)
def open_captures(
    events: NDArray[np.void], words: NDArray[np.uint32], frames: NDArray[np.int64], carriers: NDArray[np.int64]
) -> None:
    """Bring an acquire port to the block's end; (tuning word, phase word) of each capture, shape ``(n_events, 2)``."""
    for k in range(events.size):
        if events[k]["op"] == CAPTURE:
            carriers[k, 0] = frames[events[k]["frame"], F_FTW]
            carriers[k, 1] = event_phase(events[k], words, frames)
        else:
            change_frame(events[k], words, frames)


@njit(**JIT)
def superpose(
    events: NDArray[np.void],
    words: NDArray[np.uint32],
    start_tick: int,
    shape: tuple[int, int],
    frames: NDArray[np.int64],
    envelopes: NDArray[np.void],
    samples: NDArray[np.complex128],
    out: NDArray[np.float64],
) -> None:
    """Add the plays of one port to ``out``, before the Setup is applied; bring its frames to the last event.

    ``shape`` is floats per sample and ticks per sample.
    """
    width, ticks = shape
    for k in range(events.size):
        event = events[k]
        if event["op"] != PLAY:
            change_frame(event, words, frames)
            continue
        envelope = envelopes[event["target"]]
        place, length = int(np.int64(envelope["offset"])), int(np.int64(envelope["length"]))
        first = int(np.int64(event["start_ticks"])) // ticks
        gain = play_gain(event, words)
        if width == 1:
            for j in range(length):
                out[first + j] += gain * samples[place + j].real
            continue
        word = play_word(event, start_tick, words, frames)
        step = (int(frames[event["frame"], F_FTW]) * ticks) & MASK_48
        for j in range(length):
            sample = gain * samples[place + j] * unit_phasor(word)
            out[2 * (first + j)] += sample.real
            out[2 * (first + j) + 1] += sample.imag
            word = (word + step) & MASK_48


# ---- crosstalk, and the corrections one after the other


@njit(**JIT)
def mix_real(matrix: NDArray[np.float64], x: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Add ``matrix @ x`` to ``out``; both of shape ``(n_ports, n_samples)``."""
    for target in range(x.shape[0]):
        for source in range(x.shape[0]):
            factor = matrix[target, source]
            if factor != 0.0:
                for k in range(x.shape[1]):
                    out[target, k] += factor * x[source, k]


@njit(**JIT)
def mix_iq(
    matrix: NDArray[np.complex128],
    lo_words: NDArray[np.int64],
    start_tick: int,
    sample_ticks: int,
    x: NDArray[np.complex128],
    out: NDArray[np.complex128],
) -> None:
    """Add the crosstalk matrix times ``x`` to ``out``, each term turned by the difference of its two LOs."""
    for target in range(x.shape[0]):
        for source in range(x.shape[0]):
            factor = matrix[target, source]
            if factor == 0.0:
                continue
            beat = int(lo_words[source]) - int(lo_words[target])
            if beat == 0:
                for k in range(x.shape[1]):
                    out[target, k] += factor * x[source, k]
                continue
            word = (beat * int(start_tick)) & MASK_48
            step = (beat * int(sample_ticks)) & MASK_48
            for k in range(x.shape[1]):
                out[target, k] += factor * unit_phasor(word) * x[source, k]
                word = (word + step) & MASK_48


@njit(**JIT)
def predistort_fir(taps: NDArray[np.float64], tail: NDArray[Any], x: NDArray[Any], out: NDArray[Any]) -> None:
    """Convolve ``x`` into ``out``, longer than ``x`` by ``tail``; the tail of before is added, that of now kept."""
    # In loops: Numba takes three seconds to compile the error of an array assigned to a slice that it does not fit.
    for k in range(tail.size):
        out[k] = tail[k]
    for k in range(tail.size, out.size):
        out[k] = 0.0
    for j in range(taps.size):
        tap = taps[j]
        for k in range(x.size):
            out[k + j] += tap * x[k]
    for k in range(tail.size):
        tail[k] = out[x.size + k]


@njit(**JIT)
def predistort_iir(sections: NDArray[np.float64], state: NDArray[Any], x: NDArray[Any]) -> None:
    """Run first-order sections over real or complex samples in place; the state runs on."""
    for m in range(sections.shape[0]):
        direct = sections[m, DIRECT]
        from_state = sections[m, FROM_STATE]
        pole = sections[m, POLE]
        feed = sections[m, FEED]
        u = state[m]
        for k in range(x.size):
            sample = x[k]
            x[k] = direct * sample + from_state * u
            u = pole * u + feed * sample
        state[m] = u if abs(u) > SETTLED else u - u


@njit(**JIT)
def correct(numbers: NDArray[np.float64], width: int, x: NDArray[np.float64]) -> None:
    """Apply the mixer matrix and add the level of silence, in place: fractions of full scale become codes."""
    if width == 1:
        for k in range(x.size):
            x[k] = numbers[M00] * x[k] + numbers[BASE_I]
        return
    for k in range(0, x.size, 2):
        i, q = x[k], x[k + 1]
        x[k] = numbers[M00] * i + numbers[M01] * q + numbers[BASE_I]
        x[k + 1] = numbers[M10] * i + numbers[M11] * q + numbers[BASE_Q]


@njit(inline="always", **JIT)
def rounded(code: float) -> float:
    """Return the nearest integer, half to even; never -0.0."""
    return (code + ROUNDING) - ROUNDING


@njit(**JIT)
def finish(limit: float, lsb: float, x: NDArray[np.float64]) -> int:
    """Check the range and round to whole codes, in place: codes become fractions of full scale.

    Returns:
        Index of the first value out of range or not a number, then nothing is rounded; -1 if there is none.
    """
    bad = 0
    for k in range(x.size):
        bad += not abs(x[k]) <= limit  # also true for NaN
    if bad:
        for k in range(x.size):
            if not abs(x[k]) <= limit:
                return k
    for k in range(x.size):
        x[k] = rounded(x[k]) * lsb
    return -1
