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
    level, returned = int(merged["meas_level"]), str(getattr(merged["meas_return"], "value", merged["meas_return"]))
    if level not in (MeasLevel.KERNELED, MeasLevel.CLASSIFIED):
        raise ValueError(f"meas_level is {level}; it must be 1 (kerneled) or 2 (classified)")
    if returned not in ("single", _AVERAGED):
        raise ValueError(f"meas_return is {returned!r}; it must be 'single' or 'avg'")
    return RunOptions(
        shots=int(shots),
        memory=bool(merged["memory"]),
        meas_level=level,
        meas_return=returned,
        seed_simulator=merged["seed_simulator"],
        rep_delay=merged["rep_delay"],
        job_tags=list(merged["job_tags"] or ()),
    )
