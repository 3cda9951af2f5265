"""Segments of gates and jumps as flat tables for the tree's kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from firmware_sim.physics import _gate_kernels
from firmware_sim.physics.layouts import in_a_row, starts
from firmware_sim.physics.propagators import occupations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.gates import Gate
    from firmware_sim.physics.kraus import JumpSet
    from firmware_sim.physics.layouts import Places
    from firmware_sim.physics.segment_gates import SegmentGates
    from firmware_sim.physics.tables import Blends, Channels, Gates, Groups, Integers, Jumps, Patterns, Templates
    from firmware_sim.physics.tables import Layouts as LayoutTable

Item = TypeVar("Item")

_WIDEST = 4
"""Qubits of the largest gate."""
_JUMP_DIM = 9
"""Dimension to which jump operators are padded."""
_ZERO = 1e-14
_BLENDED = 4
"""Dimension of the channels that go through a table of terms."""
_NO_TERMS = (
    np.empty((0, 3), dtype=np.int64),
    np.empty((0, _BLENDED), dtype=np.int64),
    np.empty((0, _BLENDED), dtype=np.complex128),
)
_TO_PAULI = np.array([[1, 0, 0, 1], [0, 1, 1, 0], [0, 1j, -1j, 0], [1, 0, 0, -1]])
"""Components 1, X, Y and Z of a row-major square."""


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """Segments as tables; see ``_tree_kernels.advance``."""

    groups: Groups
    gates: Gates
    channels: Channels
    layouts: tuple[LayoutTable, LayoutTable]
    patterns: Patterns
    jumps: Jumps

    @property
    def n_segments(self) -> int:
        """Number of segments."""
        return len(self.groups[0]) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Staff:
    """A score without the phases of its drives."""

    segments: tuple[SegmentGates, ...]
    """What it was made of."""
    templates: Templates
    which: Integers
    """Template of each gate."""
    first: Integers
    """Place of each gate's first entry."""
    turned_by: tuple[Integers, Integers]
    """Segment of each gate, shape ``(n_gates, 1)``, and the drives that turn its qubits, shape ``(n_gates, 4)``."""
    groups: Groups
    gate_layout: Integers
    channel_starts: Integers
    channel_layout: Integers
    channel_jumps: Integers
    channel_turned_by: tuple[Integers, Integers]
    """Segment of each channel, and the drive that turns it."""
    layouts: tuple[LayoutTable, LayoutTable]
    patterns: Patterns
    jumps: Jumps
    blends: Blends
    """What sets of jumps on two qubits do to density matrices, see ``blend_table``; nothing for columns."""
    pauli: NDArray[np.float64]
    """What sets of jumps on one qubit do to them, see ``pauli_table``."""

    @property
    def n_segments(self) -> int:
        """Number of segments."""
        return len(self.segments)

    @property
    def nbytes(self) -> int:
        """Size in memory, about."""
        channels = 8 * len(self.channel_jumps) + 4 * self.jumps[1].nbytes + self.blends[5].nbytes
        return 64 * len(self.which) + self.templates[3].nbytes + channels

    def with_phases(self, angles: NDArray[np.float64]) -> Score:
        """Return the score at given phases of the drives of all qubits of the chip, and 0 behind them, by segment."""
        real, imag = np.empty(self.first[-1]), np.empty(self.first[-1])
        _gate_kernels.dress(self.templates, self.which, angles[self.turned_by], self.first, real, imag)
        return Score(
            self.groups,
            (self.gate_layout, self.which, self.first, real, imag),
            (self.channel_starts, self.channel_layout, self.channel_jumps, angles[self.channel_turned_by]),
            self.layouts,
            self.patterns,
            self.jumps,
        )


def write_staff(
    segments: Sequence[SegmentGates], places: Places, qubits: tuple[int, ...], *, mixed: bool = False
) -> Staff:
    """Return segments as tables.

    Args:
        segments: What is played, in order.
        places: Of operators on these qubits; grows.
        qubits: Qubits of the state, ascending.
        mixed: Whether for density matrices of two levels, not for columns.
    """
    position = {qubit: digit for digit, qubit in enumerate(qubits)}
    gates: list[Gate] = []
    inside: list[int] = []
    outside: list[int] = []
    n_groups: list[int] = []
    n_gates: list[int] = []
    for segment in segments:
        groups = places.groups([tuple(position[q] for q in gate.qubits) for gate in segment.gates])
        n_groups.append(len(groups))
        for layout, members, where in groups:
            outside.append(layout)
            n_gates.append(len(members))
            gates += [segment.gates[k] for k in members]
            inside += where
    channels = [channel for segment in segments for channel in segment.channels]
    channel_layout = [places.whole.place(tuple(position[q] for q in channel.qubits)) for channel in channels]
    templates, which = _distinct(gates)
    sets, jumps = _distinct([channel.jumps for channel in channels])
    counts = np.array([gate.table.shape[1] for gate in templates], dtype=np.int64)
    sources = np.array([_padded(gate.sources) for gate in templates], dtype=np.int64).reshape(-1, _WIDEST)
    numbers = np.arange(len(segments))
    return Staff(
        segments=tuple(segments),
        templates=_template_table(templates),
        which=which,
        first=starts(counts[which]),
        turned_by=(np.repeat(numbers, [len(segment.gates) for segment in segments])[:, None], sources[which]),
        groups=(starts(n_groups), starts(n_gates), np.array(outside, dtype=np.int64)),
        gate_layout=np.array(inside, dtype=np.int64),
        channel_starts=starts([len(segment.channels) for segment in segments]),
        channel_layout=np.array(channel_layout, dtype=np.int64),
        channel_jumps=jumps,
        channel_turned_by=(
            np.repeat(numbers, [len(segment.channels) for segment in segments]),
            np.array([channel.source for channel in channels], dtype=np.int64),
        ),
        layouts=(places.whole.table(), places.inner.table()),
        patterns=(*in_a_row([gate.states for gate in templates]), *in_a_row([gate.sectors for gate in templates])),
        jumps=_jump_table(sets),
        blends=blend_table(sets if mixed else []),
        pauli=pauli_table(sets if mixed else []),
    )


def _distinct(items: list[Item]) -> tuple[list[Item], Integers]:
    """Return each object once, and the number of each item's."""
    number: dict[int, int] = {}
    which = np.array([number.setdefault(id(item), len(number)) for item in items], dtype=np.int64)
    found: dict[int, Item] = {id(item): item for item in items}
    return [found[key] for key in number], which


def _padded(sources: tuple[int, ...]) -> tuple[int, ...]:
    return (*sources, *((-1,) * (_WIDEST - len(sources))))


def _template_table(templates: list[Gate]) -> Templates:
    tables = [gate.table.ravel() for gate in templates]
    steps = [gate.steps.ravel() for gate in templates]
    return (
        np.array([len(gate.qubits) for gate in templates], dtype=np.int64),
        np.array([len(gate.table) for gate in templates], dtype=np.int64),
        starts([len(table) for table in tables]),
        np.concatenate(tables) if tables else np.empty(0, dtype=np.complex128),
        *in_a_row(steps),
        np.array([gate.drives for gate in templates], dtype=np.int64).ravel(),
    )


def _jump_table(sets: list[JumpSet]) -> Jumps:
    def padded(parts: list[NDArray[np.complex128]]) -> NDArray[np.complex128]:
        whole = np.zeros((sum(len(part) for part in parts), _JUMP_DIM, _JUMP_DIM), dtype=np.complex128)
        first = 0
        for part in parts:
            whole[first : first + len(part), : part.shape[1], : part.shape[2]] = part
            first += len(part)
        return whole

    return (
        starts([len(jumps.operators) for jumps in sets]),
        padded([jumps.operators for jumps in sets]),
        padded([jumps.weights for jumps in sets]),
        padded([jumps.keep[None] for jumps in sets]),
        padded([jumps.undo[None] for jumps in sets]),
    )


def pauli_table(sets: Sequence[JumpSet]) -> NDArray[np.float64]:
    """Return what channels of one two-level qubit do to density matrices that "no jump" was applied to already.

    Matrices on the components ``(1, X, Y, Z)``, shape ``(n_sets, 4, 4)``; zero for sets on more qubits.
    """
    found = np.zeros((len(sets), 4, 4))
    for k, each in enumerate(sets):
        if len(each.keep) == 2:
            found[k] = np.real(_TO_PAULI @ _beside_keep(each).reshape(4, 4) @ _TO_PAULI.conj().T) / 2
    return found


def blend_table(sets: Sequence[JumpSet]) -> Blends:
    """Return what channels of two two-level qubits do to density matrices that "no jump" was applied to already.

    That is ``I + sum L x L*``, ``L = K undo``, as terms: row ``i`` takes in row ``k`` with columns ``j`` and ``j ^ f``
    exchanged, times a factor of its column. Returns the first term by set, of which those on one qubit have none; i, k
    and f by term; and by term and column, by how many levels the row of the density matrix changes more than its
    column, and the factor.
    """
    parts = [_terms(_beside_keep(each)) if len(each.keep) == _BLENDED else _NO_TERMS for each in sets]
    counts = starts([len(part[0]) for part in parts])
    places, steps, values = (np.concatenate(column) for column in zip(_NO_TERMS, *parts, strict=True))
    into, out_of, flip = (np.ascontiguousarray(column) for column in places.T)
    return counts, into, out_of, flip, steps, values


def _beside_keep(jumps: JumpSet) -> NDArray[np.complex128]:
    """Return ``I + sum L x L*``: by row and column after the channel, then by row and column before it."""
    after = jumps.operators @ jumps.undo
    state = np.arange(len(jumps.keep))
    whole = np.einsum("iab,icd->acbd", after, after.conj())
    whole[state[:, None], state, state[:, None], state] += 1
    return whole


def _terms(whole: NDArray[np.complex128]) -> tuple[Integers, Integers, NDArray[np.complex128]]:
    """Return places, steps and factors of the terms of one set."""
    place = np.indices(whole.shape)
    into, out_of, flip, column = place[0], place[1], place[2], place[3]
    values = whole[into, column, out_of, column ^ flip]
    excited = occupations(2, len(whole).bit_length() - 1).sum(axis=0)
    steps = excited[into] - excited[column] - excited[out_of] + excited[column ^ flip]
    kept = np.abs(values).max(axis=3) > _ZERO
    return place[:3, kept][:, :, 0].T, steps[kept], values[kept]
