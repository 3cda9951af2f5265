"""Measurement: levels drawn per shot, readout integrated and discriminated, states collapsed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_sim.physics.bits import BitWindow, bit_window
from firmware_sim.physics.columns import Columns
from firmware_sim.physics.integration import integrate, integrate_with_traces, is_felt
from firmware_sim.physics.states import project
from firmware_sim.physics.tape import Window
from qctrl.signal import discriminate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.branches import Branch
    from firmware_sim.physics.device import Chip
    from firmware_sim.physics.readout import Capture, Readout, Tables


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A measured branch before its state collapses."""

    branch: Branch
    qubits: tuple[int, ...]
    levels: NDArray[np.uint8]
    """Level that each shot found, shape ``(n_shots, n_qubits)``."""
    end_levels: NDArray[np.uint8]
    """Level that its window leaves each qubit in."""


class Measurement:
    """Measures qubits of a branch jointly."""

    def __init__(self, chip: Chip, readout: Readout, *, noisy: bool) -> None:
        self._chip = chip
        self._readout = readout
        self._noisy = noisy
        self.clipped = 0
        """ADC samples beyond full scale so far."""

    def measure(
        self, branch: Branch, captures: Sequence[Capture], lines: Sequence[NDArray[Any]], start_ticks: int
    ) -> Found:
        """Return the branch with bits, integrated values and traces of some captures written.

        One draw block decides the joint outcome, then each capture takes one.

        Args:
            branch: Shots and their state at the start of the windows.
            captures: The captures to take.
            lines: DAC outputs of all ports over the block.
            start_ticks: First tick of the block.
        """
        groups = self._readout.groups(captures)
        ordered = [capture for group in groups for capture in group]
        qubits = tuple(self._readout.qubit_of(capture) for capture in ordered)
        levels = branch.state.draw(branch.draws, branch.used_blocks, qubits)
        end_levels = np.empty_like(levels)
        block, column = branch.used_blocks + 1, 0
        for group in groups:
            columns = slice(column, column + len(group))
            end_levels[:, columns] = self.take(branch, group, (lines, start_ticks, block), levels[:, columns])
            block, column = block + len(group), columns.stop
        ends = tuple((q, c.first_tick + c.length_ticks) for q, c in zip(qubits, ordered, strict=True))
        others = tuple(entry for entry in branch.in_readout if entry[0] not in qubits)
        measured = replace(branch, used_blocks=block, in_readout=others + ends)
        return Found(measured, qubits, levels, end_levels)

    def take(
        self,
        branch: Branch,
        group: tuple[Capture, ...],
        where: tuple[Sequence[NDArray[Any]], int, int],
        levels: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Write what captures of one window give, and return the levels that it leaves, shape ``(n_shots, n)``.

        A branch without room for integrated values or traces is given bits alone.

        Args:
            branch: The shots.
            group: The captures.
            where: DAC outputs of all ports over the block, its first tick, and the draw block of the first capture.
            levels: Levels at the start, same shape.
        """
        lines, start_ticks, block = where
        tables = self._readout.tables(group, lines, start_ticks, branch.left)
        levels = np.ascontiguousarray(levels)
        if not branch.iq.shape[1] and branch.traces is None:
            window = self.window(group, tables)
            if window is not None:
                draws = branch.draws
                header = (draws.key[None], np.array([draws.binding], dtype=np.uint64), block)
                bits, end_levels = window.draw(header, draws.shots, levels[None])
                branch.bits[:, [capture.clbit for capture in group]] = bits[0]
                return end_levels[0]
        hazards = self._readout.hazards(tables) if self._noisy else None
        read = integrate if branch.traces is None else integrate_with_traces
        shots = read(tables, branch.draws, block, levels, hazards)
        self.clipped += shots.clipped
        for column, capture in enumerate(group):
            classes = discriminate(shots.iq[:, column], capture.coef, capture.n_classes)
            branch.bits[:, capture.clbit] = classes > 0
            if branch.iq.shape[1]:
                branch.iq[:, capture.index] = shots.iq[:, column]
            if branch.traces is not None and shots.traces is not None:
                kept = min(branch.traces.shape[2], tables.n_samples)
                branch.traces[:, capture.index, :kept] = shots.traces[:, :kept]
        return shots.end_levels

    def windows(
        self, captures: Sequence[Capture], lines: Sequence[NDArray[Any]], start_ticks: int
    ) -> tuple[tuple[int, ...], list[Window]] | None:
        """Return the measured qubits and the windows of captures into empty resonators, in the order of their draws.

        None if they need integrated values; arguments as of :meth:`measure`.
        """
        groups = self._readout.groups(captures)
        found = [self.window(group, self._readout.tables(group, lines, start_ticks)) for group in groups]
        windows = [
            Window(bits, [capture.clbit for capture in group])
            for bits, group in zip(found, groups, strict=True)
            if bits is not None
        ]
        qubits = tuple(self._readout.qubit_of(capture) for group in groups for capture in group)
        return (qubits, windows) if len(windows) == len(groups) else None

    def window(self, group: tuple[Capture, ...], tables: Tables) -> BitWindow | None:
        """Return what draws the bits of a window alone; None if they need its integrated values."""
        if not self._noisy or is_felt(tables):
            return None
        parts = [part for capture in group for part in (capture.coef.tobytes(), capture.n_classes)]
        key = ("bits", tables.key, tables.step_s, *parts)
        return self._readout.cache.get(key, lambda: bit_window(group, tables, self._readout.hazards(tables)))


def collapse(found: Found, *, resting: bool = False) -> list[Branch]:
    """Return a branch per history of levels, each in its collapsed state; one branch if its shots have columns.

    The level a qubit decays to inside its window is taken from the window's start on.

    Args:
        found: The measured branch.
        resting: Whether photons are about, so that it matters whether the qubits are moved again.
    """
    qubits, state = found.qubits, found.branch.state
    branch = replace(found.branch, resting=found.branch.resting | {*qubits}) if resting else found.branch
    if isinstance(state, Columns):
        return [replace(branch, state=state.collapse(qubits, found.levels, found.end_levels))]
    all_measured = set(qubits) == set(state.qubits)
    # If every qubit was measured, only what the windows leave behind tells states apart.
    before = found.end_levels if all_measured else found.levels
    histories, which = np.unique(np.concatenate([before, found.end_levels], axis=1), axis=0, return_inverse=True)
    result: list[Branch] = []
    for number, history in enumerate(histories):
        rows = np.flatnonzero(which.ravel() == number)
        old = found.levels[rows[0]]
        new = history[len(qubits) :]
        collapsed = project(state, qubits, old.tolist(), new.tolist())
        result.append(replace(branch.take(rows), state=collapsed))
    return result
