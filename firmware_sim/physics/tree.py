"""The tree: segments of gates as flat tables, played on columns by one kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from firmware_sim.physics import _chain_kernels, _gate_kernels, _tree_kernels
from firmware_sim.physics.columns import BYTES_PER_AMPLITUDE, Columns
from firmware_sim.physics.propagators import occupations
from qctrl.errors import ResourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.gates import Gate
    from firmware_sim.physics.kraus import JumpSet
    from firmware_sim.physics.random import Draws
    from firmware_sim.physics.segment_gates import SegmentGates
    from firmware_sim.physics.tables import Channels, Gates, Integers, Jumps, Patterns, Templates
    from firmware_sim.physics.tables import Layouts as LayoutTable

Item = TypeVar("Item")

_WIDEST = 4
"""Qubits of the largest gate."""
_JUMP_DIM = 9
"""Dimension to which jump operators are padded."""
_NARROW, _WIDE = 8, 64
"""Least and most columns of a sheet."""
_CACHED_AMPLITUDES = 2**16
"""Amplitudes of a sheet that stays in the cache."""


class Layouts:
    """Where the basis states of small operators lie among those of some qubits."""

    def __init__(self, levels: int, n_qubits: int) -> None:
        self._levels = levels
        self._n_qubits = n_qubits
        self._index: dict[tuple[int, ...], int] = {}
        self._parts: list[tuple[Integers, Integers, int, Integers]] = []
        self._table: LayoutTable | None = None

    def place(self, positions: tuple[int, ...]) -> int:
        """Return the number of the layout of an operator on some digits, ascending."""
        found = self._index.get(positions)
        if found is None:
            found = self._index[positions] = len(self._parts)
            self._parts.append(self._make(positions))
            self._table = None
        return found

    def table(self) -> LayoutTable:
        """Return all layouts flat, as ``_tree_kernels.advance`` wants them."""
        if self._table is None:
            offsets, bases, inner, totals = zip(*self._parts, strict=True)
            self._table = (*_joined(offsets), *_joined(bases), np.array(inner, dtype=np.int64), np.concatenate(totals))
        return self._table

    def _make(self, positions: tuple[int, ...]) -> tuple[Integers, Integers, int, Integers]:
        strides = self._levels ** np.arange(self._n_qubits - 1, -1, -1, dtype=np.int64)
        digits = occupations(self._levels, len(positions))
        bases = np.zeros(1, dtype=np.int64)
        for position in range(positions[-1]):
            if position not in positions:
                bases = (bases[:, None] + strides[position] * np.arange(self._levels)).ravel()
        return strides[list(positions)] @ digits, bases, int(strides[positions[-1]]), digits.sum(axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """Segments as tables; see ``_tree_kernels.advance``."""

    gates: Gates
    channels: Channels
    layouts: LayoutTable
    patterns: Patterns
    jumps: Jumps

    @property
    def n_segments(self) -> int:
        """Number of segments."""
        return len(self.gates[0]) - 1


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
    gate_starts: Integers
    gate_layout: Integers
    channel_starts: Integers
    channel_layout: Integers
    channel_jumps: Integers
    channel_turned_by: tuple[Integers, Integers]
    """Segment of each channel, and the drive that turns it."""
    layouts: LayoutTable
    patterns: Patterns
    jumps: Jumps

    @property
    def nbytes(self) -> int:
        """Size in memory, about."""
        return 64 * len(self.which) + 8 * len(self.channel_jumps) + self.templates[3].nbytes + 4 * self.jumps[1].nbytes

    def with_phases(self, angles: NDArray[np.float64]) -> Score:
        """Return the score at given phases of the drives of all qubits of the chip, and 0 behind them, by segment."""
        real, imag = np.empty(self.first[-1]), np.empty(self.first[-1])
        _gate_kernels.dress(self.templates, self.which, angles[self.turned_by], self.first, real, imag)
        return Score(
            (self.gate_starts, self.gate_layout, self.which, self.first, real, imag),
            (self.channel_starts, self.channel_layout, self.channel_jumps, angles[self.channel_turned_by]),
            self.layouts,
            self.patterns,
            self.jumps,
        )


def write_staff(segments: Sequence[SegmentGates], layouts: Layouts, qubits: tuple[int, ...]) -> Staff:
    """Return segments as tables.

    Args:
        segments: What is played, in order.
        layouts: Of operators on these qubits; grows.
        qubits: Qubits of the state, ascending.
    """
    place = {qubit: position for position, qubit in enumerate(qubits)}
    gates = [gate for segment in segments for gate in segment.gates]
    channels = [channel for segment in segments for channel in segment.channels]
    where = [layouts.place(tuple(place[q] for q in part.qubits)) for part in [*gates, *channels]]
    templates, which = _distinct(gates)
    sets, jumps = _distinct([channel.jumps for channel in channels])
    counts = np.array([gate.table.shape[1] for gate in templates], dtype=np.int64)
    sources = np.array([_padded(gate.sources) for gate in templates], dtype=np.int64).reshape(-1, _WIDEST)
    numbers = np.arange(len(segments))
    place_of_gate, place_of_channel = np.split(np.array(where, dtype=np.int64), [len(gates)])
    return Staff(
        segments=tuple(segments),
        templates=_template_table(templates),
        which=which,
        first=_starts(counts[which]),
        turned_by=(np.repeat(numbers, [len(segment.gates) for segment in segments])[:, None], sources[which]),
        gate_starts=_starts([len(segment.gates) for segment in segments]),
        gate_layout=place_of_gate,
        channel_starts=_starts([len(segment.channels) for segment in segments]),
        channel_layout=place_of_channel,
        channel_jumps=jumps,
        channel_turned_by=(
            np.repeat(numbers, [len(segment.channels) for segment in segments]),
            np.array([channel.source for channel in channels], dtype=np.int64),
        ),
        layouts=layouts.table(),
        patterns=(*_joined([gate.states for gate in templates]), *_joined([gate.sectors for gate in templates])),
        jumps=_jump_table(sets),
    )


def evolve_columns(score: Score, columns: Columns, draws: Draws, limit_bytes: int) -> Columns:
    """Return the columns after a score; shots jump, and columns are added as they do.

    Raises:
        ResourceError: The columns need more memory than they may take.
    """
    state = columns.take(np.arange(len(columns.column)))
    column, width = state.column, state.n_columns
    threshold, drawn, leaked = state.threshold.copy(), state.drawn.copy(), state.leaked.copy()
    shots = draws.jump_header(threshold, drawn, leaked)
    dim = len(state.real)
    sheet = max(_NARROW, min(_WIDE, _CACHED_AMPLITUDES // dim))
    real, imag = _to_sheets(state.real, sheet), _to_sheets(state.imag, sheet)
    capacity = len(real) * sheet
    head = np.full(capacity, -1, dtype=np.int64)
    _chain_kernels.chain_shots(column, width, shots, head)
    kinds = np.empty(max(len(score.jumps[1]), 1), dtype=np.int64)
    segment = ready = 0
    while True:
        book = (head, np.ones(capacity), np.zeros(capacity, dtype=np.int64), kinds)
        kets = (real.ravel(), imag.ravel(), dim, sheet)
        segment, ready, width, needed = _tree_kernels.advance(
            (segment, ready, width), kets, score.gates, score.channels, score.layouts, score.patterns, score.jumps,
            book, shots, state.levels == 2,
        )  # fmt: skip
        if segment == score.n_segments:
            break
        _check_memory(dim, needed, limit_bytes)
        more = -(-needed // sheet) - len(real)
        empty = np.zeros((more, dim, sheet))
        real, imag = np.concatenate([real, empty]), np.concatenate([imag, empty])
        head = np.concatenate([head, np.full(more * sheet, -1, dtype=np.int64)])
        capacity = len(real) * sheet
    _chain_kernels.unchain_shots(column, width, shots, head)
    real, imag = _from_sheets(real, width), _from_sheets(imag, width)
    return Columns(state.qubits, state.levels, real, imag, column, threshold, drawn, leaked)


def _check_memory(dim: int, n_columns: int, limit_bytes: int) -> None:
    need = BYTES_PER_AMPLITUDE * dim * n_columns
    if need > limit_bytes:
        raise ResourceError(
            f"{n_columns} histories of {dim} amplitudes need {need >> 20} MiB, the emulator may take "
            f"{limit_bytes >> 20} MiB; raise memory_mib, ask for fewer shots at once, or for levels=2"
        )


def _to_sheets(part: NDArray[np.float64], sheet: int) -> NDArray[np.float64]:
    """Return columns ``(dim, n)`` as sheets ``(n_sheets, dim, sheet)``, the last filled up with zeros."""
    n_sheets = -(-part.shape[1] // sheet)
    whole = np.zeros((len(part), n_sheets * sheet))
    whole[:, : part.shape[1]] = part
    return np.ascontiguousarray(whole.reshape(len(part), n_sheets, sheet).transpose(1, 0, 2))


def _from_sheets(part: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the first columns of sheets, shape ``(dim, width)``."""
    return np.ascontiguousarray(part.transpose(1, 0, 2).reshape(part.shape[1], -1)[:, :width])


def _distinct(items: list[Item]) -> tuple[list[Item], Integers]:
    """Return each object once, and the number of each item's."""
    number: dict[int, int] = {}
    which = np.array([number.setdefault(id(item), len(number)) for item in items], dtype=np.int64)
    found: dict[int, Item] = {id(item): item for item in items}
    return [found[key] for key in number], which


def _starts(counts: Sequence[int] | Integers) -> Integers:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _joined(parts: Sequence[Integers]) -> tuple[Integers, Integers]:
    """Return where each part begins, and the end; and all parts in a row."""
    joined = np.concatenate(parts) if len(parts) else np.empty(0, dtype=np.int64)
    return _starts([len(part) for part in parts]), joined


def _padded(sources: tuple[int, ...]) -> tuple[int, ...]:
    return (*sources, *((-1,) * (_WIDEST - len(sources))))


def _template_table(templates: list[Gate]) -> Templates:
    tables = [gate.table.ravel() for gate in templates]
    steps = [gate.steps.ravel() for gate in templates]
    return (
        np.array([len(gate.qubits) for gate in templates], dtype=np.int64),
        np.array([len(gate.table) for gate in templates], dtype=np.int64),
        _starts([len(table) for table in tables]),
        np.concatenate(tables) if tables else np.empty(0, dtype=np.complex128),
        *_joined(steps),
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
        _starts([len(jumps.operators) for jumps in sets]),
        padded([jumps.operators for jumps in sets]),
        padded([jumps.weights for jumps in sets]),
        padded([jumps.keep[None] for jumps in sets]),
        padded([jumps.undo[None] for jumps in sets]),
    )
