"""How long a run will take, by arithmetic on what it holds and never by a stopwatch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from firmware_sim.physics.choice import PLAYED_AS_TREES, Job, Mode, columns, dense_cost, mixed_cost, tree_cost
from qctrl.errors import ResourceError

if TYPE_CHECKING:
    from firmware_sim.physics.choice import Choice

_PER_SECOND = {"density matrix": 2e8, "ket": 2e8, "tree": 1e9}
"""Multiplications, in the units of ``choice``, that one core of an ordinary machine does."""
_BIT_S = 2e-7
"""To draw one bit of one shot."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will take, within a factor of a few; loops count once, and the loading of kernels not at all."""

    seconds: float
    mode: Mode
    levels: int
    qubits: int
    segments: int
    histories: float
    """States of one binding that are played side by side, on the mean."""


def forecast(job: Job, choice: Choice, *, bindings: int = 1, captures: int = 0) -> Forecast:
    """Return what a run will take.

    Args:
        job: Size of the program, with the shots of each binding.
        choice: How its state is held.
        bindings: Parameter sets of the run.
        captures: Captures of the program.
    """
    tree = choice.mode == "tree"
    first = job.branches * (columns(job) if tree else 1.0)
    # Readings come one after the other, and each tells shots apart from there on.
    histories = sum(min(float(job.shots), first * 2.0 ** min(k, 99)) for k in range(job.readings + 1))
    histories /= job.readings + 1
    seconds = _each_s(job, choice) * histories + job.shots * captures * _BIT_S
    return Forecast(seconds * bindings, choice.mode, choice.levels, job.n_qubits, job.n_segments, histories)


def _each_s(job: Job, choice: Choice) -> float:
    """Return what one state takes."""
    if choice.mode == "tree":
        return tree_cost(job, choice.levels) / columns(job) / _PER_SECOND["tree"]
    if choice.mode == "density matrix" and choice.levels == PLAYED_AS_TREES:
        return mixed_cost(job) / _PER_SECOND["tree"]
    alone = replace(job, records=0)
    return dense_cost(alone, choice.levels, mixed=choice.mode == "density matrix") / _PER_SECOND[choice.mode]


def refuse_slow(found: Forecast, limit_s: float | None) -> None:
    """Refuse a run that will take too long.

    Raises:
        ResourceError: It will take more than ``limit_s`` seconds; None is no limit.
    """
    if limit_s is None or found.seconds <= limit_s:
        return
    raise ResourceError(
        f"the run will take about {found.seconds:.2g} s ({found.mode} of {found.levels} levels, {found.qubits} qubits, "
        f"{found.segments} segments, {found.histories:.3g} histories), the emulator may take {limit_s:g} s; raise "
        "time_limit_s, or use fewer shots" + (" or levels=2" if found.mode == "tree" and found.levels > 2 else "")
    )
