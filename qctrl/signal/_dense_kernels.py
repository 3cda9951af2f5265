"""The inner loops of a port: plays that no other overlaps, one after the other, from responses that are ready.

Each is one function over plain arrays and without slices. Handing an array to a function counts its references, and a
count waits until the samples of before have left the processor: it would cost more than the 48 samples of a usual play.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from qctrl.jit import JIT
from qctrl.signal import _kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Columns of the table of responses: place in the store, tuning word that the response was made for, whether the block
# has played it.
PLACE, FTW, USED = range(3)
SLOT_COLUMNS: Final = 3
TAIL: Final = 0
"""The slot of what the block before still owed, never ready for a play; in place of a slot for plays that have none."""
STALE: Final = -(2**63)
"""In place of a tuning word: nothing is there yet."""
# Flags of the state: place of the response that still owes its tail, or -1, and its length.
OWING, LENGTH = range(2)
MOST_SECTIONS: Final = 2
"""A line with more is always corrected stage by stage."""
_ROW: Final = np.uintp(_kernels.CHUNK)
"""Where the second mode begins."""
_MARGIN: Final = 1.0 + 1e-12
"""What rounding may add to the bound of a play."""


@njit(inline="always", **JIT)
def _is_ready(events: NDArray[np.void], k: int, last_tick: int, slot: int, ftw: int, slots: NDArray[np.int64]) -> bool:
    """Whether the response to play ``k`` is there, and no other play begins before its end at ``last_tick``."""
    following = k + 1
    while following < events.size and events[following]["op"] != _kernels.PLAY:
        following += 1
    alone = following == events.size or int(np.int64(events[following]["start_ticks"])) >= last_tick
    return alone and slot != TAIL and slots[slot, FTW] == ftw


@njit(inline="always", **JIT)
def _put_codes(
    silence: tuple[float, float],
    w: int,
    count: int,
    response: tuple[NDArray[np.float64], int, int, complex],
    lsb: float,
    rounder: float,
    to: tuple[NDArray[np.float64], int],
) -> None:
    """Write the codes of silence plus a turned response.

    Args:
        silence: Its level along I and Q.
        w: Floats per sample.
        count: Samples.
        response: Store, place of the first float, length of a row, factor.
        lsb: One code.
        rounder: See ``_kernels.ROUNDER``.
        to: Output and place of the first float.
    """
    base_i, base_q = silence
    store, row, re, im = response[0], np.uintp(response[2]), response[3].real, response[3].imag
    out, at, n, e_i = to[0], np.uintp(to[1]), np.uintp(count), np.uintp(response[1])
    if w == 1:
        s_i = e_i + row
        for j in range(n):
            out[at + j] = ((base_i + re * store[e_i + j] + im * store[s_i + j] + rounder) - rounder) * lsb
        return
    e_q = e_i + row
    s_i = e_q + row
    s_q = s_i + row
    two, one = np.uintp(2), np.uintp(1)
    for j in range(n):
        i = base_i + re * store[e_i + j] + im * store[s_i + j]
        q = base_q + re * store[e_q + j] + im * store[s_q + j]
        out[at + two * j] = ((i + rounder) - rounder) * lsb
        out[at + two * j + one] = ((q + rounder) - rounder) * lsb


@njit(inline="always", **JIT)
def _put_silence(silent: tuple[float, float], w: int, first: int, last: int, out: NDArray[np.float64]) -> None:
    for j in range(w * first, w * last, w):
        out[j] = silent[0]
        out[j + w - 1] = silent[1]


@njit(**JIT)
def play_plain(
    at: tuple[int, int, int],
    shape: tuple[int, int],
    events: NDArray[np.void],
    slot_of: NDArray[np.int32],
    words: NDArray[np.uint32],
    frames: NDArray[np.int64],
    envelopes: NDArray[np.void],
    slots: NDArray[np.int64],
    peaks: NDArray[np.float64],
    store: NDArray[np.float64],
    numbers: NDArray[np.float64],
    out: NDArray[np.float64],
) -> tuple[int, int]:
    """Play events of a port without filters up to the first that needs more care, or up to the block's end.

    Args:
        at: First event, first sample (all before are finished), first tick of the block.
        shape: Floats per sample, ticks per sample.
        events: Events of the port.
        slot_of: Slot of each play's response.
        words: Words of the open slots.
        frames: Frame registers.
        envelopes: Envelopes.
        slots: See ``responses.Bank``.
        peaks: Largest level that each response can reach at gain 1: the range is checked once per play.
        store: See ``responses.Bank``.
        numbers: See ``_kernels.Line``.
        out: Samples of the port.

    Returns:
        The event that was not played, or the number of events; the first sample that is not written.
    """
    k, end, start_tick = at
    w, ticks = shape
    lsb, rounder = numbers[_kernels.LSB], numbers[_kernels.ROUNDER]
    silence = numbers[_kernels.BASE_I], numbers[_kernels.BASE_Q]
    most = numbers[_kernels.LIMIT] - max(abs(silence[0]), abs(silence[1]))
    silent = ((silence[0] + rounder) - rounder) * lsb, ((silence[w - 1] + rounder) - rounder) * lsb
    while k < events.size:
        event = events[k]
        if event["op"] != _kernels.PLAY:
            _kernels.change_frame(event, words, frames)
            k += 1
            continue
        first = int(np.int64(event["start_ticks"])) // ticks
        length = int(np.int64(envelopes[event["target"]]["length"]))
        ftw = int(frames[event["frame"], _kernels.F_FTW]) if w == 2 else 0
        slot = slot_of[k]
        gain = _kernels.play_gain(event, words)
        ready = _is_ready(events, k, (first + length) * ticks, slot, ftw, slots)
        if first < end or not ready or not abs(gain) * peaks[slot, 0] * _MARGIN <= most:
            break
        _put_silence(silent, w, end, first, out)
        c = complex(gain, 0.0)
        if w == 2:
            c = gain * _kernels.unit_phasor(_kernels.play_word(event, start_tick, words, frames))
        _put_codes(silence, w, length, (store, slots[slot, PLACE], length, c), lsb, rounder, (out, w * first))
        slots[slot, USED] = 1
        k, end = k + 1, first + length
    if k == events.size and most >= 0:
        _put_silence(silent, w, end, out.size // w, out)
        end = out.size // w
    return k, end


@njit(inline="always", **JIT)
def _aged(powers: NDArray[np.float64], n: int, u0: complex, u1: complex) -> tuple[complex, complex]:
    """Return the states of two sections after ``n`` samples without input."""
    return powers[n, 0, 0] * u0, powers[n, 1, 0] * u0 + powers[n, 1, 1] * u1


@njit(inline="always", **JIT)
def _left(store: NDArray[np.float64], place: int, c: complex) -> tuple[complex, complex]:
    """Return the states that a response, or its tail, turned by ``c`` leaves."""
    return c * complex(store[place], store[place + 1]), c * complex(store[place + 2], store[place + 3])


@njit(inline="always", **JIT)
def _size(u: complex) -> float:
    return abs(u.real) + abs(u.imag)


@njit(inline="always", **JIT)
def _levels(
    silence: tuple[float, float], numbers: NDArray[np.float64], u0: complex, u1: complex
) -> tuple[float, float, float, float, float, float]:
    """Return I and Q of silence and of the states of two sections after the mixer matrix."""
    m00, m01, m10, m11 = (
        numbers[_kernels.M00],
        numbers[_kernels.M01],
        numbers[_kernels.M10],
        numbers[_kernels.M11],
    )
    x0, y0 = m00 * u0.real + m01 * u0.imag, m10 * u0.real + m11 * u0.imag
    return silence[0], silence[1], x0, y0, m00 * u1.real + m01 * u1.imag, m10 * u1.real + m11 * u1.imag


@njit(inline="always", **JIT)
def _put_filtered(
    levels: tuple[float, float, float, float, float, float],
    w: int,
    span: tuple[int, int],
    response: tuple[NDArray[np.float64], int, int, complex],
    tail: tuple[int, int, complex],
    follows: NDArray[np.float64],
    lsb: float,
    rounder: float,
    to: tuple[NDArray[np.float64], int],
) -> None:
    """Write the codes of a part of a play: silence, what follows the states, the response, the tail of the one before.

    Args:
        levels: See :func:`_levels`.
        w: Floats per sample.
        span: First sample of the part and one past the last, from the start of the play.
        response: Store, place of the first float, length of a row, factor.
        tail: The same of the tail, in the same store; length 0 for none.
        follows: The modes, one row after the other.
        lsb: One code.
        rounder: See ``_kernels.ROUNDER``.
        to: Output and place of the first float of the play.
    """
    base_i, base_q, x0, y0, x1, y1 = levels
    store, row, re, im = response[0], np.uintp(response[2]), response[3].real, response[3].imag
    tail_row, tail_re, tail_im = np.uintp(tail[1]), tail[2].real, tail[2].imag
    low, n, one, two = np.uintp(span[0]), np.uintp(span[1] - span[0]), np.uintp(1), np.uintp(2)
    out, at, e_i, tail_e = to[0], np.uintp(to[1]) + np.uintp(w) * low, np.uintp(response[1]) + low, np.uintp(tail[0])
    if w == 1:
        s_i, tail_s = e_i + row, tail_e + tail_row
        for j in range(n):
            x = base_i + re * store[e_i + j] + im * store[s_i + j] + x0 * follows[j] + x1 * follows[_ROW + j]
            if tail_row > 0:
                x += tail_re * store[tail_e + j] + tail_im * store[tail_s + j]
            out[at + j] = ((x + rounder) - rounder) * lsb
        return
    e_q = e_i + row
    s_i = e_q + row
    s_q = s_i + row
    if tail_row == 0:
        for j in range(n):
            i = base_i + re * store[e_i + j] + im * store[s_i + j] + x0 * follows[j] + x1 * follows[_ROW + j]
            q = base_q + re * store[e_q + j] + im * store[s_q + j] + y0 * follows[j] + y1 * follows[_ROW + j]
            out[at + two * j] = ((i + rounder) - rounder) * lsb
            out[at + two * j + one] = ((q + rounder) - rounder) * lsb
        return
    tail_2, tail_3 = two * tail_row, (two + one) * tail_row
    for j in range(n):
        i = base_i + re * store[e_i + j] + im * store[s_i + j] + x0 * follows[j] + x1 * follows[_ROW + j]
        q = base_q + re * store[e_q + j] + im * store[s_q + j] + y0 * follows[j] + y1 * follows[_ROW + j]
        i += tail_re * store[tail_e + j] + tail_im * store[tail_e + tail_2 + j]
        q += tail_re * store[tail_e + tail_row + j] + tail_im * store[tail_e + tail_3 + j]
        out[at + two * j] = ((i + rounder) - rounder) * lsb
        out[at + two * j + one] = ((q + rounder) - rounder) * lsb


@njit(**JIT)
def play_filtered(
    at: tuple[int, int, int],
    shape: tuple[int, int, int],
    events: NDArray[np.void],
    slot_of: NDArray[np.int32],
    words: NDArray[np.uint32],
    frames: NDArray[np.int64],
    envelopes: NDArray[np.void],
    slots: NDArray[np.int64],
    peaks: NDArray[np.float64],
    store: NDArray[np.float64],
    numbers: NDArray[np.float64],
    modes: NDArray[np.float64],
    reach: NDArray[np.float64],
    powers: NDArray[np.float64],
    u: NDArray[np.complex128],
    flags: NDArray[np.int64],
    factor: NDArray[np.complex128],
    out: NDArray[np.float64],
) -> tuple[int, int]:
    """Play events of a port with filters up to the first that needs more care.

    Args:
        at: As the following, see :func:`play_plain`.
        shape: Floats per sample, ticks per sample, inputs that the FIR filter owes after a play.
        events: Events of the port.
        slot_of: Slot of each play's response.
        words: Words of the open slots.
        frames: Frame registers.
        envelopes: Envelopes.
        slots: See ``responses.Bank``.
        peaks: See ``responses.Bank``.
        store: See ``responses.Bank``.
        numbers: See ``_kernels.Line``.
        modes: Output after a state.
        reach: Largest level that follows each state of 1.
        powers: State after a state.
        u: States of two sections.
        flags: See ``line.State``.
        factor: See ``line.State``.
        out: Samples of the port.

    Returns:
        As :func:`play_plain`.
    """
    k, end, start_tick = at
    w, ticks, owed = shape
    lsb, rounder = numbers[_kernels.LSB], numbers[_kernels.ROUNDER]
    silence = (numbers[_kernels.BASE_I], numbers[_kernels.BASE_Q])
    most = numbers[_kernels.LIMIT] - max(abs(silence[0]), abs(silence[1]))
    silent = ((silence[0] + rounder) - rounder) * lsb, ((silence[w - 1] + rounder) - rounder) * lsb
    follows = modes.reshape(modes.size)
    u0, u1 = u[0], u[1]
    while k < events.size and most >= 0:
        event = events[k]
        if event["op"] != _kernels.PLAY:
            _kernels.change_frame(event, words, frames)
            k += 1
            continue
        first = int(np.int64(event["start_ticks"])) // ticks
        length = int(np.int64(envelopes[event["target"]]["length"]))
        ftw = int(frames[event["frame"], _kernels.F_FTW]) if w == 2 else 0
        slot = slot_of[k]
        if first < end or not _is_ready(events, k, (first + length) * ticks, slot, ftw, slots):
            break
        if first > end and flags[OWING] < 0 and max(_size(u0), _size(u1)) <= _kernels.SETTLED:
            u0, u1 = 0j, 0j
            _put_silence(silent, w, end, first, out)
            end = first
        # A pause is a part of the play to come, with gain 0.
        is_play = first == end
        count, gain = (length, _kernels.play_gain(event, words)) if is_play else (min(length, first - end), 0.0)
        if not owed <= count < powers.shape[0]:
            break
        place, after, split, tail_peak = slots[slot, PLACE], flags[OWING], 0, 0.0
        v0, v1 = u0, u1
        if after >= 0:
            split, tail_peak = owed, factor[1].real
            after += 2 * w * flags[LENGTH]
            v0, v1 = _aged(powers, owed, u0, u1)
            left0, left1 = _left(store, after + 2 * w * owed + 4, factor[0])
            v0, v1 = v0 + left0, v1 + left1
        follow_u = _size(u0) * reach[0] + _size(u1) * reach[1]
        follow_v = _size(v0) * reach[0] + _size(v1) * reach[1]
        peak = abs(gain) * peaks[slot, 0] + tail_peak + max(follow_u, follow_v)
        if not peak * _MARGIN <= most:
            break
        c = complex(gain, 0.0)
        if w == 2 and is_play:
            c = gain * _kernels.unit_phasor(_kernels.play_word(event, start_tick, words, frames))
        # One place in the code, that it is compiled once: first with the tail of the play before, then without.
        low, levels = 0, _levels(silence, numbers, u0, u1)
        while low < count:
            high, tail_row = (split, owed) if low < split else (count, 0)
            if low == split:
                levels = _levels(silence, numbers, v0, v1)
            _put_filtered(
                levels,
                w,
                (low, high),
                (store, place, length, c),
                (after, tail_row, factor[0]),
                follows,
                lsb,
                rounder,
                (out, w * end),
            )
            low = high
        u0, u1 = _aged(powers, count - split, v0, v1)
        left0, left1 = _left(store, place + 2 * w * (length + owed), c)
        u0, u1 = u0 + left0, u1 + left1
        flags[OWING] = place if is_play and owed > 0 else -1
        if is_play:
            flags[LENGTH], factor[0], factor[1] = length, c, abs(gain) * peaks[slot, 1]
            slots[slot, USED] = 1
            k += 1
        end += count
    u[0], u[1] = u0, u1
    return k, end
