"""Circuits at several strengths of noise, and results extrapolated to none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qctrl.compiler import CompileOptions
from qctrl.errors import CompileError
from qctrl.primitives.extrapolate import extrapolate
from qctrl.primitives.folding import count_foldable, fold
from qctrl.primitives.resilience import ZneOptions

_STRETCHING: Final = "pulse_stretching"


class Amplified(NamedTuple):
    """A circuit whose noise is stronger by a factor."""

    circuit: QuantumCircuit
    options: CompileOptions
    factor: float


class Zne(NamedTuple):
    """How the results of a job are extrapolated."""

    factors: tuple[tuple[float, ...], ...]
    """Noise factors of each pub, as they were played."""
    amplifier: str
    extrapolators: tuple[str, ...]

    def to_document(self) -> dict[str, Any]:
        """Return what :meth:`from_document` reads, as JSON can say it."""
        return self._asdict()

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Zne:
        """Return what :meth:`to_document` described."""
        factors = tuple(tuple(each) for each in document["factors"])
        return cls(factors, document["amplifier"], tuple(document["extrapolators"]))


class Extrapolated(NamedTuple):
    """Expectation values without noise, and what they come from; arrays of the pub's shape."""

    evs: NDArray[np.float64]
    stds: NDArray[np.float64]
    models: dict[str, int]
    """How many values each extrapolator gave."""


def can_amplify(circuit: QuantumCircuit, zne: ZneOptions) -> bool:
    """Return whether a circuit has what the amplifier makes noisier."""
    return zne.amplifier == _STRETCHING or count_foldable(circuit) > 0


def amplify(index: int, circuit: QuantumCircuit, options: CompileOptions, zne: ZneOptions) -> list[Amplified]:
    """Return a circuit at all noise factors.

    Args:
        index: Place of the pub, for messages.
        circuit: An ISA circuit.
        options: How it is compiled.
        zne: How its noise is made stronger.

    Raises:
        CompileError: It has no gates that can be folded.
        ValueError: It has so few that two noise factors come out equal.
    """
    factors = zne.factors()
    if zne.amplifier == _STRETCHING:
        return [Amplified(circuit, replace(options, stretch=factor), factor) for factor in factors]
    if not can_amplify(circuit, zne):
        raise CompileError(
            f"the {index}-th pub's circuit has no gates of two qubits to fold; choose zne.amplifier="
            f"{_STRETCHING!r}, or leave zne_mitigation off"
        )
    amplifier: Any = zne.amplifier
    made = [Amplified(folded, options, got) for folded, got in (fold(circuit, each, amplifier) for each in factors)]
    played = [each.factor for each in made]
    if len(set(played)) < len(played):
        raise ValueError(
            f"the {index}-th pub's circuit has {count_foldable(circuit)} gates to fold, with which the noise factors "
            f"{list(factors)} become {played}; choose factors that are farther apart"
        )
    return made


def extrapolate_all(
    factors: Sequence[float], values: NDArray[np.float64], stds: NDArray[np.float64], names: Sequence[str]
) -> Extrapolated:
    """Return values without noise.

    Args:
        factors: Noise factors.
        values: Expectation values, ``(*shape, n_factors)``.
        stds: Their standard errors; where all are 0 the value is a constant, and stays.
        names: Extrapolators, in the order in which they are tried.
    """
    shape = values.shape[:-1]
    evs, errors = np.empty(shape), np.zeros(shape)
    models: Counter[str] = Counter()
    for place in np.ndindex(shape):
        if not np.all(stds[place] > 0):
            evs[place] = values[place][0]
            continue
        fit, name = extrapolate(np.asarray(factors, dtype=np.float64), values[place], stds[place], names)
        evs[place], errors[place] = fit
        models[name] += 1
    return Extrapolated(evs, errors, dict(models))
