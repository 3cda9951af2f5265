"""The receiving half of the signal equation: carriers, demodulation, discrimination. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.errors import ResourceError
from qctrl.units import TUNING_TURN

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_TURN_MASK: Final = TUNING_TURN - 1
_PHASE_SHIFT: Final = 16  # a phase word counts 2**-32 turn, a tuning word 2**-48


def carrier(ftw: int, phase_word: int, first_tick: int, sample_ticks: int, n_samples: int) -> NDArray[np.complex128]:
    """Return ``exp(2 pi i (F t + P))`` at the starts of consecutive samples, shape ``(n_samples,)``.

    The phase is an integer modulo one turn, in units of 2**-48 turn, so it is exact at any tick.

    Args:
        ftw: Tuning word ``F``, in 2**-48 turn per tick.
        phase_word: Sum of the phase words ``P``, in 2**-32 turn; any integer.
        first_tick: Tick of the first sample's start, from the start of the shot.
        sample_ticks: Ticks per sample.
        n_samples: Number of samples.
    """
    first = start_word(ftw, phase_word, first_tick)
    step = ftw * sample_ticks & _TURN_MASK
    # Wraps modulo 2**64, of which 2**48 is a divisor.
    words = (np.uint64(first) + np.uint64(step) * np.arange(n_samples, dtype=np.uint64)) & np.uint64(_TURN_MASK)
    return np.exp(2j * np.pi * (words.astype(np.float64) / TUNING_TURN))


def start_word(ftw: int, phase_word: int, first_tick: int) -> int:
    """Return the phase of a carrier at a tick, in 2**-48 turn below one turn; arguments as of :func:`carrier`."""
    return (ftw * first_tick + (phase_word << _PHASE_SHIFT)) & _TURN_MASK


def demodulation_weights(
    reference: NDArray[np.complex128], weights: NDArray[np.complex128] | None
) -> NDArray[np.complex128]:
    """Return what a window's samples are multiplied with and summed, shape ``(n_samples,)``.

    Args:
        reference: Carrier of the window, as of :func:`carrier`.
        weights: Integration weights, same shape, or None for flat ones.

    Raises:
        ResourceError: The window is empty, or the weights have another length.
    """
    n_samples = len(reference)
    if n_samples == 0:
        raise ResourceError("a capture window has no samples; it needs at least one")
    if weights is None:
        return np.conj(reference) / complex(n_samples)
    if weights.shape != reference.shape:
        raise ResourceError(
            f"integration weights have {len(weights)} samples, the window has {n_samples}; make them equal"
        )
    return weights * np.conj(reference) / complex(n_samples)


def demodulate(
    samples: NDArray[np.complex128],
    first_tick: int,
    sample_ticks: int,
    ftw: int,
    phase_word: int,
    weights: NDArray[np.complex128] | None = None,
) -> complex:
    """Return the mean over a window of ``weights * samples * exp(-2 pi i (F t + P))``.

    Args:
        samples: Digitised window at baseband, fractions of the ADC's full scale, shape ``(n_samples,)``.
        first_tick: Tick of the first sample's start, from the start of the shot.
        sample_ticks: Ticks per sample.
        ftw: Tuning word of the capture's frame, in 2**-48 turn per tick.
        phase_word: Phase word of the capture, in 2**-32 turn.
        weights: Integration weights, same shape as ``samples``, or None for flat ones.

    Raises:
        ResourceError: The window is empty, not finite, or the weights have another length.
    """
    reference = carrier(ftw, phase_word, first_tick, sample_ticks, len(samples))
    integrated = complex(samples @ demodulation_weights(reference, weights))
    if not np.isfinite(integrated):
        raise ResourceError(f"the window at tick {first_tick} integrates to {integrated}; it must be finite")
    return integrated


def discriminate(iq: ArrayLike, coef: NDArray[np.float64], n_classes: int) -> NDArray[np.uint8]:
    """Return the class with the largest score ``coef[k] @ (I, Q, 1)``, same shape as ``iq``.

    A tie goes to the lower class.

    Args:
        iq: Integrated values, complex, any shape.
        coef: Linear coefficients, shape ``(3, 3)`` or ``(n_classes, 3)``: rows are classes.
        n_classes: Number of rows that count, 1 to 3.

    Raises:
        ResourceError: A value is not finite, or there are not as many classes.
    """
    values = np.asarray(iq, dtype=np.complex128)
    if not 1 <= n_classes <= len(coef):
        raise ResourceError(f"a discriminator has {n_classes} classes; its coefficients allow 1 to {len(coef)}")
    if not bool(np.all(np.isfinite(values))):
        raise ResourceError("an integrated value is not finite; it has no class")
    real, imag = np.array(values.real), np.array(values.imag)
    scores = (real * row[0] + imag * row[1] + row[2] for row in coef[:n_classes])
    best = next(scores)
    found = np.zeros(values.shape, dtype=np.uint8)
    for k, score in enumerate(scores, 1):
        better = score > best
        found[better] = k
        best = np.where(better, score, best)
    return found
