"""What every driver offers; what is above knows no more about an instrument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from qctrl.protocol import Patch, Program, Results, Run, Setup

State: TypeAlias = Literal["safe", "ready", "running", "done", "failed"]
"""``safe``: outputs off; ``ready``: configured; ``done`` and ``failed`` say how the last run ended."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answered, and what it can do."""

    kind: str
    """``emulator`` or the model of the instrument."""
    device: str
    """Name of the device that it is wired to."""
    version: str
    epoch: int
    """Highest epoch that it has seen; runs of a lower one are refused."""
    capabilities: frozenset[str]
    """Of ``branch`` (flow on measured bits), ``iq``, ``trace``, ``play`` (all of a short run in one exchange),
    ``ahead`` (the next runs are taken while one plays), ``sim`` (emulator's switches) and ``debug``."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an instrument is."""

    state: State
    run_id: str
    done_shots: int
    total_shots: int
    """Shots of all bindings of the run."""
    steps: int
    """Grows while there is life in a run, also within a shot."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch brought: the next block of results, if there was one in time."""

    progress: Progress
    results: Results | None


class Link(Protocol):
    """Life of the connection to an instrument; every call has a deadline."""

    def connect(self) -> Identity:
        """Check who is there and which protocol it speaks, before anything else is sent."""
        ...

    def health(self) -> Progress:
        """Return how far it is; answered at any time."""
        ...

    def safe_state(self) -> None:
        """Stop every output; idempotent, needs no prior state."""
        ...

    def close(self) -> None:
        """Close the connection; the instrument keeps its state."""
        ...


class Playback(Protocol):
    """One run: configure, load, start, fetch until done; a failure of any of these ends in the safe state."""

    def configure(self, setup: Setup) -> None:
        """Apply a Setup; nothing is sent if it is the configured one."""
        ...

    def load(self, program: Program, patch: Patch | None) -> None:
        """Load a program and the words for its open slots; what is loaded already is not sent again."""
        ...

    def start(self, run: Run) -> None:
        """Start playing and return at once."""
        ...

    def fetch(self, run_id: str, block: int, wait_s: float) -> Fetched:
        """Return block ``block`` (0, 1, ...) of a run's results, waiting up to ``wait_s`` for it."""
        ...

    def abort(self) -> None:
        """Stop the run, if there is one, and go to the safe state."""
        ...


class Driver(Link, Playback, Protocol):
    """A whole driver."""


@runtime_checkable
class AtOnce(Protocol):
    """What a driver may offer beside the steps of ``Playback``."""

    def send(self, program: Program, patch: Patch | None, run: Run, wait_s: float) -> None:
        """Have a run loaded and started, in one exchange, and return at once.

        With capability ``ahead``, up to ``RUNS_AHEAD`` runs may be sent before the first is answered and fetched;
        they are played in order.
        """
        ...

    def answer(self, run_id: str) -> Fetched:
        """Return block 0 of a run that was sent, or how far it was ``wait_s`` after it was."""
        ...


@runtime_checkable
class Debuggable(Protocol):
    """What only the emulator offers."""

    def debug(
        self, body: Mapping[str, Any], buffers: Sequence[bytes], deadline_s: float
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Ask about the physics behind the wire."""
        ...
