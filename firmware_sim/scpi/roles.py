"""What the bench asks of an instrument, by role; its dialect is its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """What an output plays once, and how often."""

    volts: NDArray[np.float64]
    markers: NDArray[np.uint8]
    """Not zero where marker 1 is high."""
    repeats: int


@runtime_checkable
class Generator(Protocol):
    """Plays one shot again and again after a trigger; ``on_trigger`` tells the bench that it gave one."""

    on_trigger: Callable[[], None]
    misses_triggers: bool
    sample_rate_hz: float

    def is_armed(self) -> bool:
        """Return whether it waits for a trigger."""
        ...

    def is_playing(self) -> bool:
        """Return whether a trigger came."""
        ...

    def begin(self) -> None:
        """Take the trigger."""
        ...

    def end(self) -> None:
        """All repeats were played."""
        ...

    def shot(self, index: int) -> Shot | None:
        """Return what a channel plays per shot; ``None`` if its output is off or has nothing to play."""
        ...


@runtime_checkable
class Digitizer(Protocol):
    """Takes records of all channels, one per trigger."""

    sample_rate_hz: float
    record: int
    """Samples of a record."""
    delay_s: float
    """From the trigger to the first sample."""
    frames: int
    """Records that it waits for."""

    def is_armed(self) -> bool:
        """Return whether it waits for triggers."""
        ...

    def acquire(self, frames: dict[int, NDArray[np.float64]]) -> None:
        """Take the records of all channels, volts of shape ``(n_frames, record)``, and stop."""
        ...


@runtime_checkable
class Oscillator(Protocol):
    """Gives a carrier."""

    frequency_hz: float
    on: bool


@runtime_checkable
class Source(Protocol):
    """Holds levels."""

    def held_v(self, output: int) -> float:
        """Return what an output gives, in volts; 0 while it is off."""
        ...
