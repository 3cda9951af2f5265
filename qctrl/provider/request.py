"""What a primitive hands to the backend, and what the backend's emulator switches are."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

from qctrl.execution import Work
from qctrl.protocol import Mode, NoiseKind, SimOptions

_SEED_BITS = 63


@dataclass(frozen=True, slots=True)
class Emulation:
    """Switches of the emulator; hardware has none of them."""

    noise: bool = True
    """False removes every random process, readout noise included, but the outcome itself."""
    levels: int | Literal["auto"] = "auto"
    """Levels per transmon, 2 to 4; ``auto`` takes 3 unless memory allows only 2."""
    without: tuple[NoiseKind, ...] = ()
    """Kinds of noise that are off while the others are on."""
    seed: int | None = None
    """Seed of every job that brings none; ``None`` draws a new one for each job."""
    mode: Mode = "auto"
    """What holds the state; ``auto`` lets the emulator count which is cheapest."""
    memory_mib: int = 1024
    """Memory that the state may take."""
    allow_unsafe: bool = False
    """Whether to go on where the emulator's approximations do not hold."""
    time_limit_s: float | None = None
    """Seconds that a run may take by the emulator's own forecast; None is no limit."""

    def sim_options(self, seed: int | None) -> SimOptions:
        """Return the options of one job; the seed is always a number, so that the job can be repeated.

        Args:
            seed: The job's own seed, which wins over the backend's.
        """
        given = self.seed if seed is None else int(seed)
        drawn = secrets.randbits(_SEED_BITS) if given is None else given
        return SimOptions(
            seed=drawn,
            noise=self.noise,
            levels=self.levels,
            without=self.without,
            mode=self.mode,
            memory_mib=self.memory_mib,
            allow_unsafe=self.allow_unsafe,
            time_limit_s=self.time_limit_s,
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One job on its way to the backend."""

    primitive: str
    """``sampler``, ``estimator`` or ``run``."""
    works: tuple[Work, ...]
    document: dict[str, Any]
    """Inputs and options, as JSON can say them; stored with the job."""
    arrays: Mapping[str, NDArray[Any]]
    """Inputs that are arrays; stored with the job."""
    seed: int | None = None
    chunk_shots: int | None = None
    rep_delay_s: float | None = None
    max_execution_s: float | None = None
    tags: tuple[str, ...] = field(default=())
    session: str = ""
    """Id of the session or batch; empty for none."""
