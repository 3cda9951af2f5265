"""Options of the primitives: a tree that refuses what it does not know."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar

import numpy as np

from qctrl.primitives import absent

MEAS_TYPES = ("classified", "kerneled", "avg_kerneled", "classified+kerneled")


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _positive_integer(value: Any) -> bool:
    return _whole(value) and value > 0


def _seed(value: Any) -> bool:
    return _whole(value) and 0 <= value < 2**63


def _finite(value: Any, least: float) -> bool:
    real = _whole(value) or isinstance(value, float | np.floating)
    return real and math.isfinite(value) and bool(value >= least)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a leaf of the tree accepts."""

    accepts: Callable[[Any], bool]
    says: str


_Node = TypeVar("_Node", bound="Options")


class Options:
    """A node of the tree: attributes, nested dicts and the constructor all check names and values."""

    RULES: ClassVar[Mapping[str, _Rule]] = {}
    ABSENT: ClassVar[Mapping[str, str]] = {}
    """Why there is no such option, by names that users may know."""

    def __getattr__(self, name: str) -> Any:
        """Refuse what is not there.

        Raises:
            AttributeError: Always; the message gives the reason or the nearest name.
        """
        raise AttributeError(self._unknown(name))

    def __setattr__(self, name: str, value: Any) -> None:
        """Set one option.

        Raises:
            AttributeError: There is no such option; the message suggests the nearest.
            ValueError: The value is not allowed.
            TypeError: A group of options is given something else than a group or a mapping.
        """
        known = {option.name for option in fields(self)}  # pyright: ignore[reportArgumentType]
        if name not in known:
            raise AttributeError(self._unknown(name))
        current = self.__dict__.get(name)
        if isinstance(current, Options) and not isinstance(value, type(current)):
            if not isinstance(value, Mapping):
                raise TypeError(f"option {name} is a group: give a dict or {type(current).__name__}, not {value!r}")
            current.update(value)
            return
        rule = self.RULES.get(name)
        if rule is not None and not rule.accepts(value):
            raise ValueError(f"option {name} is {value!r}; it must be {rule.says}")
        object.__setattr__(self, name, value)

    def update(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Set several options, in groups or not.

        Args:
            values: Options by name; groups are nested mappings.
            **more: The same as keywords.
        """
        for name, value in {**(values or {}), **more}.items():
            setattr(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Return the tree as nested dicts."""
        return {name: value.to_dict() if isinstance(value, Options) else value for name, value in self._items()}

    def _items(self) -> Iterator[tuple[str, Any]]:
        for option in fields(self):  # pyright: ignore[reportArgumentType]
            yield option.name, getattr(self, option.name)

    def _unknown(self, name: str) -> str:
        known = sorted(option.name for option in fields(self))  # pyright: ignore[reportArgumentType]
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"it has {', '.join(known)}"
        return f"{type(self).__name__} has no option {name!r}; {self.ABSENT.get(name, hint)}"


@dataclass
class ExecutionOptions(Options):
    """How shots are taken."""

    chunk_shots: int | None = None
    """Most shots per chunk of results; ``None`` lets the runner choose. Results do not depend on it."""
    rep_delay: float | None = None
    """Idle time between shots, in seconds; ``None`` is the device's own."""
    init_qubits: bool = True
    """Start every shot from idle qubits; nothing else is possible."""

    RULES: ClassVar[Mapping[str, _Rule]] = {
        "chunk_shots": _Rule(lambda v: v is None or _positive_integer(v), "a whole number, at least 1, or None"),
        "rep_delay": _Rule(lambda v: v is None or _finite(v, 0.0), "seconds, at least 0, or None"),
        "init_qubits": _Rule(lambda v: v is True, "True: every shot starts from idle qubits"),
    }


@dataclass
class SamplerExecutionOptions(ExecutionOptions):
    """How shots are taken and what is returned of them."""

    meas_type: str = "classified"
    """``classified`` bits, ``kerneled`` IQ points, ``avg_kerneled`` points averaged over shots, or
    ``classified+kerneled``: the bits under the register's name, the points under that name and ``_iq``."""

    RULES: ClassVar[Mapping[str, _Rule]] = {
        **ExecutionOptions.RULES,
        "meas_type": _Rule(lambda v: v in MEAS_TYPES, f"one of {', '.join(MEAS_TYPES)}"),
    }


@dataclass
class SimulatorOptions(Options):
    """Options of the emulator alone."""

    seed_simulator: int | None = None
    """Seed of all random numbers of the job; ``None`` takes the backend's, else a new one."""

    RULES: ClassVar[Mapping[str, _Rule]] = {
        "seed_simulator": _Rule(lambda v: v is None or _seed(v), "a whole number in 0..2**63 - 1, or None")
    }
    ABSENT: ClassVar[Mapping[str, str]] = absent.SIMULATOR


@dataclass
class EnvironmentOptions(Options):
    """Options of the job's record."""

    job_tags: list[str] | None = None
    """Words to find the job by."""

    RULES: ClassVar[Mapping[str, _Rule]] = {
        "job_tags": _Rule(
            lambda v: v is None or (isinstance(v, list | tuple) and all(isinstance(tag, str) for tag in v)),
            "a list of strings, or None",
        )
    }
    ABSENT: ClassVar[Mapping[str, str]] = absent.ENVIRONMENT


_MAX_EXECUTION_TIME = _Rule(lambda v: v is None or (_finite(v, 0.0) and v > 0), "seconds, above 0, or None")


@dataclass
class SamplerOptions(Options):
    """Options of ``SamplerV2``."""

    default_shots: int = 1024
    """Shots of a pub that brings none, when ``run`` brings none either."""
    max_execution_time: float | None = None
    """Longest time on the device, in seconds; a job that takes longer is stopped and has no result."""
    execution: SamplerExecutionOptions = field(default_factory=SamplerExecutionOptions)
    simulator: SimulatorOptions = field(default_factory=SimulatorOptions)
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)

    RULES: ClassVar[Mapping[str, _Rule]] = {
        "default_shots": _Rule(_positive_integer, "a whole number, at least 1"),
        "max_execution_time": _MAX_EXECUTION_TIME,
    }
    ABSENT: ClassVar[Mapping[str, str]] = absent.SAMPLER


@dataclass
class ResilienceOptions(Options):
    """What is done against errors."""

    measure_mitigation: bool | None = None
    """Correct the readout by the calibration's assignment matrices; ``None`` leaves it to ``resilience_level``."""

    RULES: ClassVar[Mapping[str, _Rule]] = {
        "measure_mitigation": _Rule(lambda v: v is None or isinstance(v, bool), "True, False or None")
    }
    ABSENT: ClassVar[Mapping[str, str]] = absent.RESILIENCE


@dataclass
class EstimatorOptions(Options):
    """Options of ``EstimatorV2``."""

    default_precision: float = 0.01
    """Target precision of a pub that brings none, when ``run`` brings none either."""
    default_shots: int | None = None
    """Shots of one Pauli; where given, they decide the default precision instead: its root, inverted."""
    resilience_level: int = 0
    """0 takes outcomes as they are, 1 corrects the readout."""
    resilience: ResilienceOptions = field(default_factory=ResilienceOptions)
    max_execution_time: float | None = None
    """Longest time on the device, in seconds; a job that takes longer is stopped and has no result."""
    execution: ExecutionOptions = field(default_factory=ExecutionOptions)
    simulator: SimulatorOptions = field(default_factory=SimulatorOptions)
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)

    RULES: ClassVar[Mapping[str, _Rule]] = {
        "default_precision": _Rule(lambda v: _finite(v, 0.0) and v > 0, "a finite number above 0"),
        "default_shots": _Rule(lambda v: v is None or _positive_integer(v), "a whole number, at least 1, or None"),
        "resilience_level": _Rule(
            lambda v: _whole(v) and v in (0, 1), "0 or 1: readout is what this release can correct"
        ),
        "max_execution_time": _MAX_EXECUTION_TIME,
    }
    ABSENT: ClassVar[Mapping[str, str]] = absent.ESTIMATOR

    def precision(self) -> float:
        """Return the target precision of a pub that brings none."""
        return self.default_precision if self.default_shots is None else 1 / math.sqrt(self.default_shots)

    def mitigates_readout(self) -> bool:
        """Return whether the readout is corrected."""
        chosen = self.resilience.measure_mitigation
        return self.resilience_level >= 1 if chosen is None else chosen


def make_options(cls: type[_Node], given: _Node | Mapping[str, Any] | None) -> _Node:
    """Return a tree with what the constructor of a primitive was given.

    Raises:
        AttributeError: An option is unknown.
        TypeError: ``given`` is neither a tree of this kind nor a mapping.
        ValueError: A value is not allowed.
    """
    if isinstance(given, cls):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"options must be a dict or {cls.__name__}, not {type(given).__name__}")
    options = cls()
    options.update(given)
    return options
