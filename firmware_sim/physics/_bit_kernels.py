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
    counter[0] = block
    for b in range(keys.shape[0]):
        counter[1] = bindings[b]
        row = cumulative[b]
        for shot in range(shots.shape[0]):
            counter[2] = shots[shot]
            philox(counter, keys[b], words)
            value = uniform(words[0])
            low = 0
            high = row.shape[0] - 1
            while low < high:
                middle = (low + high) // 2
                if value < row[middle]:
                    high = middle
                else:
                    low = middle + 1
            for q in range(digits.shape[1]):
                levels[b, shot, q] = digits[low, q]


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
    n = levels.shape[2]
    end = expected.shape[2] - 1
    never = np.exp(-expected[:, :, end])
    counter = np.zeros(4, dtype=np.uint64)
    words = np.empty(4, dtype=np.uint64)
    kept = np.empty((n, 4), dtype=np.uint64)
    more = np.empty(4, dtype=np.uint64)
    times = np.empty((1, n, _JUMPS), dtype=np.int64)
    after = np.empty((1, n, _JUMPS), dtype=np.uint8)
    values = np.empty((1, n), dtype=np.complex128)
    for b in range(keys.shape[0]):
        key = keys[b]
        counter[1] = bindings[b]
        for shot in range(shots.shape[0]):
            counter[2] = shots[shot]
            counter[3] = _U64(0)
            all_stay = True
            all_sure = True
            for q in range(n):
                level = levels[b, shot, q]
                counter[0] = block + _U64(q)
                philox(counter, key, words)
                stays = expected[q, level, end] <= 0.0 or 1.0 - uniform(words[0]) < (1.0 - 1e-12) * never[q, level]
                all_stay = all_stay and stays
                all_sure = all_sure and uniform(words[2]) < limit[q, level]
                bits[b, shot, q] = certain[q, level]
                end_levels[b, shot, q] = level
                for k in range(4):
                    kept[q, k] = words[k]
            if all_stay:
                for q in range(n if not all_sure else 0):
                    if uniform(kept[q, 2]) >= limit[q, levels[b, shot, q]]:
                        value = offset[q]
                        for k in range(n):
                            if mixing[q, k] != 0.0:
                                value += mixing[q, k] * normal_of(kept[k, 2], kept[k, 3])
                        for j in range(n):
                            if tables[4][q, j]:
                                value += tables[0][q, j, levels[b, shot, j], end]
                        bits[b, shot, q] = class_of(value, coefficients, classes, q) > 0
                continue
            for q in range(n):
                counter[0] = block + _U64(q)
                rates = (expected[q], up_share[q], never[q])
                draw_jumps((counter, key), (kept[q], more), rates, levels[b, shot, q], times[0, q], after[0, q])
                end_levels[b, shot, q] = after[0, q, _JUMPS - 1]
                values[0, q] = offset[q]
            for k in range(n):
                noise = normal_of(kept[k, 2], kept[k, 3])
                for q in range(n):
                    values[0, q] += mixing[q, k] * noise
            integrate_shots(levels[b, shot : shot + 1], (times, after), tables, values)
            for q in range(n):
                bits[b, shot, q] = class_of(values[0, q], coefficients, classes, q) > 0
