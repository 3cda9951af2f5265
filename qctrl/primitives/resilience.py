"""Options of ``EstimatorV2`` against errors that are known or can be made larger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from qctrl.primitives import absent
from qctrl.primitives.extrapolate import is_extrapolator, n_coefficients
from qctrl.primitives.option_tree import Options, Rule, finite
from qctrl.primitives.suppression import one_of

AMPLIFIERS = ("gate_folding", "gate_folding_front", "gate_folding_back", "pulse_stretching")
_MAYBE = Rule(lambda v: v is None or isinstance(v, bool), "True, False or None")


def _factors(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        return False
    numbers = list(value)
    return len(set(numbers)) >= 2 and len(set(numbers)) == len(numbers) and all(finite(each, 1.0) for each in numbers)


def _names(value: Any) -> bool:
    names = [value] if isinstance(value, str) else value
    return isinstance(names, Sequence) and len(names) > 0 and all(is_extrapolator(name) for name in names)


@dataclass
class ZneOptions(Options):
    """Zero-noise extrapolation: the circuit at several strengths of its noise, and a fit to none."""

    noise_factors: Sequence[float] | None = None
    """How many times stronger the noise is made, 1 or more; ``None`` is 1, 3, 5, for pulse stretching 1, 1.5, 2."""
    extrapolator: str | Sequence[str] = ("exponential", "linear")
    """Models in the order in which they are tried: ``exponential``, ``linear``, ``polynomial_degree_1`` to 7."""
    amplifier: str = "gate_folding"
    """What makes the noise stronger: gates of two qubits that are played and undone again, evenly spread, from the
    ``_front`` or the ``_back``; or ``pulse_stretching``, all pulses longer and weaker."""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "noise_factors": Rule(_factors, "two or more different numbers, each at least 1, or None"),
        "extrapolator": Rule(_names, "'exponential', 'linear', 'polynomial_degree_1' to '_7', or a list of them"),
        "amplifier": one_of(*AMPLIFIERS),
    }
    ABSENT: ClassVar[Mapping[str, str]] = absent.ZNE

    @property
    def extrapolators(self) -> tuple[str, ...]:
        """Names of the models."""
        return (self.extrapolator,) if isinstance(self.extrapolator, str) else tuple(self.extrapolator)

    def factors(self) -> tuple[float, ...]:
        """Return the noise factors, ascending.

        Raises:
            ValueError: There are fewer than a model has coefficients.
        """
        default = (1.0, 1.5, 2.0) if self.amplifier == "pulse_stretching" else (1.0, 3.0, 5.0)
        found = default if self.noise_factors is None else tuple(sorted(map(float, self.noise_factors)))
        for name in self.extrapolators:
            if n_coefficients(name) > len(found):
                raise ValueError(
                    f"zne.extrapolator {name!r} needs {n_coefficients(name)} noise factors, there are {len(found)}; "
                    "give more in zne.noise_factors"
                )
        return found


@dataclass
class ResilienceOptions(Options):
    """What is done against errors."""

    measure_mitigation: bool | str | None = None
    """Correct the readout: ``True`` or ``local`` qubit by qubit, by the calibration's assignment matrices;
    ``correlated`` by what the job itself measures of every parity, with twirled measurements, also where there are no
    such matrices; ``None`` leaves it to ``resilience_level``."""
    zne_mitigation: bool | None = None
    """Extrapolate to zero noise; ``None`` leaves it to ``resilience_level``."""
    zne: ZneOptions = field(default_factory=ZneOptions)

    RULES: ClassVar[Mapping[str, Rule]] = {
        "measure_mitigation": one_of(True, False, None, "local", "correlated"),
        "zne_mitigation": _MAYBE,
    }
    ABSENT: ClassVar[Mapping[str, str]] = absent.RESILIENCE
