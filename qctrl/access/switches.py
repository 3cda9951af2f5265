"""What a user may switch on a device."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args

from qctrl.errors import ConfigError
from qctrl.protocol import Mode, NoiseKind
from qctrl.provider import Emulation

_WORKING = "working.yaml"


class SwitchKeywords(TypedDict, total=False):
    """Keywords of ``ProviderService.backend``, for editors and type checkers."""

    noise: bool
    without: Collection[NoiseKind]
    levels: int | Literal["auto"]
    mode: Mode
    memory_mib: int
    allow_unsafe: bool
    time_limit_s: float | None
    seed: int | None
    calibration: str | Path | None
    truth: str | Path | None
    emulator: bool | None
    use_fractional_gates: bool | None


@dataclass(frozen=True, slots=True)
class Switches:
    """Keywords of ``ProviderService.backend``, checked."""

    noise: bool = True
    without: tuple[NoiseKind, ...] = ()
    levels: int | Literal["auto"] = "auto"
    seed: int | None = None
    mode: Mode = "auto"
    memory_mib: int = 1024
    allow_unsafe: bool = False
    time_limit_s: float | None = None
    calibration: Path | None = None
    truth: Path | None = None
    emulator: bool | None = None
    """True takes the emulator for a device that the rack has as hardware; ``None`` takes what the rack has."""
    use_fractional_gates: bool | None = None
    """False leaves gates by any angle out of the Target; they go together with dynamic circuits, so True is as None."""

    @classmethod
    def from_keywords(cls, keywords: Mapping[str, Any]) -> Switches:
        """Return the switches that a user gave.

        Raises:
            ConfigError: A name is unknown or a value not allowed.
        """
        known = [switch.name for switch in fields(cls)]
        for name in keywords:
            if name not in known:
                nearest = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {nearest[0]!r}" if nearest else f"it has {', '.join(known)}"
                raise ConfigError(f"backend has no switch {name!r}; {hint}")
        values = dict(keywords)
        for name in ("calibration", "truth"):
            if values.get(name) is not None:
                values[name] = _existing(name, values[name])
        if "without" in values:
            values["without"] = _kinds(values["without"])
        switches = cls(**values)
        switches._check()
        return switches

    def _check(self) -> None:
        if self.noise not in (True, False):
            raise ConfigError(f"noise is {self.noise!r}; it must be True or False")
        if self.use_fractional_gates not in (True, False, None):
            raise ConfigError(f"use_fractional_gates is {self.use_fractional_gates!r}; it must be True, False or None")
        if self.emulator not in (True, False, None):
            raise ConfigError(f"emulator is {self.emulator!r}; it must be True, False or None")
        if self.levels != "auto" and not (_is_whole(self.levels) and self.levels in (2, 3, 4)):
            raise ConfigError(f"levels is {self.levels!r}; it must be 2, 3 or 4, or 'auto'")
        if self.mode not in get_args(Mode):
            raise ConfigError(f"mode is {self.mode!r}; it must be one of {', '.join(get_args(Mode))}")
        if not _is_whole(self.memory_mib) or self.memory_mib < 1:
            raise ConfigError(f"memory_mib is {self.memory_mib!r}; it must be a whole number, 1 or more")
        if self.allow_unsafe not in (True, False):
            raise ConfigError(f"allow_unsafe is {self.allow_unsafe!r}; it must be True or False")
        if self.time_limit_s is not None and not _is_positive(self.time_limit_s):
            raise ConfigError(
                f"time_limit_s is {self.time_limit_s!r}; it must be a positive number of seconds, or None"
            )
        if self.seed is not None and not (_is_whole(self.seed) and 0 <= self.seed < 2**63):
            raise ConfigError(f"seed is {self.seed!r}; it must be a whole number in 0..2**63 - 1")

    def emulation(self, *, embedded: bool) -> Emulation | None:
        """Return the emulator's switches; ``None`` for a rack that may be hardware and got none.

        Args:
            embedded: Whether the stack starts the emulator itself, so that it certainly is one.
        """
        chosen = Emulation(
            noise=self.noise,
            levels=self.levels,
            seed=self.seed,
            without=self.without,
            mode=self.mode,
            memory_mib=self.memory_mib,
            allow_unsafe=self.allow_unsafe,
            time_limit_s=self.time_limit_s,
        )
        return chosen if embedded or chosen != Emulation() else None

    def calibration_file(self, device: str) -> Path | None:
        """Return the calibration file that was given, by itself, in its folder or in a folder of devices.

        Raises:
            ConfigError: The folder holds none.
        """
        path = self.calibration
        if path is None or path.is_file():
            return path
        for candidate in (path / _WORKING, path / device / _WORKING):
            if candidate.is_file():
                return candidate
        raise ConfigError(f"calibration={str(path)!r}: the folder holds no {_WORKING} nor {device}/{_WORKING}")


def _kinds(value: Any) -> tuple[NoiseKind, ...]:
    known: tuple[NoiseKind, ...] = get_args(NoiseKind)
    names: list[Any] = [value] if isinstance(value, str) else list(value)
    for name in names:
        if name not in known:
            raise ConfigError(f"without names {name!r}; the kinds of noise are {', '.join(known)}")
    return tuple(kind for kind in known if kind in names)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _existing(name: str, value: Any) -> Path:
    path = Path(value)
    if not path.exists():
        raise ConfigError(f"{name}={str(value)!r}: no such file or folder; check the path")
    return path
