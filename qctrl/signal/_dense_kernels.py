"""The inner loops of a port: plays that no other overlaps, one after the other, from responses that are ready.

Each is one function over plain arrays and without slices. Handing an array to a function counts its references, and a
count waits until the samples of before have left the processor: it would cost more than the 48 samples of a usual play.
Indices are unsigned, since a signed one is asked for its sign, and nothing is divided from one play to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from qctrl.jit import JIT
from qctrl.signal import _kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Columns of the table of responses: place in the store, samples, tuning word that the response was made for, whether
# the block has played it.
PLACE, LENGTH, FTW, USED = map(np.uintp, range(4))
SLOT_COLUMNS: Final = 4
TAIL: Final = 0
"""The slot of what the block before still owed, never ready for a play; in place of a slot for plays that have none."""
STALE: Final = -(2**63)
"""In place of a tuning word: nothing is there yet."""
NOTHING: Final = -1
"""In place of the slot that still owes its tail."""
MOST_SECTIONS: Final = 2
"""A line with more is always corrected stage by stage."""
_MODE: Final = np.uintp(_kernels.CHUNK)
"""Where the second mode begins."""
ROW: Final = _kernels.CHUNK + 16
"""Floats from one row of a filtered response to the next. As a constant it spares the loops most of the questions
whether what they read is what they write; the 16 keep the rows out of one another's place in the cache."""
_MARGIN: Final = 1.0 + 1e-12
"""What rounding may add to the bound of a play."""
_ROW = np.uintp(ROW)
_ONE, _TWO, _THREE = map(np.uintp, (1, 2, 3))


@njit(inline="always", **JIT)
def _first_sample(event: Any, end: int, ticks: int) -> int:
    """Return the sample at which a play begins; ``end`` is the usual one."""
    start_tick = int(np.int64(event["start_ticks"]))
    return end if start_tick == end * ticks else start_tick // ticks


@njit(inline="always", **JIT)
def _is_alone(events: NDArray[np.void], k: np.uintp, last_tick: int) -> bool:
    """Whether no play that follows ``k`` begins before ``last_tick``."""
    n, following = np.uintp(events.size), k + _ONE
    while following < n and events[following]["op"] != _kernels.PLAY:
        following += _ONE
    return bool(following >= n or int(np.int64(events[following]["start_ticks"])) >= last_tick)


@njit(inline="always", **JIT)
def _next_play(
    events: NDArray[np.void], k: np.uintp, start_tick: int, words: NDArray[np.uint32], frames: NDArray[np.int64]
) -> tuple[np.uintp, complex]:
    """Bring the registers to the first play from event ``k`` on; return its index, or past the end, and its phasor."""
    n = np.uintp(events.size)
    while k < n and events[k]["op"] != _kernels.PLAY:
        _kernels.change_frame(events[k], words, frames)
        k += _ONE
    if k >= n:
        return k, 0j
    return k, _kernels.unit_phasor(_kernels.play_word(events[k], start_tick, words, frames))


@njit(inline="always", **JIT)
def _code(level: float, rounder: float, lsb: float) -> float:
    return ((level + rounder) - rounder) * lsb


@njit(inline="always", **JIT)
def _put_silence(
    silence: tuple[float, float], scale: tuple[float, float], w: int, span: tuple[int, int], out: NDArray[np.float64]
) -> None:
    rounder, lsb = scale
    i, q = _code(silence[0], rounder, lsb), _code(silence[1], rounder, lsb)
    for j in range(np.uintp(span[0]), np.uintp(span[1])):
        if w == 1:
            out[j] = i
        else:
            out[_TWO * j] = i
            out[_TWO * j + _ONE] = q


@njit(inline="always", **JIT)
def _put_codes(
    silence: tuple[float, float],
    scale: tuple[float, float],
    response: tuple[NDArray[np.float64], int, int, complex],
    w: int,
    out: NDArray[np.float64],
    at: int,
) -> None:
    """Write the codes of silence plus a turned response.

    Args:
        silence: Its level along I and Q.
        scale: See ``_kernels.ROUNDER``; one code.
        response: Store, place of the first float, length of a row, factor.
        w: Floats per sample.
        out: Output.
        at: First sample in it.
    """
    rounder, lsb = scale
    base_i, base_q = silence
    store, re, im = response[0], response[3].real, response[3].imag
    e_i, n, first = np.uintp(response[1]), np.uintp(response[2]), np.uintp(w * at)
    e_q = s_i = e_i + n
    if w == 1:
        for j in range(n):
            out[first + j] = _code(base_i + re * store[e_i + j] + im * store[s_i + j], rounder, lsb)
        return
    s_i = e_q + n
    s_q = s_i + n
    for j in range(n):
        i = base_i + re * store[e_i + j] + im * store[s_i + j]
        q = base_q + re * store[e_q + j] + im * store[s_q + j]
        out[first + _TWO * j] = _code(i, rounder, lsb)
        out[first + _TWO * j + _ONE] = _code(q, rounder, lsb)


@njit(**JIT)
def play_plain(
    at: tuple[int, int, int],
    shape: tuple[int, int],
    events: NDArray[np.void],
    slot_of: NDArray[np.int32],
    words: NDArray[np.uint32],
    frames: NDArray[np.int64],
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
        slots: See ``responses.Bank``.
        peaks: Largest level that each response can reach at gain 1: the range is checked once per play.
        store: See ``responses.Bank``.
        numbers: See ``_kernels.Line``.
        out: Samples of the port.

    Returns:
        The event that was not played, or the number of events; the first sample that is not written.
    """
    end, start_tick = at[1], at[2]
    w, ticks = shape
    n, scale = np.uintp(events.size), (numbers[_kernels.ROUNDER], numbers[_kernels.LSB])
    silence = numbers[_kernels.BASE_I], numbers[_kernels.BASE_Q]
    most = numbers[_kernels.LIMIT] - max(abs(silence[0]), abs(silence[1]))
    k, phasor = _next_play(events, np.uintp(at[0]), start_tick, words, frames)
    while k < n:
        event = events[k]
        slot, first, gain = np.uintp(slot_of[k]), _first_sample(event, end, ticks), _kernels.play_gain(event, words)
        last = first + slots[slot, LENGTH]
        ready = slots[slot, FTW] == (frames[event["frame"], _kernels.F_FTW] if w == 2 else 0)
        small = abs(gain) * peaks[slot, 0] * _MARGIN <= most
        if first < end or not ready or not small or not _is_alone(events, k, last * ticks):
            break
        c = gain * phasor if w == 2 else complex(gain, 0.0)
        k, phasor = _next_play(events, k + _ONE, start_tick, words, frames)
        _put_silence(silence, scale, w, (end, first), out)
        _put_codes(silence, scale, (store, slots[slot, PLACE], last - first, c), w, out, first)
        slots[slot, USED] = 1
        end = last
    if k == n and most >= 0:
        _put_silence(silence, scale, w, (end, out.size // w), out)
        end = out.size // w
    return int(k), end


@njit(inline="always", **JIT)
def _aged(powers: NDArray[np.float64], n: int, u: tuple[complex, complex]) -> tuple[complex, complex]:
    """Return the states of two sections after ``n`` samples without input."""
    p00, p10, p11 = powers[n, 0, 0], powers[n, 1, 0], powers[n, 1, 1]
    x, y = u
    return complex(p00 * x.real, p00 * x.imag), complex(p10 * x.real + p11 * y.real, p10 * x.imag + p11 * y.imag)


@njit(inline="always", **JIT)
def _with_left(
    u: tuple[complex, complex], store: NDArray[np.float64], place: int, c: complex
) -> tuple[complex, complex]:
    """Return states plus those that a response, or its tail, turned by ``c`` leaves at ``place``."""
    at = np.uintp(place)
    x, y = complex(store[at], store[at + _ONE]), complex(store[at + _TWO], store[at + _THREE])
    return u[0] + c * x, u[1] + c * y


@njit(inline="always", **JIT)
def _size(u: complex) -> float:
    return abs(u.real) + abs(u.imag)


@njit(inline="always", **JIT)
def _reached(u: tuple[complex, complex], reach: NDArray[np.float64]) -> float:
    """Return the largest level that can follow the states of two sections."""
    return _size(u[0]) * reach[0] + _size(u[1]) * reach[1]


@njit(inline="always", **JIT)
def _levels(u: tuple[complex, complex], numbers: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return I of two states after the mixer matrix, then Q."""
    m00, m01, m10, m11 = numbers[_kernels.M00], numbers[_kernels.M01], numbers[_kernels.M10], numbers[_kernels.M11]
    x, y = u
    return (
        m00 * x.real + m01 * x.imag,
        m00 * y.real + m01 * y.imag,
        m10 * x.real + m11 * x.imag,
        m10 * y.real + m11 * y.imag,
    )


@njit(inline="always", **JIT)
def _put_filtered(
    silence: tuple[float, float],
    scale: tuple[float, float],
    levels: tuple[float, float, float, float],
    rows: tuple[NDArray[np.float64], NDArray[np.float64]],
    response: tuple[int, complex],
    tail: tuple[int, complex],
    w: int,
    to: tuple[NDArray[np.float64], int, int],
) -> None:
    """Write the codes of a part of a play: silence, what follows the states, the response, the tail of the one before.

    Args:
        silence: Its level along I and Q.
        scale: See ``_kernels.ROUNDER``; one code.
        levels: See :func:`_levels`, at the start of the part.
        rows: The store of responses; the modes, one row after the other.
        response: Place of the part in the store, factor.
        tail: The same of the tail; place 0 for none.
        w: Floats per sample.
        to: Output, first sample, number of samples.
    """
    rounder, lsb = scale
    base_i, base_q = silence
    x0, x1, y0, y1 = levels
    store, follows = rows
    e_i, re, im = np.uintp(response[0]), response[1].real, response[1].imag
    t_i, t_re, t_im = np.uintp(tail[0]), tail[1].real, tail[1].imag
    out, first, n = to[0], np.uintp(w * to[1]), np.uintp(to[2])
    e_q, t_q = e_i + _ROW, t_i + _ROW
    if w == 1:
        for j in range(n):
            x = base_i + re * store[e_i + j] + im * store[e_q + j] + x0 * follows[j] + x1 * follows[_MODE + j]
            if t_i > 0:
                x += t_re * store[t_i + j] + t_im * store[t_q + j]
            out[first + j] = _code(x, rounder, lsb)
        return
    s_i, s_q, r_i, r_q = e_q + _ROW, e_q + _TWO * _ROW, t_q + _ROW, t_q + _TWO * _ROW
    for j in range(n):
        i = base_i + re * store[e_i + j] + im * store[s_i + j] + x0 * follows[j] + x1 * follows[_MODE + j]
        q = base_q + re * store[e_q + j] + im * store[s_q + j] + y0 * follows[j] + y1 * follows[_MODE + j]
        if t_i > 0:
            i += t_re * store[t_i + j] + t_im * store[r_i + j]
            q += t_re * store[t_q + j] + t_im * store[r_q + j]
        out[first + _TWO * j] = _code(i, rounder, lsb)
        out[first + _TWO * j + _ONE] = _code(q, rounder, lsb)


@njit(**JIT)
def play_filtered(
    at: tuple[int, int, int],
    shape: tuple[int, int, int],
    events: NDArray[np.void],
    slot_of: NDArray[np.int32],
    words: NDArray[np.uint32],
    frames: NDArray[np.int64],
    slots: NDArray[np.int64],
    peaks: NDArray[np.float64],
    store: NDArray[np.float64],
    numbers: NDArray[np.float64],
    modes: NDArray[np.float64],
    reach: NDArray[np.float64],
    powers: NDArray[np.float64],
    states: NDArray[np.complex128],
    owing: NDArray[np.int64],
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
        slots: See ``responses.Bank``.
        peaks: See ``responses.Bank``.
        store: See ``responses.Bank``.
        numbers: See ``_kernels.Line``.
        modes: Output after a state.
        reach: Largest level that follows each state of 1.
        powers: State after a state.
        states: States of two sections.
        owing: See ``line.State``.
        factor: See ``line.State``.
        out: Samples of the port.

    Returns:
        As :func:`play_plain`.
    """
    end, start_tick = at[1], at[2]
    w, ticks, owed = shape
    n, scale = np.uintp(events.size), (numbers[_kernels.ROUNDER], numbers[_kernels.LSB])
    silence = numbers[_kernels.BASE_I], numbers[_kernels.BASE_Q]
    most = numbers[_kernels.LIMIT] - max(abs(silence[0]), abs(silence[1]))
    # What a response owes, and what each of the two leaves, stand behind its rows.
    rows, to_tail, to_left = (store, modes.reshape(modes.size)), 2 * w * ROW, 4 * w * ROW
    u, due = (states[0], states[1]), owing[0]
    k, phasor = _next_play(events, np.uintp(at[0]), start_tick, words, frames)
    while k < n and most >= 0:
        slot, first = np.uintp(slot_of[k]), _first_sample(events[k], end, ticks)
        place, length = slots[slot, PLACE], slots[slot, LENGTH]
        ready = slots[slot, FTW] == (frames[events[k]["frame"], _kernels.F_FTW] if w == 2 else 0)
        if first < end or not ready or not _is_alone(events, k, (first + length) * ticks):
            break
        if first > end and due < 0 and max(_size(u[0]), _size(u[1])) <= _kernels.SETTLED:
            u = (0j, 0j)
            _put_silence(silence, scale, w, (end, first), out)
            end = first
        # A pause is a part of the play to come, with gain 0.
        is_play = first == end
        count, gain = (length, _kernels.play_gain(events[k], words)) if is_play else (min(length, first - end), 0.0)
        if not owed <= count < powers.shape[0]:
            break
        v, split, tail, tail_peak = u, 0, 0, 0.0
        if due >= 0:
            tail, split, tail_peak = slots[due, PLACE] + to_tail, owed, factor[1].real
            v = _with_left(_aged(powers, owed, u), store, slots[due, PLACE] + to_left + 4, factor[0])
        peak = abs(gain) * peaks[slot, 0] + tail_peak + max(_reached(u, reach), _reached(v, reach))
        if not peak * _MARGIN <= most:
            break
        c = gain * phasor if w == 2 else complex(gain, 0.0)
        if is_play:
            k, phasor = _next_play(events, k + _ONE, start_tick, words, frames)
        # One place in the code, that it is compiled once: first with the tail of the play before, then without.
        low, level = 0, _levels(u, numbers)
        while low < count:
            if low == split:
                tail, level = 0, _levels(v, numbers)
            high = split if low < split else count
            to = out, end + low, high - low
            _put_filtered(silence, scale, level, rows, (place + low, c), (tail, factor[0]), w, to)
            low = high
        u = _with_left(_aged(powers, count - split, v), store, place + to_left, c)
        due = NOTHING
        if is_play:
            slots[slot, USED], factor[0], factor[1] = 1, c, abs(gain) * peaks[slot, 1]
            due = np.int64(slot) if owed > 0 else NOTHING
        end += count
    states[0], states[1] = u
    owing[0] = due
    return int(k), end
