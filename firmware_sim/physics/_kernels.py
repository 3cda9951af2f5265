"""Numba kernels of the emulator: counter-based random numbers, resonator responses, shots of readout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from qctrl.jit import JIT

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Bytes: TypeAlias = NDArray[np.uint8]
    Words: TypeAlias = NDArray[np.uint64]
    Integers: TypeAlias = NDArray[np.int64]
    Reals: TypeAlias = NDArray[np.float64]
    Complexes: TypeAlias = NDArray[np.complex128]
    Jumps: TypeAlias = tuple[Integers, Bytes]
    Hazards: TypeAlias = tuple[Reals, Reals]
    Header: TypeAlias = tuple[Words, np.uint64, np.uint64]
    Tables: TypeAlias = tuple[Complexes, Complexes, Complexes, Complexes, NDArray[np.bool_]]

_U64 = np.uint64
_LOW = _U64(0xFFFFFFFF)
_S32 = _U64(32)
_M0 = _U64(0xD2E7470EE14C6C93)
_M1 = _U64(0xCA5A826395121157)
_W0 = _U64(0x9E3779B97F4A7C15)
_W1 = _U64(0xBB67AE8584CAA73B)
_S11 = _U64(11)
_TO_DOUBLE = 2.0**-53
_JUMP_STREAM = _U64(5)
_LAST_JUMP = 2


@njit(**JIT)
def multiply_high(a: np.uint64, b: np.uint64) -> np.uint64:
    """Return the upper 64 bits of a 64 x 64 bit product."""
    a_low = a & _LOW
    a_high = a >> _S32
    b_low = b & _LOW
    b_high = b >> _S32
    middle = a_high * b_low + ((a_low * b_low) >> _S32)
    cross = a_low * b_high + (middle & _LOW)
    return a_high * b_high + (middle >> _S32) + (cross >> _S32)


@njit(**JIT)
def philox(counter: Words, key: Words, out: Words) -> None:
    """Write the four words of Philox4x64-10 (Salmon 2011) for a counter of four words and a key of two."""
    c0 = counter[0]
    c1 = counter[1]
    c2 = counter[2]
    c3 = counter[3]
    k0 = key[0]
    k1 = key[1]
    for _ in range(10):
        high_0 = multiply_high(_M0, c0)
        low_0 = _M0 * c0
        high_1 = multiply_high(_M1, c2)
        low_1 = _M1 * c2
        c0 = high_1 ^ c1 ^ k0
        c1 = low_1
        c2 = high_0 ^ c3 ^ k1
        c3 = low_0
        k0 = k0 + _W0
        k1 = k1 + _W1
    out[0] = c0
    out[1] = c1
    out[2] = c2
    out[3] = c3


@njit(**JIT)
def uniform(word: np.uint64) -> float:
    """Return a double in [0, 1) from the upper 53 bits of a word."""
    return (word >> _S11) * _TO_DOUBLE


@njit(**JIT)
def normal_of(first: np.uint64, second: np.uint64) -> complex:
    """Return two independent standard normals from two words (Box-Muller)."""
    radius = np.sqrt(-2.0 * np.log(1.0 - uniform(first)))
    angle = 2.0 * np.pi * uniform(second)
    return radius * np.cos(angle) + 1j * radius * np.sin(angle)


@njit(**JIT)
def normal(words: Words) -> complex:
    """Return two independent standard normals from the last two of four words."""
    return normal_of(words[2], words[3])


@njit(**JIT)
def draw_outcomes(header: Header, shots: Words, cumulative: Reals, outcomes: Integers) -> None:
    """Write the basis state that each shot finds.

    Args:
        header: Key of two words, binding, draw block of this measurement; all uint64.
        shots: uint64, shape (n_shots,).
        cumulative: Cumulative probabilities, last entry 1, shape (n_states,).
        outcomes: int64, shape (n_shots,), written.
    """
    key, binding, block = header
    counter = np.zeros(4, dtype=np.uint64)
    words = np.empty(4, dtype=np.uint64)
    for shot in range(shots.shape[0]):
        counter[0] = block
        counter[1] = binding
        counter[2] = shots[shot]
        philox(counter, key, words)
        value = uniform(words[0])
        low = 0
        high = cumulative.shape[0] - 1
        while low < high:
            middle = (low + high) // 2
            if value < cumulative[middle]:
                high = middle
            else:
                low = middle + 1
        outcomes[shot] = low


@njit(**JIT)
def draw_jumps(
    header: tuple[Words, Words], random: tuple[Words, Words], hazards: Hazards, level: int,
    times: Integers, after: Bytes,
) -> None:  # fmt: skip
    """Write when one qubit of one shot changes its level inside its window, and to which level.

    Args:
        header: Counter of the qubit's draw block, whose last word may be changed, and key.
        random: The four words of that counter, and four for more.
        hazards: As of :func:`draw_windows`, of one qubit.
        level: At the start.
        times: Sample of each jump, written.
        after: Level after it, written.
    """
    counter, key = header
    words, more = random
    expected, up_share = hazards
    end = expected.shape[1] - 1
    for jump in range(times.shape[0]):
        times[jump] = end
        after[jump] = level
    begin = 0
    for jump in range(times.shape[0]):
        word = more[3] if jump == _LAST_JUMP else words[jump]
        wanted = expected[level, begin] - np.log(1.0 - uniform(word))
        if wanted >= expected[level, end]:
            return
        if jump == 0:
            # Words 2 and 3 of the first counter belong to the noise of the same draw block.
            counter[3] = _JUMP_STREAM
            philox(counter, key, more)
        low = begin
        high = end - 1
        while low < high:
            middle = (low + high + 1) // 2
            if expected[level, middle] <= wanted:
                low = middle
            else:
                high = middle - 1
        if uniform(more[jump]) < up_share[level]:
            level += 1
        else:
            level -= 1
        begin = low
        times[jump] = low
        for later in range(jump, times.shape[0]):
            after[later] = level


@njit(**JIT)
def draw_windows(
    header: Header, shots: Words, hazards: Hazards, levels: Bytes, jumps: Jumps, normals: Complexes
) -> None:
    """Write when each qubit of each shot changes its level inside its window, and to which level; and its noise.

    Args:
        header: Key of two words, binding, draw block of the first qubit (qubit q adds q); all uint64.
        shots: uint64, shape (n_shots,).
        hazards: Expected jumps out of each level up to each sample, non-decreasing, shape (n_qubits, n_levels,
            n_samples + 1); and the share of them that leads up, shape (n_qubits, n_levels).
        levels: Levels at the start, uint8, shape (n_shots, n_qubits).
        jumps: Sample of each jump, int64, and level after it, uint8, shape (n_shots, n_qubits, n_jumps) each, written;
            ``n_samples`` means never. Jumps beyond n_jumps (at most 3) do not happen.
        normals: The same as of ``draw_normals`` of stream 0, shape (n_shots, n_qubits), written.
    """
    key, binding, block = header
    expected, up_share = hazards
    times, after = jumps
    end = expected.shape[2] - 1
    never = np.exp(-expected[:, :, end])
    counter = np.zeros(4, dtype=np.uint64)
    words = np.empty(4, dtype=np.uint64)
    more = np.empty(4, dtype=np.uint64)
    counter[1] = binding
    for shot in range(shots.shape[0]):
        counter[2] = shots[shot]
        for q in range(expected.shape[0]):
            counter[0] = block + _U64(q)
            counter[3] = _U64(0)
            philox(counter, key, words)
            normals[shot, q] = normal(words)
            level = levels[shot, q]
            for jump in range(times.shape[2]):
                times[shot, q, jump] = end
                after[shot, q, jump] = level
            # A logarithm only for those who jump, or almost.
            if expected[q, level, end] <= 0.0 or 1.0 - uniform(words[0]) < (1.0 - 1e-12) * never[q, level]:
                continue
            rates = (expected[q], up_share[q])
            draw_jumps((counter, key), (words, more), rates, level, times[shot, q], after[shot, q])


@njit(**JIT)
def draw_normals(header: Header, stream: np.uint64, shots: Words, out: Complexes) -> None:
    """Write pairs of independent standard normals.

    Args:
        header: Key of two words, binding, draw block of the first column (column c adds c); all uint64.
        stream: Fourth word of the counter: 0 for integrated values, above for raw traces.
        shots: uint64, shape (n_shots,).
        out: complex128, shape (n_shots, n_columns), written.
    """
    key, binding, block = header
    counter = np.zeros(4, dtype=np.uint64)
    words = np.empty(4, dtype=np.uint64)
    counter[1] = binding
    counter[3] = stream
    for shot in range(shots.shape[0]):
        counter[2] = shots[shot]
        for column in range(out.shape[1]):
            counter[0] = block + _U64(column)
            philox(counter, key, words)
            out[shot, column] = normal(words)


@njit(**JIT)
def cavity(drive: Complexes, decay: complex, gain: complex, field: Complexes) -> None:
    """Write the field of a resonator at the start of each sample and at the end of the last.

    Args:
        drive: Input field of each sample, complex128, shape (n,).
        decay: ``exp(-pole dt)``.
        gain: ``(1 - exp(-pole dt)) sqrt(kappa) / pole``.
        field: complex128, shape (n + 1,), written; its first entry is the field at the start.
    """
    for k in range(drive.shape[0]):
        field[k + 1] = decay * field[k] + gain * drive[k]


@njit(**JIT)
def ringdown(weights: Complexes, decay: complex, tail: Complexes) -> None:
    """Write what a unit field at the start of each sample still adds to the weighted sum, shape (n + 1,).

    Args:
        weights: Weight of each sample, complex128, shape (n,).
        decay: ``exp(-pole dt)``.
        tail: complex128, shape (n + 1,), written.
    """
    n = weights.shape[0]
    tail[n] = 0.0
    for k in range(n - 1, -1, -1):
        tail[k] = weights[k] + decay * tail[k + 1]


@njit(**JIT)
def integrate_shots(levels: Bytes, jumps: Jumps, tables: Tables, out: Complexes) -> None:
    """Add to each capture the response of each resonator to its qubit's trajectory of levels.

    Args:
        levels: Levels at the start of the window, uint8, shape (n_shots, n_qubits).
        jumps: Sample of each jump, int64, and level after it, uint8, shape (n_shots, n_qubits, n_jumps) each.
        tables: Sums up to each sample by (capture, resonator, level), shape (n, n, n_levels, n_samples + 1); fields in
            the window by (resonator, level), shape (n, n_levels, n_samples + 1); ring-downs, shaped like the sums;
            ``pole dt`` by (resonator, level); whether a capture sees a resonator, shape (n, n).
        out: complex128, shape (n_shots, n_captures), added to.
    """
    times, after = jumps
    sums, fields, tails, poles, relevant = tables
    end = sums.shape[3] - 1
    n = sums.shape[0]
    for shot in range(levels.shape[0]):
        for j in range(n):
            s = levels[shot, j]
            if times[shot, j, 0] >= end:
                for q in range(n):
                    if relevant[q, j]:
                        out[shot, q] += sums[q, j, s, end]
                continue
            # Field minus that of a qubit which was always in its present level.
            offset = 0.0 + 0.0j
            k = 0
            for jump in range(times.shape[2] + 1):
                m = end
                if jump < times.shape[2]:
                    m = min(times[shot, j, jump], end)
                left = offset * np.exp(-poles[j, s] * (m - k))
                for q in range(n):
                    if relevant[q, j]:
                        out[shot, q] += sums[q, j, s, m] - sums[q, j, s, k]
                        out[shot, q] += offset * tails[q, j, s, k] - left * tails[q, j, s, m]
                if m >= end:
                    break
                t = after[shot, j, jump]
                offset = fields[j, s, m] + left - fields[j, t, m]
                s = t
                k = m
