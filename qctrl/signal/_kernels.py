"""Kernels of the signal equation and of the Setup's corrections; the neighbours check shapes and ranges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from qctrl.jit import JIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Columns of the resolved event table.
OP, FRAME, START, OFFSET, LENGTH, GAIN, PHASE, FTW, WINDOW_PHASE = range(9)
EVENT_COLUMNS: Final = 9
# Columns of the frame registers.
F_PORT, F_FTW, F_PHASE = range(3)
FRAME_COLUMNS: Final = 3
# Columns of the port table: ticks per sample, place in the output buffer, real or complex.
P_TICKS, P_OFFSET, P_COMPLEX = range(3)
PORT_COLUMNS: Final = 3
# Columns of a predistortion section.
DIRECT, FROM_STATE, POLE, FEED = range(4)
SECTION_COLUMNS: Final = 4

_PLAY, _CAPTURE, _SHIFT_PHASE = 0, 1, 2
_MASK_32: Final = 2**32 - 1
_MASK_48: Final = 2**48 - 1
_GAIN_LSB: Final = 2.0**-30
_SETTLED: Final = 1e-30

# exp(2 pi i word / 2**48) is the product of two table entries of ten bits each and a short series for the
# remaining 28 bits, whose angle is below 6e-6 rad. It depends on the word alone: equal words, equal bits.
_TABLE_BITS: Final = 10
_TABLE_MASK: Final = 2**_TABLE_BITS - 1
_HIGH_SHIFT: Final = 48 - _TABLE_BITS
_LOW_BITS: Final = 48 - 2 * _TABLE_BITS
_LOW_MASK: Final = 2**_LOW_BITS - 1
_WORD_RAD: Final = 2.0 * math.pi / 2.0**48
_HIGH = np.exp(2j * np.pi * np.arange(2**_TABLE_BITS) / 2.0**_TABLE_BITS)
_MIDDLE = np.exp(2j * np.pi * np.arange(2**_TABLE_BITS) / 2.0 ** (2 * _TABLE_BITS))


@njit(**JIT)
def unit_phasor(word: int) -> complex:
    """Return ``exp(2 pi i word / 2**48)`` for a word in ``[0, 2**48)``, to 4e-16."""
    low_rad = (word & _LOW_MASK) * _WORD_RAD
    coarse = _HIGH[word >> _HIGH_SHIFT] * _MIDDLE[(word >> _LOW_BITS) & _TABLE_MASK]
    return coarse * complex(1.0 - 0.5 * low_rad * low_rad, low_rad)


@njit(**JIT)
def add_modulated(
    envelope: NDArray[np.complex128], gain: float, word: int, step: int, out: NDArray[np.float64]
) -> None:
    """Add ``gain * envelope[k] * exp(2 pi i (word + k step) / 2**48)`` to interleaved (I, Q) samples."""
    for k in range(envelope.size):
        sample = gain * envelope[k] * unit_phasor(word)
        out[2 * k] += sample.real
        out[2 * k + 1] += sample.imag
        word = (word + step) & _MASK_48


@njit(**JIT)
def add_real(envelope: NDArray[np.complex128], gain: float, out: NDArray[np.float64]) -> None:
    """Add ``gain * Re(envelope)`` to real samples."""
    for k in range(envelope.size):
        out[k] += gain * envelope[k].real


@njit(**JIT)
def render_block(
    events: NDArray[np.int64],
    start_tick: int,
    ports: NDArray[np.int64],
    frames: NDArray[np.int64],
    samples: NDArray[np.complex128],
    out: NDArray[np.float64],
) -> None:
    """Play the events of one block into ``out`` and bring the frame registers to the block's end.

    Args:
        events: Resolved events in order, shape ``(n_events, EVENT_COLUMNS)``; lengths in samples. ``FTW`` and
            ``WINDOW_PHASE`` of captures are filled in.
        start_tick: First tick of the block, from the start of the shot.
        ports: Shape ``(n_ports, PORT_COLUMNS)``.
        frames: Frame registers, updated in place, shape ``(n_frames, FRAME_COLUMNS)``.
        samples: Samples of all envelopes.
        out: Zeros, one segment per port.
    """
    for k in range(events.shape[0]):
        op = events[k, OP]
        frame = events[k, FRAME]
        if op == _SHIFT_PHASE:
            frames[frame, F_PHASE] = (frames[frame, F_PHASE] + events[k, PHASE]) & _MASK_32
            continue
        if op > _SHIFT_PHASE:
            frames[frame, F_FTW] = events[k, FTW]
            continue
        ftw = int(frames[frame, F_FTW])
        phase = int((frames[frame, F_PHASE] + events[k, PHASE]) & _MASK_32)
        if op == _CAPTURE:
            events[k, FTW] = ftw
            events[k, WINDOW_PHASE] = phase
            continue
        port = frames[frame, F_PORT]
        ticks = int(ports[port, P_TICKS])
        first = events[k, START] // ticks
        envelope = samples[events[k, OFFSET] : events[k, OFFSET] + events[k, LENGTH]]
        gain = events[k, GAIN] * _GAIN_LSB
        if ports[port, P_COMPLEX] == 0:
            add_real(envelope, gain, out[ports[port, P_OFFSET] + first :])
            continue
        # The product wraps modulo 2**64, of which 2**48 is a divisor.
        tick = int(start_tick) + int(events[k, START])
        word = (ftw * tick + (phase << 16)) & _MASK_48
        step = (ftw * ticks) & _MASK_48
        add_modulated(envelope, gain, word, step, out[ports[port, P_OFFSET] + 2 * first :])


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
            word = (beat * int(start_tick)) & _MASK_48
            step = (beat * int(sample_ticks)) & _MASK_48
            for k in range(x.shape[1]):
                out[target, k] += factor * unit_phasor(word) * x[source, k]
                word = (word + step) & _MASK_48


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
        # A decaying state would end in subnormal numbers, which are slow and never reach zero.
        state[m] = u if abs(u) > _SETTLED else 0.0 * u


@njit(**JIT)
def predistort_fir(taps: NDArray[np.float64], extended: NDArray[Any], out: NDArray[Any]) -> None:
    """Convolve: ``extended`` holds the ``taps.size - 1`` samples before the block, then the block."""
    last = taps.size - 1
    for j in range(taps.size):
        tap = taps[j]
        for k in range(out.size):
            out[k] += tap * extended[k + last - j]


@njit(**JIT)
def finish_iq(correction: NDArray[np.float64], limit: float, scale: float, x: NDArray[np.complex128]) -> int:
    """Apply mixer matrix and offset, check the range, quantise; in place.

    Args:
        correction: (m00, m01, m10, m11, offset I, offset Q).
        limit: Largest allowed |I| and |Q|.
        scale: Largest DAC code.
        x: Samples in fractions of full scale.

    Returns:
        Index of the first sample out of range or not a number, left unquantised; -1 if there is none.
    """
    m00, m01, m10, m11 = correction[0], correction[1], correction[2], correction[3]
    for k in range(x.size):
        i = m00 * x[k].real + m01 * x[k].imag + correction[4]
        q = m10 * x[k].real + m11 * x[k].imag + correction[5]
        if not (abs(i) <= limit and abs(q) <= limit):  # also true for NaN
            x[k] = complex(i, q)
            return k
        # Adding zero turns -0.0 into 0.0, so that equal codes are equal bytes.
        x[k] = complex(np.rint(i * scale) / scale + 0.0, np.rint(q * scale) / scale + 0.0)
    return -1


@njit(**JIT)
def finish_real(limit: float, scale: float, x: NDArray[np.float64]) -> int:
    """Check the range of real samples and quantise in place; return as :func:`finish_iq` does."""
    for k in range(x.size):
        if not abs(x[k]) <= limit:
            return k
        x[k] = np.rint(x[k] * scale) / scale + 0.0
    return -1
