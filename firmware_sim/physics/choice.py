"""Which engine plays a job: arithmetic on what the job holds, never a measurement of time."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Literal

from firmware_sim.physics.columns import column_bytes
from qctrl.errors import ResourceError

if TYPE_CHECKING:
    from qctrl.protocol import SimOptions

Mode = Literal["density matrix", "ket", "tree"]

MOST_DENSE = {"density matrix": {2: 7, 3: 5, 4: 4}, "ket": {2: 1, 3: 8, 4: 6}}
"""Most qubits of a dense state, by levels: beyond, one gate takes longer than a whole tree.

A ket of two levels is moved by operators of two, and a gate between qubits passes through level 2; those of a tree,
and of a density matrix of two levels, have three levels and are cut to two afterwards.
"""
_STEP = 2e4
"""Multiplications that take as long as NumPy takes to begin one."""
_TREE = 2e7
"""Multiplications that a tree must save before its kernels are worth loading."""
_TREE_LEVELS = 3
"""Most levels of the pure states of a tree."""
_LEAST_SHOTS = 32
"""Shots that ``auto`` wants to hold at once before it settles for two levels."""
PLAYED_AS_TREES = 2
"""Levels of a density matrix that goes through the tables of a tree."""
_JUMPING = 3.0
"""Time of a history, with its jumps, over that of a column of a density matrix, which has none."""
_ALONE = 2e6
"""Multiplications that take as long as a binding that is played by itself takes beside its states."""
_KINDS = 4
"""Jumps that a qubit may make in a segment."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the choice depends on; equal for all parts of a pub, so that they are played alike."""

    n_qubits: int
    """Qubits that anything touches."""
    n_segments: int
    """Times at which a line starts or stops to act."""
    shots: int
    records: int
    """Captures that something follows."""
    jumps_per_shot: float
    """Expected quantum jumps of one shot, all qubits together; 0 without noise."""
    branches: int = 1
    """Groups of shots whose slow noise differs, at most; the choice counts neither them nor what is below."""
    readings: int = 0
    """Captures before the last ones, whose outcomes tell shots apart."""
    is_open: bool = False
    """Whether words are bound to the program, often many times."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How a job is played."""

    mode: Mode
    levels: int
    batch_shots: int
    """Most shots whose histories fit into memory at once."""
    limit_bytes: int


def choose(job: Job, options: SimOptions) -> Choice:
    """Return the engine of a job.

    Raises:
        ResourceError: No engine holds it within the memory, or not the one that was asked for.
    """
    limit = options.memory_mib << 20
    levels = _levels(job, options, limit)
    dense: Mode = "density matrix" if options.noise else "ket"
    mode = dense if options.mode == "auto" else options.mode
    if mode not in ("tree", dense):
        raise ResourceError(f"mode {mode!r} does not go with noise={options.noise}; leave the mode to the emulator")
    if options.mode == "auto" and levels <= _TREE_LEVELS and _dense_saves_nothing(job, levels, mixed=options.noise):
        mode = "tree"
    most = MOST_DENSE[dense][levels]
    if mode == "tree" or job.n_qubits > most:
        if options.mode not in ("auto", "tree"):
            raise ResourceError(
                f"the program touches {job.n_qubits} qubits; a {dense} of {levels} levels holds {most}; "
                + ("use levels=3" if levels == 2 else "use fewer qubits")
                + " or leave the mode to the emulator"
            )
        if levels > _TREE_LEVELS:
            raise ResourceError(
                f"{job.n_qubits} qubits of {levels} levels are more than a {dense} holds ({most}), and a tree has "
                f"2 or {_TREE_LEVELS} levels; use levels={_TREE_LEVELS}"
            )
        return Choice("tree", levels, _batch(job, levels, limit), limit)
    return Choice(mode, levels, 1 << 30, limit)


def _dense_saves_nothing(job: Job, levels: int, *, mixed: bool) -> bool:
    if mixed and levels == PLAYED_AS_TREES:
        # Outcomes that something follows would each need a state of their own.
        alone = _ALONE if job.is_open else 0.0
        return job.readings > 0 or mixed_cost(job) > tree_cost(job, levels) + alone
    return dense_cost(job, levels, mixed=mixed) > _TREE + tree_cost(job, levels)


def mixed_cost(job: Job) -> float:
    """Return the multiplications of a density matrix of two levels: a tree's gates, from both sides."""
    return tree_cost(job, PLAYED_AS_TREES) / columns(job) * 2 * 2.0**job.n_qubits / _JUMPING


def dense_cost(job: Job, levels: int, *, mixed: bool) -> float:
    """Return the multiplications of a dense state: a gate and a channel per segment and qubit, a branch per record."""
    dim = float(levels**job.n_qubits) ** (2 if mixed else 1)
    gate = dim * levels**2 * (2 + levels**2 if mixed else 1)
    return job.n_segments * 2 * job.n_qubits * (_STEP + gate) * 2.0 ** min(job.records, 30)


def tree_cost(job: Job, levels: int) -> float:
    """Return the multiplications of a tree: every segment is a gate of two qubits per qubit on each column."""
    gate = float(levels**job.n_qubits) * levels**2
    return job.n_segments * job.n_qubits * gate * columns(job)


def columns(job: Job) -> float:
    """Return the mean number of distinct histories, for shots that jump at random places among all there are."""
    jumped = job.shots * (1 - exp(-job.jumps_per_shot))
    places = max(job.n_segments * job.n_qubits * _KINDS, 1)
    return 1 + places * (1 - exp(-jumped / places)) / 2


def _levels(job: Job, options: SimOptions, limit: int) -> int:
    if options.levels != "auto":
        return int(options.levels)
    enough = (min(job.shots, _LEAST_SHOTS) + 2) * column_bytes(3, job.n_qubits)
    return 3 if enough <= limit else 2


def _batch(job: Job, levels: int, limit: int) -> int:
    one = column_bytes(levels, job.n_qubits)
    # One more than its shots: the state in which none has jumped yet; kernels take columns eight by eight.
    shots = limit // one - 16
    if shots < 1:
        raise ResourceError(
            f"{job.n_qubits} qubits of {levels} levels need {17 * one >> 20} MiB, the emulator may take "
            f"{limit >> 20} MiB; raise memory_mib" + (" or use levels=2" if levels > 2 else "")
        )
    return shots


def dense_choice(options: SimOptions) -> Choice:
    """Return a dense state of as many levels as asked for, 3 unless told; for questions about few qubits."""
    levels = 3 if options.levels == "auto" else int(options.levels)
    return Choice("density matrix" if options.noise else "ket", levels, 1 << 30, options.memory_mib << 20)
