"""Kernels that play one output port through its whole line in one pass, from cached responses of its envelopes.

Filters are linear, so the response of an envelope on its carrier to predistortion and mixer correction is worked out
once. A play then adds the response, turned by one complex factor, and moves the filters' state on in one step; between
plays the state is all there is. The FIR filter comes first: it is then an input that a play still owes after its end.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from qctrl.jit import JIT
from qctrl.signal import _kernels
from qctrl.signal._dense_kernels import FTW, LENGTH, OWING, PENDING, PLACE, SCRATCH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.signal._kernels import Line


class State(NamedTuple):
    """What the filters of a line remember, as deviation from silence; m sections, K + 1 taps."""

    sections: NDArray[np.complex128]
    """Shape ``(m,)``."""
    tail: NDArray[np.complex128]
    """Inputs that the FIR filter owes to the coming samples, shape ``(K,)``."""
    flags: NDArray[np.int64]
    factor: NDArray[np.complex128]
    """What the response that owes its tail was multiplied with, and how large that tail can be; shape ``(2,)``."""


class Bank(NamedTuple):
    """Envelopes and the responses of a line to them."""

    envelopes: NDArray[np.void]
    samples: NDArray[np.complex128]
    slots: NDArray[np.int64]
    """Shape ``(n_slots, SLOT_COLUMNS)``."""
    peaks: NDArray[np.float64]
    """Largest level that each response can reach at gain 1, and the tail it owes, shape ``(n_slots, 2)``."""
    store: NDArray[np.float64]
    """Per response of L samples: I and Q of the response, then of i times the response, a row of L each; the same
    of the K samples that follow; then as (re, im) the state after the L samples (m), what the K owed inputs make of it
    (m), and these inputs (K). A flux port has no Q."""
    work: NDArray[np.complex128]
    """At least as long as the longest envelope and K and m together."""


@njit(**JIT)
def _add(rows: NDArray[np.float64], c: complex, width: int, out: NDArray[np.float64]) -> None:
    """Add a turned response."""
    n, re, im = out.size // width, c.real, c.imag
    for part in range(width):
        e, s = rows[part * n : (part + 1) * n], rows[(width + part) * n : (width + part + 1) * n]
        for j in range(n):
            out[width * j + part] += re * e[j] + im * s[j]


@njit(**JIT)
def _silence(line: Line, out: NDArray[np.float64]) -> None:
    if line.width == 1:
        out[:] = line.numbers[_kernels.BASE_I]
        return
    i, q = line.numbers[_kernels.BASE_I], line.numbers[_kernels.BASE_Q]
    for k in range(0, out.size, 2):
        out[k] = i
        out[k + 1] = q


@njit(**JIT)
def _add_mode(line: Line, mode: int, value: complex, out: NDArray[np.float64]) -> None:
    """Add what follows a state, or an input, of ``value``."""
    follows = line.modes[mode]
    i = line.numbers[_kernels.M00] * value.real + line.numbers[_kernels.M01] * value.imag
    q = line.numbers[_kernels.M10] * value.real + line.numbers[_kernels.M11] * value.imag
    for j in range(out.size // line.width):
        out[line.width * j] += i * follows[j]
        if line.width == 2:
            out[2 * j + 1] += q * follows[j]


@njit(**JIT)
def _age(power: NDArray[np.float64], u: NDArray[np.complex128]) -> None:
    """Move a state on without input, by a power of the sections' matrix."""
    for row in range(u.size - 1, -1, -1):
        total = 0j
        for column in range(row + 1):
            total += power[row, column] * u[column]
        u[row] = total


@njit(**JIT)
def run_free(line: Line, u: NDArray[np.complex128], tail: NDArray[np.complex128], owed: bool, out: Any) -> bool:
    """Add what the state of the filters puts out without plays, and move the state on.

    Args:
        line: The line.
        u: State of the sections.
        tail: Inputs still owed by the FIR filter.
        owed: Whether there are any.
        out: Samples to add to.

    Returns:
        Whether inputs are owed beyond the end of ``out``.
    """
    n, done = out.size // line.width, 0
    while done < n:
        span = min(n - done, line.drives.shape[0])
        if owed:
            span = min(span, tail.size)
        part = out[done * line.width : (done + span) * line.width]
        for k in range(u.size):
            _add_mode(line, k, u[k], part)
        _age(line.powers[span], u)
        if owed:
            for i in range(span):
                _add_mode(line, line.modes.shape[0] - 1, tail[i], part[i * line.width :])
                for k in range(u.size):
                    u[k] += line.drives[span - 1 - i, k] * tail[i]
            for i in range(tail.size):
                tail[i] = tail[i + span] if i + span < tail.size else 0j
            owed = span < tail.size
        done += span
    return owed


@njit(**JIT)
def _add_complex(values: NDArray[np.float64], c: complex, out: NDArray[np.complex128]) -> None:
    for k in range(out.size):
        out[k] += c * complex(values[2 * k], values[2 * k + 1])


@njit(**JIT)
def owe(line: Line, state: State, store: NDArray[np.float64]) -> None:
    """Write out the tail that the last play owes."""
    place = state.flags[OWING]
    if place >= 0:
        ends = place + 2 * line.width * (state.flags[LENGTH] + state.tail.size)
        _add_complex(store[ends + 4 * state.sections.size :], state.factor[0], state.tail)
        state.flags[OWING] = -1
        state.flags[PENDING] = 1


@njit(**JIT)
def _run(line: Line, state: State, store: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """As :func:`run_free`, for the line's own state; the tail of a lone play has a response of its own."""
    owed, rest = state.tail.size * line.width, out
    if state.flags[OWING] >= 0 and state.flags[PENDING] == 0 and out.size >= owed:
        rows = state.flags[OWING] + 2 * line.width * state.flags[LENGTH]
        _add(store[rows : rows + 2 * owed], state.factor[0], line.width, out[:owed])
        run_free(line, state.sections, state.tail, False, out[:owed])
        after = rows + 2 * owed + 2 * state.sections.size
        _add_complex(store[after:], state.factor[0], state.sections)
        state.flags[OWING] = -1
        rest = out[owed:]
    owe(line, state, store)
    state.flags[PENDING] = run_free(line, state.sections, state.tail, state.flags[PENDING] != 0, rest)


@njit(**JIT)
def _end_play(line: Line, state: State, store: NDArray[np.float64], play: tuple[int, int, complex]) -> None:
    """Add to the state what a play of (place, length, factor) leaves behind at its end, which is now."""
    place, length, c = play
    ends = place + 2 * line.width * (length + state.tail.size)
    _add_complex(store[ends:], c, state.sections)
    if state.tail.size > 0:
        owe(line, state, store)
        _add_complex(store[ends + 4 * state.sections.size :], c, state.tail)
        state.flags[PENDING] = 1


@njit(**JIT)
def _is_settled(state: State) -> bool:
    """Whether nothing is left of earlier plays; forgets what is too small to see."""
    if state.flags[OWING] >= 0 or state.flags[PENDING] != 0:
        return False
    for k in range(state.sections.size):
        if abs(state.sections[k]) > _kernels.SETTLED:
            return False
    state.sections[:] = 0.0
    return True


@njit(**JIT)
def _close(line: Line, first: int, last: int, out: NDArray[np.float64]) -> int:
    """Finish the samples from ``first`` to ``last``; return the index of one out of range, or -1."""
    w, numbers = line.width, line.numbers
    bad = _kernels.finish(numbers[_kernels.LIMIT], numbers[_kernels.LSB], out[w * first : w * last])
    return -1 if bad < 0 else first + bad // w


@njit(**JIT)
def idle(line: Line, state: State, bank: Bank, span: tuple[int, int], out: NDArray[np.float64]) -> int:
    """Put out what earlier plays left, from the first sample of ``span`` to the last; return as ``_close`` does."""
    first, last = span
    while first < last:
        settled = _is_settled(state)
        until = last if settled else min(last, first + line.drives.shape[0])
        part = out[line.width * first : line.width * until]
        if settled:
            # Finished once, then copied: long silences are the most of many programs.
            head = part[: line.width]
            _silence(line, head)
            bad = _close(line, first, first + 1, out)
            if bad >= 0:
                return bad
            for k in range(line.width, part.size):
                part[k] = head[k % line.width]
            return -1
        _silence(line, part)
        _run(line, state, bank.store, part)
        bad = _close(line, first, until, out)
        if bad >= 0:
            return bad
        first = until
    return -1


@njit(**JIT)
def _advance(line: Line, state: State, bank: Bank, at: tuple[int, int, int], out: NDArray[np.float64]) -> int:
    """Finish from the first sample of ``at`` to the second, idle to the third; return as ``_close`` does."""
    opened, end, first = at
    bad = _close(line, opened, end, out)
    return idle(line, state, bank, (end, first), out) if bad < 0 else bad


@njit(**JIT)
def _peak(rows: NDArray[np.float64]) -> float:
    """Return the largest level of a response, over all turns."""
    n, square = rows.size // 2, 0.0
    for j in range(n):
        square = max(square, rows[j] ** 2 + rows[n + j] ** 2)
    return math.sqrt(square)


@njit(**JIT)
def renew(line: Line, state: State, bank: Bank, slot: int, target: int, ftw: int) -> None:
    """Fill a slot with the response to envelope ``target`` on a carrier."""
    place = bank.slots[slot, PLACE]
    if state.flags[OWING] == place:
        owe(line, state, bank.store)
    first, length = int(np.int64(bank.envelopes[target]["offset"])), int(np.int64(bank.envelopes[target]["length"]))
    _kernels.respond(line, bank.samples[first : first + length], ftw, bank.work, bank.store[place:])
    bank.slots[slot, FTW] = ftw
    n, owed = line.width * length, line.width * state.tail.size
    bank.peaks[slot, 0] = _peak(bank.store[place : place + 2 * n])
    bank.peaks[slot, 1] = _peak(bank.store[place + 2 * n : place + 2 * (n + owed)])


@njit(**JIT)
def _leave(
    line: Line, state: State, store: NDArray[np.float64], play: tuple[int, int, complex], out: NDArray[np.float64]
) -> None:
    """Add what a play leaves behind to the samples that another, longer one has laid down, and to their state."""
    place, length, c = play
    u, tail = np.zeros_like(state.sections), np.zeros_like(state.tail)
    ends = place + 2 * line.width * (length + tail.size)
    _add_complex(store[ends:], c, u)
    _add_complex(store[ends + 4 * u.size :], c, tail)
    owed = run_free(line, u, tail, tail.size > 0, out)
    owe(line, state, store)
    state.sections[:] += u
    state.tail[:] += tail
    if owed:
        state.flags[PENDING] = 1


@njit(**JIT)
def play_line(
    at: tuple[int, int, int],
    events: NDArray[np.void],
    slot_of: NDArray[np.int32],
    words: NDArray[np.uint32],
    frames: NDArray[np.int64],
    line: Line,
    bank: Bank,
    state: State,
    out: NDArray[np.float64],
) -> tuple[int, int, int]:
    """Play events, whatever they are, up to a pause from where the inner loops can go on, or up to the block's end.

    Args:
        at: First event, first sample (all before are finished), first tick of the block.
        events: Events of the port, in order.
        slot_of: Slot of each play's response.
        words: Words of the open slots.
        frames: Frame registers.
        line: The port.
        bank: Envelopes and responses.
        state: State of the filters.
        out: Samples of the port.

    Returns:
        Next event; first sample that is not finished; index of a sample out of range, left in codes, or -1.
    """
    w, n_samples = line.width, out.size // line.width
    begun, end, start_tick = at
    k, opened = begun, end  # samples from here to end are laid down, but not finished: more plays may begin there
    played = 0
    while k < events.size:
        event = events[k]
        if event["op"] != _kernels.PLAY:
            _kernels.change_frame(event, words, frames)
            k += 1
            continue
        first = int(np.int64(event["start_ticks"])) // line.ticks
        if first >= end:
            pause = first - end >= state.tail.size
            until = end + state.tail.size if played and pause else first
            bad = _advance(line, state, bank, (opened, end, until), out)
            opened = end = until
            if bad >= 0 or (played and pause):
                return k, end, bad
        ftw = int(frames[event["frame"], _kernels.F_FTW]) if w == 2 else 0
        if slot_of[k] == SCRATCH or bank.slots[slot_of[k], FTW] != ftw:
            renew(line, state, bank, slot_of[k], event["target"], ftw)
        length = int(np.int64(bank.envelopes[event["target"]]["length"]))
        last, place = first + length, int(bank.slots[slot_of[k], PLACE])
        c = complex(_kernels.play_gain(event, words), 0.0)
        if w == 2:
            c = c * _kernels.unit_phasor(_kernels.play_word(event, start_tick, words, frames))
        if last > end:
            _silence(line, out[w * end : w * last])
            _run(line, state, bank.store, out[w * end : w * last])
            _end_play(line, state, bank.store, (place, length, c))
            end = last
        else:
            _leave(line, state, bank.store, (place, length, c), out[w * last : w * end])
        _add(bank.store[place : place + 2 * w * length], c, w, out[w * first : w * last])
        played += 1
        k += 1
    bad = _advance(line, state, bank, (opened, end, n_samples), out)
    owe(line, state, bank.store)
    return k, n_samples, bad
