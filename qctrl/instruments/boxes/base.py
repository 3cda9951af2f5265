"""What a driver of one box offers to ``BoxRack``; one interface per role, five verbs at most beside the link.

A call ends within its deadline or raises, and nothing is clipped: a value beyond a limit is refused before it is sent.
Every class says in its docstring where its commands come from and what was never tried on a real instrument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class BoxIdentity:
    """Who answered."""

    maker: str
    model: str
    serial: str
    firmware: str


@dataclass(frozen=True, slots=True)
class BoxHealth:
    """What a box says of itself."""

    identity: BoxIdentity
    reference_locked: bool
    outputs_on: bool
    errors: tuple[str, ...]
    """Entries of its error queue, which is empty afterwards."""
    limits: str
    """Limits that the driver holds it to, as text."""


@runtime_checkable
class Box(Protocol):
    """The link to one box."""

    def connect(self) -> BoxIdentity:
        """Connect anew and check who answers; what was known of its memory is forgotten."""
        ...

    def is_connected(self) -> bool:
        """Return whether it answers on this connection, and still holds what was put into it."""
        ...

    def health(self) -> BoxHealth:
        """Ask for everything that must be in order; changes nothing."""
        ...

    def safe_state(self) -> None:
        """Stop every output; idempotent, needs no prior state, connects anew if it must."""
        ...

    def close(self) -> None:
        """Close the connection; the box keeps its state."""
        ...


@runtime_checkable
class Restarting(Protocol):
    """What a box may know of its power."""

    @property
    def restarted(self) -> bool:
        """Whether it was switched on since somebody connected to it the last time."""
        ...


@dataclass(frozen=True, slots=True)
class GeneratorLimits:
    """What a generator's memory takes."""

    min_samples: int
    max_samples: int
    granularity: int
    """Samples that a length is a multiple of."""
    max_steps: int
    max_repeats: int


@dataclass(frozen=True, slots=True)
class OutputSetting:
    """One channel of a generator."""

    channel: int
    full_scale_v: float
    """Volts of a sample of 1, into the load that the wiring file means."""
    dac_bits: int
    """Bits that its samples are rounded to already."""
    marked: bool = False
    """Whether its marker 1 is used, which may cost a bit."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Samples for one channel; equal ones have equal names."""

    name: str
    samples: NDArray[np.float32]
    """Fractions of full scale, within -1 and 1."""
    markers: NDArray[np.uint8] | None = None
    """1 where marker 1 is high."""


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of the shot, on all channels at once."""

    segments: tuple[str, ...]
    """A name for each channel of the sequence."""
    repeats: int = 1


@dataclass(frozen=True, slots=True)
class ShotSequence:
    """What a generator plays after its trigger: the steps, ``n_shots`` times, then the last segment for ever."""

    channels: tuple[int, ...]
    steps: tuple[Step, ...]
    rest: Step
    n_shots: int


@runtime_checkable
class Generator(Box, Protocol):
    """An arbitrary waveform generator."""

    def configure(self, sample_rate_hz: float, outputs: Sequence[OutputSetting]) -> GeneratorLimits:
        """Set clock and amplitudes; outputs stay off."""
        ...

    def upload(self, segment: Segment) -> bool:
        """Make sure that a segment is in its memory; return whether it had to be sent."""
        ...

    def load(self, sequence: ShotSequence) -> None:
        """Make the sequence, and let the channels play it."""
        ...

    def arm(self) -> None:
        """Switch outputs on and wait for the trigger."""
        ...

    def trigger(self) -> None:
        """Give the trigger to itself and, through its marker, to all others."""
        ...


@runtime_checkable
class Finishing(Protocol):
    """What a generator says after a run."""

    def has_played(self) -> bool:
        """Return whether it got its trigger and played all shots."""
        ...


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What a digitizer takes after each trigger."""

    channels: tuple[int, ...]
    full_scale_v: float
    sample_rate_hz: float
    delay_s: float
    """From the trigger to the first sample."""
    n_samples: int


@runtime_checkable
class Digitizer(Box, Protocol):
    """Segmented acquisition."""

    def configure(self, acquisition: Acquisition) -> int:
        """Set it up; return the largest number of records of one run."""
        ...

    def arm(self, n_records: int) -> None:
        """Wait for so many triggers."""
        ...

    def acquired(self) -> int:
        """Return how many records are complete."""
        ...

    def fetch(self, n_records: int) -> NDArray[np.float32]:
        """Return volts, shape ``(channels, n_records, n_samples)``, of exactly that many records."""
        ...

    def abort(self) -> None:
        """Stop waiting."""
        ...


@runtime_checkable
class Oscillator(Box, Protocol):
    """A local oscillator."""

    def configure(self, frequency_hz: float, power_dbm: float) -> None:
        """Set carrier and level; the output stays as it is."""
        ...

    def switch_on(self) -> None:
        """Switch the output on."""
        ...


@runtime_checkable
class DcSource(Box, Protocol):
    """A DC source; its levels survive ``safe_state``, because a dropped bias costs hours."""

    def ramp(self, port: str, level_v: float) -> None:
        """Bring what a port is biased with to a level, no faster than its limit; it stays there."""
        ...


AnyBox: TypeAlias = Generator | Digitizer | Oscillator | DcSource
