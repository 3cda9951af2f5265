"""A block that density matrices went through, kept to be played again for bindings that turn phases of drives alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from xxhash import xxh3_128

from firmware_sim.physics.cache import OperatorCache
from firmware_sim.physics.mixed import evolve_mixed, grow
from firmware_sim.physics.random import header_of, levels_of
from firmware_sim.physics.recognition import drive_angles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.bits import BitWindow
    from firmware_sim.physics.mixed import Matrices
    from firmware_sim.physics.random import Draws
    from firmware_sim.physics.reading import Reading
    from firmware_sim.physics.staff import Staff
    from firmware_sim.physics.tally import Tally

_EVERY, _LAST = 4, 16
"""Segments between states that are remembered, and how many at the end of a block these are among."""
_PASSED_BYTES = 64 << 20
"""Memory of these states: some thousand bindings of five qubits."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Segments that the same qubits went through."""

    qubits: tuple[int, ...]
    staff: Staff
    sources: NDArray[np.int64]
    """Play that gives each drive its phase, -1 for none, shape ``(n_segments, n)``."""
    leads: NDArray[np.float64]
    """Phase that its LO adds, same shape."""
    is_rigid: bool
    """Whether gates depend on phases between drives, so that they are of one binding."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Captures that end the block together."""

    bits: BitWindow
    clbits: list[int]


@dataclass(frozen=True, slots=True, eq=False)
class _Passed:
    """States after some segments."""

    matrices: Matrices
    staffs: tuple[Staff, ...]
    """Where the segments are from, whose identity is the key."""

    @property
    def nbytes(self) -> int:
        return 2 * self.matrices[0].nbytes


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """What a block does, from equilibrium to bits."""

    parts: list[Part]
    reading: Reading
    """Of the binding that it was played for first."""
    qubits: tuple[int, ...]
    """Of the state in the end."""
    measured: tuple[int, ...]
    """Qubits of all captures, in the order in which they are drawn."""
    windows: list[Window]
    passed: OperatorCache
    """Memory of states that were passed."""
    tally: Tally

    def play(self, phases: NDArray[np.float64], draws: Sequence[Draws], n_clbits: int) -> NDArray[np.uint8]:
        """Return the bits of some bindings, shape ``(n_bindings, n_shots, n_clbits)``.

        Args:
            phases: Of all plays of drives, in the order of ``reading.events``, shape ``(n_bindings, n_plays)``.
            draws: The shots of each binding; all the same shots.
            n_clbits: Classical bits.
        """
        shots, header = draws[0].shots, header_of(draws)
        probabilities = self._outcomes(phases)
        levels = levels_of(header, shots, probabilities)
        self.tally.measured += len(draws) * len(shots)
        self.tally.leaked += len(shots) * max(len(draws) - float(probabilities.sum()), 0.0)
        bits = np.zeros((len(draws), len(shots), n_clbits), dtype=np.uint8)
        column = 0
        for window in self.windows:
            mine = slice(column, column + len(window.clbits))
            # The first draw block decides the outcome of all qubits.
            found, _ = window.bits.draw((*header, 1 + column), shots, np.ascontiguousarray(levels[:, :, mine]))
            bits[:, :, window.clbits] = found
            column = mine.stop
        return bits

    def _outcomes(self, phases: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the joint probabilities of the levels of the measured qubits, shape ``(n_bindings, 2, 2, ..)``."""
        real, _ = self.evolve(phases)
        n_qubits = len(self.qubits)
        whole = np.maximum(np.diagonal(real, axis1=1, axis2=2), 0).reshape(-1, *(2,) * n_qubits)
        kept = [1 + self.qubits.index(qubit) for qubit in self.measured]
        others = tuple(axis for axis in range(1, n_qubits + 1) if axis not in kept)
        return whole.sum(axis=others).transpose([0, *(1 + np.argsort(np.argsort(kept)))])

    def evolve(self, phases: NDArray[np.float64]) -> Matrices:
        """Return the density matrices of some bindings at the end, real and imaginary parts; see :meth:`play`.

        Programs that begin alike, as those that differ in what they measure, share the states that they pass.
        """
        phases = np.concatenate([phases, np.zeros((len(phases), 1))], axis=1)
        steps = list(self._steps(phases))
        first, matrices = 0, (np.ones((len(phases), 1, 1)), np.zeros((len(phases), 1, 1)))
        for k in range(len(steps), 0, -1):
            state = self.passed.peek(steps[k - 1][3])
            if isinstance(state, _Passed):
                first, matrices = k, (state.matrices[0].copy(), state.matrices[1].copy())
                break
        qubits = steps[first - 1][0].qubits if first else ()
        for k in range(first, len(steps)):
            part, span, angles, name = steps[k]
            matrices = grow(matrices, qubits, part.qubits, self.reading.chip)
            qubits = part.qubits
            evolve_mixed(part.staff, span, angles, matrices)
            if span[1] < part.staff.n_segments and part is self.parts[-1]:
                kept = _Passed((matrices[0].copy(), matrices[1].copy()), tuple(each.staff for each in self.parts))
                self.passed.get(name, lambda kept=kept: kept)
        return grow(matrices, qubits, self.qubits, self.reading.chip)

    def _steps(self, phases: NDArray[np.float64]) -> Iterator[tuple[Part, tuple[int, int], NDArray[np.float64], bytes]]:
        """Yield each part in pieces, with its angles and the name of all that was played up to its end."""
        digest = xxh3_128()
        for part in self.parts:
            angles, n = drive_angles(phases, part.sources, part.leads), part.staff.n_segments
            borders = {0, n}
            if part is self.parts[-1]:
                borders.update(k for k in range(0, n, _EVERY) if k > n - _LAST)
            for first, last in pairwise(sorted(borders)):
                digest.update(repr((part.qubits, [id(each) for each in part.staff.segments[first:last]])).encode())
                digest.update(np.ascontiguousarray(angles[:, first:last]).data)
                yield part, (first, last), angles, digest.digest()


def tape_of(
    parts: Sequence[Part],
    reading: Reading,
    qubits: tuple[int, ...],
    windows: tuple[tuple[int, ...], list[Window]] | None,
    books: tuple[OperatorCache, Tally],
) -> Tape | None:
    """Return the tape of a block; None if other phases of its drives would change more than it knows.

    Args:
        parts: What its density matrix went through.
        reading: The block.
        qubits: Of the state in the end.
        windows: Measured qubits and windows; None if they need integrated values.
        books: Memory, and where to count.
    """
    if windows is None or any(part.is_rigid for part in parts) or not reading.is_told:
        return None
    cache, tally = books
    passed = cache.get(("passed",), lambda: OperatorCache(_PASSED_BYTES))
    return Tape(list(parts), reading, qubits, *windows, passed, tally)
