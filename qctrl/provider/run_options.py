"""Options of ``backend.run``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.providers import Options
from qiskit.result.models import MeasLevel, MeasReturnType

from qctrl.errors import ConfigError
from qctrl.protocol import CaptureMode
from qctrl.provider.configuration import MAX_SHOTS

if TYPE_CHECKING:
    from qctrl.provider.backend import Backend

_AVERAGED = "avg"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of one ``backend.run``, checked."""

    shots: int
    memory: bool
    meas_level: int
    meas_return: str
    seed_simulator: int | None
    rep_delay: float | None
    job_tags: list[str]

    @property
    def capture_mode(self) -> CaptureMode:
        """How the firmware reports the captures."""
        if self.meas_level == MeasLevel.CLASSIFIED:
            return "bits"
        return "iq_mean" if self.meas_return == _AVERAGED else "iq"


def default_options() -> Options:
    """Return the options that a backend starts with."""
    options = Options(
        shots=1024,
        memory=False,
        seed_simulator=None,
        meas_level=MeasLevel.CLASSIFIED,
        meas_return=MeasReturnType.SINGLE,
        rep_delay=None,
        init_qubits=True,
        job_tags=None,
    )
    options.set_validator("shots", (1, MAX_SHOTS))
    return options


def checked_options(backend: Backend, options: Mapping[str, Any]) -> RunOptions:
    """Return the options of one ``backend.run``; one that is ``None`` is the backend's own.

    Raises:
        AttributeError: An option is unknown.
        ConfigError: ``init_qubits`` is off.
        TypeError: ``job_tags`` is no list of strings, or ``rep_delay`` no number.
        ValueError: A value is not possible.
    """
    defaults: dict[str, Any] = dict(vars(backend.options))
    given = {name: value for name, value in options.items() if value is not None or name not in defaults}
    merged: dict[str, Any] = {**defaults, **given}
    unknown = sorted(set(merged) - set(defaults))
    if unknown:
        raise AttributeError(f"backend.run has no option {unknown[0]!r}; it has {', '.join(sorted(defaults))}")
    if not merged["init_qubits"]:
        raise ConfigError("init_qubits=False is not possible: every shot starts from idle qubits")
    shots: Any = merged["shots"]
    most = backend.configuration().max_shots
    if (
        not isinstance(shots, int | float | np.integer)
        or isinstance(shots, bool)
        or shots % 1
        or not 1 <= shots <= most
    ):
        raise ValueError(f"shots is {shots!r}; it must be a whole number in 1..{most}")
    level, returned = merged["meas_level"], str(getattr(merged["meas_return"], "value", merged["meas_return"]))
    if level not in (MeasLevel.KERNELED, MeasLevel.CLASSIFIED):
        raise ValueError(f"meas_level is {level!r}; it must be 1 (kerneled) or 2 (classified)")
    if returned not in ("single", _AVERAGED):
        raise ValueError(f"meas_return is {returned!r}; it must be 'single' or 'avg'")
    return RunOptions(
        shots=int(shots),
        memory=bool(merged["memory"]),
        meas_level=int(level),
        meas_return=returned,
        seed_simulator=_seed(merged["seed_simulator"]),
        rep_delay=_rep_delay(merged["rep_delay"]),
        job_tags=_tags(merged["job_tags"]),
    )


def _seed(seed: Any) -> int | None:
    if seed is None:
        return None
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise ValueError(f"seed_simulator is {seed!r}; it must be a whole number in 0..2**63 - 1, or None")
    return int(seed)


def _rep_delay(rep_delay_s: Any) -> float | None:
    # Its range is the device's, and checked where the job is submitted.
    if rep_delay_s is None:
        return None
    if not isinstance(rep_delay_s, int | float | np.integer | np.floating):
        raise TypeError(f"rep_delay is {rep_delay_s!r}; it must be seconds, or None")
    return float(rep_delay_s)


def _tags(tags: Any) -> list[str]:
    if isinstance(tags, str) or not all(isinstance(tag, str) for tag in tags or ()):
        raise TypeError(f"job_tags is {tags!r}; give a list of strings")
    return list(tags or ())
