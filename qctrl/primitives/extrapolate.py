"""From values at several strengths of noise to the value without: fits, and their standard errors."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_STEPS, _TOLERANCE = 50, 1e-12
_LEAST_SIGNAL = 3.0
"""Standard errors by which every value must be off zero, or an exponential has no sign to start from."""


class Fit(NamedTuple):
    """What a model says of zero noise."""

    value: float
    std: float


def polynomial_degree(name: str) -> int | None:
    """Return the degree of ``linear`` or ``polynomial_degree_D``; ``None`` for another name."""
    if name == "linear":
        return 1
    found = re.fullmatch(r"polynomial_degree_([1-7])", name)
    return int(found[1]) if found else None


def is_extrapolator(name: object) -> bool:
    """Return whether there is an extrapolator of this name."""
    return name == "exponential" or (isinstance(name, str) and polynomial_degree(name) is not None)


def n_coefficients(name: str) -> int:
    """Return how many numbers an extrapolator fits; it needs as many different noise factors."""
    degree = polynomial_degree(name)
    return 2 if degree is None else degree + 1


def extrapolate(
    factors: NDArray[np.float64], values: NDArray[np.float64], stds: NDArray[np.float64], names: Sequence[str]
) -> tuple[Fit, str]:
    """Return the value at factor 0 of the first model that fits, and its name; the last one's if none does.

    A model fits if it exists and misses the values by no more than chance would in one case of 100. The standard error
    is that of least squares with the given errors; where more values than coefficients miss the model by more than
    their errors, it grows by the same ratio (Birge 1932), because then the model is what is wrong.

    Args:
        factors: Strengths of the noise, ``(n,)``, at least as many different ones as the models have coefficients.
        values: Expectation values, ``(n,)``.
        stds: Their standard errors, above 0.
        names: Models to try, in order; the last of them must be a polynomial, or is followed by ``linear``.
    """
    order = [*names] if polynomial_degree(names[-1]) is not None else [*names, "linear"]
    for name in order:
        degree = polynomial_degree(name)
        if degree is None:
            found = _exponential(factors, values, stds)
        else:
            found = _least_squares(np.vander(factors, degree + 1, increasing=True), values, stds)
        if found is None:
            continue
        fit, misfit, freedom = found
        if name == order[-1] or misfit <= _limit(freedom):
            inflation = max(1.0, misfit / freedom) if freedom else 1.0
            return Fit(fit.value, fit.std * math.sqrt(inflation)), name
    raise AssertionError("unreachable: a polynomial always exists")


def _limit(freedom: int) -> float:
    from scipy.stats import chi2

    return float(chi2.isf(0.01, freedom)) if freedom else math.inf


def _least_squares(
    design: NDArray[np.float64], values: NDArray[np.float64], stds: NDArray[np.float64]
) -> tuple[Fit, float, int]:
    """Return the first coefficient of a linear model, the sum of squared misses in errors, and degrees of freedom."""
    weighted = design / stds[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    coefficients = covariance @ (weighted.T @ (values / stds))
    misfit = float(np.sum(((values - design @ coefficients) / stds) ** 2))
    return Fit(float(coefficients[0]), math.sqrt(covariance[0, 0])), misfit, len(values) - design.shape[1]


def _exponential(
    factors: NDArray[np.float64], values: NDArray[np.float64], stds: NDArray[np.float64]
) -> tuple[Fit, float, int] | None:
    """Fit ``a exp(-b factor)`` by Gauss and Newton, from a line through the logarithms; ``None`` if it does not."""
    sign = math.copysign(1.0, values[0])
    if np.any(sign * values < _LEAST_SIGNAL * stds):
        return None
    relative = stds / np.abs(values)
    slope, offset = np.polyfit(factors, np.log(sign * values), 1, w=1 / relative)
    a, b = sign * math.exp(offset), -float(slope)
    for _ in range(_STEPS):
        shape = np.exp(-b * factors)
        jacobian = np.stack([shape, -a * factors * shape], axis=1) / stds[:, None]
        step, *_ = np.linalg.lstsq(jacobian, (values - a * shape) / stds, rcond=None)
        a, b = a + float(step[0]), b + float(step[1])
        if not (math.isfinite(a) and math.isfinite(b)) or abs(b) * factors.max() > 700:
            return None
        if np.all(np.abs(step) <= _TOLERANCE * (1 + np.abs([a, b]))):
            break
    shape = np.exp(-b * factors)
    jacobian = np.stack([shape, -a * factors * shape], axis=1) / stds[:, None]
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    misfit = float(np.sum(((values - a * shape) / stds) ** 2))
    return Fit(a, math.sqrt(covariance[0, 0])), misfit, len(values) - 2
