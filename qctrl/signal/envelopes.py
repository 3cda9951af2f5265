"""Envelope shapes: formulas of a unit-peak baseband envelope, sampled in the middle of each sample period."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qctrl.errors import CompileError, ResourceError
from qctrl.units import ENVELOPE_ONE, exact_fraction, to_ticks

DETUNING: Final = "detuning"
"""Parameter of every shape."""

_SLEPIAN_STEPS: Final = 2**14
"""Steps of the integral of a Slepian pulse; its error is a thousandth of the last bit of a sample."""
_MOST_LAMBDA2: Final = 0.25
"""Up to here a Slepian pulse rises to its middle and falls from there."""

_FloatArray = NDArray[np.float64]
_Formula = Callable[[_FloatArray, float, Mapping[str, float]], NDArray[np.complex128] | _FloatArray]


@dataclass(frozen=True, slots=True)
class Envelope:
    """Shape of a play, apart from its gain, phase and carrier. Hashable: equal envelopes are stored once."""

    shape: str
    """One of ``SHAPES``."""
    duration_s: float
    """Length in seconds; a whole number of samples at the rate it is evaluated for."""
    params: tuple[tuple[str, float], ...] = ()
    """(name, value) pairs of the shape, times in seconds; and ``detuning`` of the carrier in Hz, 0 if absent."""


@dataclass(frozen=True, slots=True)
class _Shape:
    formula: _Formula
    required: tuple[str, ...] = ()
    defaults: tuple[tuple[str, float], ...] = ()


def evaluate(envelope: Envelope, sample_rate_hz: float) -> NDArray[np.complex128]:
    """Return the samples of an envelope, shape ``(n_samples,)``, ``|re|`` and ``|im|`` at most 1.

    Sample ``k`` is the formula at the time ``(k + 1/2) / sample_rate_hz``, because the DAC holds it from
    ``k / sample_rate_hz`` to ``(k + 1) / sample_rate_hz``.

    A detuned envelope turns on from the start of its first sample, whatever the time of the play: its frame's phase
    holds there.

    Args:
        envelope: Shape, length and parameters.
        sample_rate_hz: Sample rate of the port, in Hz.

    Raises:
        CompileError: The shape is unknown, or its parameters are missing, unknown or out of range.
        TimingError: The length is not a whole number of samples.
        ResourceError: A quadrature exceeds full scale (a DRAG with a large ``beta``).
    """
    shape = _SHAPES.get(envelope.shape)
    if shape is None:
        raise CompileError(f"envelope shape {envelope.shape!r} is unknown; choose one of {', '.join(SHAPES)}")
    params = _checked_params(envelope, shape)
    what = f"duration of envelope {envelope.shape}"
    n_samples = to_ticks(envelope.duration_s, 1 / exact_fraction(sample_rate_hz), what=what)
    times_s = (np.arange(n_samples, dtype=np.float64) + 0.5) / sample_rate_hz
    samples = shape.formula(times_s, envelope.duration_s, params).astype(np.complex128)
    if detuning_hz := params.get(DETUNING, 0.0):
        samples *= _turned(n_samples, detuning_hz, sample_rate_hz)
    _refuse_over_range(samples, envelope)
    return samples


def _turned(n_samples: int, detuning_hz: float, sample_rate_hz: float) -> NDArray[np.complex128]:
    """Return the carrier of a detuned envelope, as an NCO that is retuned at the start would put it out.

    Raises:
        ResourceError: The detuning is half the sample rate or more.
    """
    if not abs(detuning_hz) < sample_rate_hz / 2:
        raise ResourceError(
            f"a detuning of {detuning_hz:g} Hz is beyond what {sample_rate_hz:g} samples a second can carry, "
            f"the limit is {sample_rate_hz / 2:g} Hz; calibrate the frequency instead"
        )
    return np.exp(2j * np.pi * detuning_hz / sample_rate_hz * np.arange(n_samples))


def quantise(samples: ArrayLike) -> NDArray[np.int16]:
    """Return samples as int16 words of 1/32767 of full scale, shape ``(n_samples, 2)``: (re, im).

    Rounds half to even.

    Raises:
        ResourceError: A quadrature is not finite or beyond full scale.
    """
    values = np.ascontiguousarray(samples, dtype=np.complex128)
    _refuse_over_range(values, None)
    return np.rint(values.view(np.float64).reshape(-1, 2) * ENVELOPE_ONE).astype(np.int16)


def dequantise(words: NDArray[np.int16]) -> NDArray[np.complex128]:
    """Return int16 words of shape ``(n_samples, 2)`` as complex samples of shape ``(n_samples,)``."""
    return (words.astype(np.float64) / ENVELOPE_ONE).view(np.complex128).reshape(-1)


def _checked_params(envelope: Envelope, shape: _Shape) -> dict[str, float]:
    params = dict(shape.defaults) | dict(envelope.params)
    known = set(shape.required) | {name for name, _ in shape.defaults}
    missing, unknown = set(shape.required) - set(params), set(params) - known - {DETUNING}
    if missing or unknown or len(dict(envelope.params)) != len(envelope.params):
        expected = ", ".join(sorted(known)) or "none"
        given = ", ".join(name for name, _ in envelope.params) or "none"
        raise CompileError(f"envelope {envelope.shape} takes the parameters {expected}; got {given}")
    for name, value in params.items():
        if not math.isfinite(value):
            raise CompileError(f"envelope {envelope.shape}: {name} is {value!r}; it must be finite")
    _check_times(envelope, params)
    return params


def _check_times(envelope: Envelope, params: Mapping[str, float]) -> None:
    if params.get("sigma", 1.0) <= 0:
        raise CompileError(f"envelope {envelope.shape}: sigma is {params['sigma']:g} s; it must be positive")
    if envelope.shape == "slepian":
        _check_angles(params["theta_i"], params["theta_f"], params["lambda2"])
    rise_s = params.get("rise", 0.0)
    if not 0 <= 2 * rise_s <= envelope.duration_s * (1 + 1e-12):
        raise CompileError(
            f"envelope {envelope.shape}: rise is {rise_s:g} s; two of them must fit into the duration "
            f"{envelope.duration_s:g} s"
        )


def _check_angles(start_rad: float, end_rad: float, ratio: float) -> None:
    if not 0 < start_rad < end_rad < math.pi:
        raise CompileError(
            f"envelope slepian: theta_i and theta_f are {start_rad:g} and {end_rad:g} rad; "
            "give 0 < theta_i < theta_f < pi"
        )
    if not abs(ratio) <= _MOST_LAMBDA2:
        raise CompileError(f"envelope slepian: lambda2 is {ratio:g}; it must be within [-0.25, 0.25]")


def _refuse_over_range(samples: NDArray[np.complex128], envelope: Envelope | None) -> None:
    quadratures = np.abs(samples.view(np.float64))
    if quadratures.size == 0 or bool(np.all(quadratures <= 1)):  # false for NaN
        return
    index = int(np.argmax(~(quadratures <= 1)))
    name = "envelope" if envelope is None else f"envelope {envelope.shape} {dict(envelope.params)}"
    quadrature = "imaginary" if index % 2 else "real"
    raise ResourceError(
        f"{name}: the {quadrature} part of sample {index // 2} is {quadratures[index]:.6g} of full scale, "
        "the limit is 1; lower the amplitude or beta, or lengthen the pulse"
    )


def _gaussian(times_s: _FloatArray, duration_s: float, params: Mapping[str, float]) -> _FloatArray:
    """Gaussian about the middle, lifted: shifted and scaled to be 0 at both ends and 1 in the middle."""
    sigma_s = params["sigma"]
    # expm1 keeps the lifted shape exact when sigma is much longer than the pulse.
    edge = math.expm1(-((duration_s / 2 / sigma_s) ** 2) / 2)
    return 1 - np.expm1(-(((times_s - duration_s / 2) / sigma_s) ** 2) / 2) / edge


def _drag(times_s: _FloatArray, duration_s: float, params: Mapping[str, float]) -> NDArray[np.complex128]:
    """Return ``g + i beta dg/dt`` with ``g`` the lifted Gaussian and ``beta`` in seconds.

    Motzoi et al., Phys. Rev. Lett. 103, 110501 (2009): the derivative on the other quadrature.
    """
    sigma_s, beta_s = params["sigma"], params["beta"]
    offset_s = times_s - duration_s / 2
    edge = math.expm1(-((duration_s / 2 / sigma_s) ** 2) / 2)
    slope = offset_s / sigma_s**2 * np.exp(-((offset_s / sigma_s) ** 2) / 2) / edge
    return _gaussian(times_s, duration_s, params) + 1j * beta_s * slope


def _flat_top_cosine(times_s: _FloatArray, duration_s: float, params: Mapping[str, float]) -> _FloatArray:
    """One, with a half-cosine rise and fall of length ``rise``; a hard square for a rise of 0."""
    rise_s = params["rise"]
    if rise_s == 0:
        return np.ones_like(times_s)
    depth = np.minimum(np.minimum(times_s, duration_s - times_s) / rise_s, 1.0)
    return (1 - np.cos(np.pi * depth)) / 2


def _flat_top_gaussian(times_s: _FloatArray, duration_s: float, params: Mapping[str, float]) -> _FloatArray:
    """One, with edges that are halves of a lifted Gaussian of ``sigma = rise / 2``.

    The ratio is the default ``risefall_sigma_ratio`` of OpenPulse's ``gaussian_square``.
    """
    rise_s = params["rise"]
    if rise_s == 0:
        return np.ones_like(times_s)
    before_top = np.maximum(rise_s - np.minimum(times_s, duration_s - times_s), 0.0)
    edge = math.exp(-2)
    return (np.exp(-2 * (before_top / rise_s) ** 2) - edge) / (1 - edge)


def _slepian(times_s: _FloatArray, duration_s: float, params: Mapping[str, float]) -> _FloatArray:
    """Return the detuning of a fast adiabatic flux pulse, 0 at its ends and 1 in the middle.

    The control angle, whose cotangent is the detuning over the coupling, goes from ``theta_i`` to ``theta_f`` and back
    as ``theta_i + l1 (1 - cos 2 pi s) + l2 (1 - cos 4 pi s)`` in a time ``s`` that runs at the pace of the gap:
    ``dt ~ sin(theta) ds``. Martinis and Geller, Phys. Rev. A 90, 022307 (2014), sections III and IV; ``lambda2`` is
    ``l2 / l1``.
    """
    start, end, ratio = params["theta_i"], params["theta_f"], params["lambda2"]
    s = np.linspace(0.0, 1.0, _SLEPIAN_STEPS + 1)
    rise = (1 - np.cos(2 * np.pi * s)) / 2 + ratio * (1 - np.cos(4 * np.pi * s)) / 2
    theta = start + (end - start) * rise
    pace = np.sin(theta)
    elapsed = np.concatenate([[0.0], np.cumsum(pace[1:] + pace[:-1])])
    level = (1 / np.tan(start) - 1 / np.tan(theta)) / (1 / np.tan(start) - 1 / np.tan(end))
    return np.interp(times_s / duration_s * elapsed[-1], elapsed, level)


def _constant(times_s: _FloatArray, duration_s: float, params: Mapping[str, float]) -> _FloatArray:
    del duration_s, params
    return np.ones_like(times_s)


_SHAPES: Final[Mapping[str, _Shape]] = MappingProxyType(
    {
        "constant": _Shape(_constant),
        "drag": _Shape(_drag, required=("sigma", "beta")),
        "flat_top_cosine": _Shape(_flat_top_cosine, required=("rise",)),
        "flat_top_gaussian": _Shape(_flat_top_gaussian, required=("rise",)),
        "gaussian": _Shape(_gaussian, required=("sigma",)),
        "slepian": _Shape(_slepian, required=("theta_i", "theta_f"), defaults=(("lambda2", 0.0),)),
        "square": _Shape(_flat_top_cosine, defaults=(("rise", 0.0),)),
    }
)
SHAPES: Final = tuple(_SHAPES)
"""Names of all shapes."""
