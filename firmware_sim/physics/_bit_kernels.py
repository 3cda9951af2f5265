"""Numba kernels: levels and bits of many shots of many bindings, without the integrated values that nobody asked for.

The draws are those of ``_kernels``, and so are the bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from firmware_sim.physics._kernels import draw_jumps, integrate_shots, normal_of, philox, uniform
from qctrl.jit import JIT

if TYPE_CHECKING:
    from typing import TypeAlias

    from firmware_sim.physics._kernels import Bytes, Complexes, Hazards, Integers, Reals, Tables, Words

    Header: TypeAlias = tuple[Words, Words, np.uint64]
    Sure: TypeAlias = tuple[Reals, Bytes]

_U64 = np.uint64
_JUMPS = 3
_GUIDES = 64
"""Uniforms of which the first state that they may decide is looked up; exact, as a power of two."""


@njit(**JIT)
def draw_levels(header: Header, shots: Words, cumulative: Reals, digits: Bytes, levels: Bytes) -> None:
    """Write the level in which each shot of each binding finds each qubit.

    Args:
        header: Keys, shape (n_bindings, 2), bindings, shape (n_bindings,), and draw block of this measurement; uint64.
        shots: uint64, shape (n_shots,).
        cumulative: Cumulative probabilities, last entry 1, shape (n_bindings, n_states).
        digits: Level of each qubit in each state, uint8, shape (n_states, n_qubits).
        levels: uint8, shape (n_bindings, n_shots, n_qubits), written.
    """
    keys, bindings, block = header
    counter = np.zeros(4, dtype=np.uint64)
    words = np.empty(4, dtype=np.uint64)
    lowest = np.empty(_GUIDES, dtype=np.int64)
    last = cumulative.shape[1] - 1
    counter[0] = block
    for b in range(keys.shape[0]):
        key = keys[b]
        counter[1] = bindings[b]
        row = cumulative[b]
        state = 0
        for guide in range(_GUIDES):
            while state < last and row[state] * _GUIDES <= guide:
                state += 1
            lowest[guide] = state
        for shot in range(shots.shape[0]):
            counter[2] = shots[shot]
            philox(counter, key, words)
            value = uniform(words[0])
            state = lowest[int(value * _GUIDES)]
            while state < last and row[state] <= value:
                state += 1
            for q in range(digits.shape[1]):
                levels[b, shot, q] = digits[state, q]


@njit(**JIT)
def class_of(value: complex, coefficients: Reals, classes: Integers, q: int) -> int:
    """Return the class of an integrated value of capture q, see ``qctrl.signal.discriminate``."""
    real = np.float64(np.float32(value.real))
    imag = np.float64(np.float32(value.imag))
    found = 0
    best = real * coefficients[q, 0, 0] + imag * coefficients[q, 0, 1] + coefficients[q, 0, 2]
    for k in range(1, classes[q]):
        score = real * coefficients[q, k, 0] + imag * coefficients[q, k, 1] + coefficients[q, k, 2]
        if score > best:
            best = score
            found = k
    return found


@njit(**JIT)
def draw_bits(
    header: Header, shots: Words, window: tuple[Hazards, Tables, Complexes, Complexes], discriminators: tuple[Reals,
    Integers], sure: Sure, levels: Bytes, bits: Bytes, end_levels: Bytes,
) -> None:  # fmt: skip
    """Write the bit of each capture of a window and the level that it leaves, for each shot of each binding.

    A capture is integrated only if its qubit jumps, or its noise could carry it over the border of its class.

    Args:
        header: Keys, shape (n_bindings, 2), bindings, shape (n_bindings,), and draw block of the first capture; uint64.
        shots: uint64, shape (n_shots,).
        window: Hazards as of ``draw_windows``, tables as of ``integrate_shots``, what does not depend on the qubits,
            shape (n,), and the mixing of the noise, shape (n, n).
        discriminators: Coefficients, shape (n, 3, 3), and classes, shape (n,).
        sure: By capture and level, the uniform of the noise's radius below which the bit is certain, and that bit.
        levels: Levels at the start, uint8, shape (n_bindings, n_shots, n).
        bits: uint8, same shape, written.
        end_levels: uint8, same shape, written.
    """
    keys, bindings, block = header
    (expected, up_share), tables, offset, mixing = window
    coefficients, classes = discriminators
    limit, certain = sure
    sums = tables[0]
    relevant = tables[4]
    n = levels.shape[2]
    end = expected.shape[2] - 1
    never = np.exp(-expected[:, :, end])
    counter = np.zeros(4, dtype=np.uint64)
    words = np.empty(4, dtype=np.uint64)
    kept = np.empty((n, 4), dtype=np.uint64)
    more = np.empty(4, dtype=np.uint64)
    times = np.full((1, n, _JUMPS), end)
    after = np.zeros((1, n, _JUMPS), dtype=np.uint8)
    moved = np.zeros(n, dtype=np.bool_)
    values = np.empty((1, n), dtype=np.complex128)
    for b in range(keys.shape[0]):
        key = keys[b]
        counter[1] = bindings[b]
        for shot in range(shots.shape[0]):
            counter[2] = shots[shot]
            counter[3] = _U64(0)
            any_moved = False
            any_doubt = False
            for q in range(n):
                level = levels[b, shot, q]
                counter[0] = block + _U64(q)
                philox(counter, key, words)
                moved[q] = expected[q, level, end] > 0.0 and 1.0 - uniform(words[0]) >= (1.0 - 1e-12) * never[q, level]
                any_moved = any_moved or moved[q]
                any_doubt = any_doubt or uniform(words[2]) >= limit[q, level]
                bits[b, shot, q] = certain[q, level]
                end_levels[b, shot, q] = level
                for k in range(4):
                    kept[q, k] = words[k]
            if not (any_moved or any_doubt):
                continue
            for q in range(n):
                if any_moved:
                    times[0, q, 0] = end
                    if moved[q]:
                        counter[0] = block + _U64(q)
                        rates = (expected[q], up_share[q])
                        draw_jumps((counter, key), (kept[q], more), rates, levels[b, shot, q], times[0, q], after[0, q])
                        end_levels[b, shot, q] = after[0, q, _JUMPS - 1]
            if any_moved:
                values[0, :] = 0.0
                integrate_shots(levels[b, shot : shot + 1], (times, after), tables, values)
            for q in range(n):
                doubt = uniform(kept[q, 2]) >= limit[q, levels[b, shot, q]]
                for j in range(n):
                    doubt = doubt or (moved[j] and relevant[q, j])
                if doubt:
                    value = offset[q]
                    for k in range(n):
                        if mixing[q, k] != 0.0:
                            value += mixing[q, k] * normal_of(kept[k, 2], kept[k, 3])
                    if any_moved:
                        value += values[0, q]
                    else:
                        for j in range(n):
                            if relevant[q, j]:
                                value += sums[q, j, levels[b, shot, j], end]
                    bits[b, shot, q] = class_of(value, coefficients, classes, q) > 0
