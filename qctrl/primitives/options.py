"""Options of the primitives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from qctrl.primitives import absent
from qctrl.primitives.option_tree import Alias, Options, Rule, finite, positive_integer, seed, whole
from qctrl.primitives.resilience import ResilienceOptions
from qctrl.primitives.suppression import DynamicalDecouplingOptions, TwirlingOptions, one_of

MEAS_TYPES = ("classified", "kerneled", "avg_kerneled", "classified+kerneled")


@dataclass
class ExecutionOptions(Options):
    """How shots are taken."""

    chunk_shots: int | None = None
    """Most shots per chunk of results; ``None`` lets the runner choose. Results do not depend on it."""
    rep_delay: float | None = None
    """Idle time between shots, in seconds; ``None`` is the device's own."""
    init_qubits: bool = True
    """Start every shot from idle qubits; nothing else is possible."""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "chunk_shots": Rule(lambda v: v is None or positive_integer(v), "a whole number, at least 1, or None"),
        "rep_delay": Rule(lambda v: v is None or finite(v, 0.0), "seconds, at least 0, or None"),
        "init_qubits": Rule(lambda v: v is True, "True: every shot starts from idle qubits"),
    }


@dataclass
class SamplerExecutionOptions(ExecutionOptions):
    """How shots are taken and what is returned of them."""

    meas_type: str = "classified"
    """``classified`` bits, ``kerneled`` IQ points, ``avg_kerneled`` points averaged over shots, or
    ``classified+kerneled``: the bits under the register's name, the points under that name and ``_iq``."""

    RULES: ClassVar[Mapping[str, Rule]] = {
        **ExecutionOptions.RULES,
        "meas_type": Rule(lambda v: v in MEAS_TYPES, f"one of {', '.join(MEAS_TYPES)}"),
    }


@dataclass
class SimulatorOptions(Options):
    """Options of the emulator alone."""

    seed_simulator: int | None = None
    """Seed of all random numbers of the job; ``None`` takes the backend's, else a new one."""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "seed_simulator": Rule(lambda v: v is None or seed(v), "a whole number in 0..2**63 - 1, or None")
    }
    ABSENT: ClassVar[Mapping[str, str]] = absent.SIMULATOR


@dataclass
class EnvironmentOptions(Options):
    """Options of the job's record."""

    job_tags: list[str] | None = None
    """Words to find the job by."""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "job_tags": Rule(
            lambda v: v is None or (isinstance(v, list | tuple) and all(isinstance(tag, str) for tag in v)),
            "a list of strings, or None",
        )
    }
    ABSENT: ClassVar[Mapping[str, str]] = absent.ENVIRONMENT


_MAX_EXECUTION_TIME = Rule(lambda v: v is None or (finite(v, 0.0) and v > 0), "seconds, above 0, or None")


_SEED = Alias(("simulator", "seed_simulator"))


@dataclass
class SamplerOptions(Options):
    """Options of ``SamplerV2``."""

    default_shots: int = 1024
    """Shots of a pub that brings none, when ``run`` brings none either."""
    max_execution_time: float | None = None
    """Longest time on the device, in seconds; a job that takes longer is stopped and has no result."""
    execution: SamplerExecutionOptions = field(default_factory=SamplerExecutionOptions)
    dynamical_decoupling: DynamicalDecouplingOptions = field(default_factory=DynamicalDecouplingOptions)
    twirling: TwirlingOptions = field(default_factory=TwirlingOptions)
    simulator: SimulatorOptions = field(default_factory=SimulatorOptions)
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)

    RULES: ClassVar[Mapping[str, Rule]] = {
        "default_shots": Rule(positive_integer, "a whole number, at least 1"),
        "max_execution_time": _MAX_EXECUTION_TIME,
    }
    ABSENT: ClassVar[Mapping[str, str]] = absent.SAMPLER
    ALIASES: ClassVar[Mapping[str, Alias]] = {"seed_simulator": _SEED}

    def shots(self) -> int:
        """Return the shots of a pub that brings none."""
        return self.twirling.shots() or self.default_shots


@dataclass
class EstimatorOptions(Options):
    """Options of ``EstimatorV2``."""

    default_precision: float = 0.01
    """Target precision of a pub that brings none, when ``run`` brings none either."""
    default_shots: int | None = None
    """Shots of one Pauli; where given, they decide the default precision instead: its root, inverted."""
    grouping: str = "qubit_wise"
    """Which terms share shots: ``qubit_wise``, those that commute qubit by qubit; or ``commuting``, all that commute,
    with gates that measure them together, where that takes fewer shots and the device couples their qubits. The errors
    of these gates are in the result, so extrapolation to zero noise leaves them out and stays ``qubit_wise``. With
    ``none`` each term has shots of its own."""
    resilience_level: int = 0
    """0 takes outcomes as they are, 1 corrects the readout, 2 extrapolates to zero noise as well."""
    resilience: ResilienceOptions = field(default_factory=ResilienceOptions)
    max_execution_time: float | None = None
    """Longest time on the device, in seconds; a job that takes longer is stopped and has no result."""
    execution: ExecutionOptions = field(default_factory=ExecutionOptions)
    dynamical_decoupling: DynamicalDecouplingOptions = field(default_factory=DynamicalDecouplingOptions)
    twirling: TwirlingOptions = field(default_factory=TwirlingOptions)
    simulator: SimulatorOptions = field(default_factory=SimulatorOptions)
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)

    RULES: ClassVar[Mapping[str, Rule]] = {
        "grouping": one_of("qubit_wise", "commuting", "none"),
        "default_precision": Rule(lambda v: finite(v, 0.0) and v > 0, "a finite number above 0"),
        "default_shots": Rule(lambda v: v is None or positive_integer(v), "a whole number, at least 1, or None"),
        "resilience_level": Rule(lambda v: whole(v) and v in (0, 1, 2), "0, 1 or 2"),
        "max_execution_time": _MAX_EXECUTION_TIME,
    }
    ABSENT: ClassVar[Mapping[str, str]] = absent.ESTIMATOR
    ALIASES: ClassVar[Mapping[str, Alias]] = {
        "seed_simulator": _SEED,
        "seed_estimator": _SEED,
        "abelian_grouping": Alias(
            ("grouping",),
            {True: "qubit_wise", False: "none"},
            {"qubit_wise": True, "commuting": True, "none": False},
        ),
    }

    def precision(self) -> float:
        """Return the target precision of a pub that brings none."""
        shots = self.twirling.shots() or self.default_shots
        return self.default_precision if shots is None else 1 / math.sqrt(shots)

    def entangles(self) -> bool:
        """Return whether terms may be measured together behind gates of two qubits."""
        return self.grouping == "commuting" and not self.extrapolates()

    def mitigates_readout(self) -> bool:
        """Return whether the readout is corrected."""
        chosen = self.resilience.measure_mitigation
        return self.resilience_level >= 1 if chosen is None else bool(chosen)

    def correlates_readout(self) -> bool:
        """Return whether the readout is corrected by what the job measures of it."""
        return self.resilience.measure_mitigation == "correlated"

    def extrapolates(self) -> bool:
        """Return whether results are extrapolated to zero noise."""
        chosen = self.resilience.zne_mitigation
        return self.resilience_level >= 2 if chosen is None else chosen

    def insists_on_extrapolation(self) -> bool:
        """Return whether extrapolation was asked for by its name, and not by the level."""
        return self.resilience.zne_mitigation is True
