"""Density matrices of two-level qubits through the tables of the tree: exact where a tree draws histories."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from firmware_sim.physics import _mixed_kernels
from firmware_sim.physics.cores import share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from firmware_sim.physics.device import Chip
    from firmware_sim.physics.staff import Staff

    Matrices: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
    """Real and imaginary parts of density matrices, shape ``(n_bindings, dim, dim)`` each."""


def evolve_mixed(staff: Staff, span: tuple[int, int], angles: NDArray[np.float64], matrices: Matrices) -> None:
    """Take the density matrices of some bindings through a range of segments, in place.

    Args:
        staff: What is played, written for density matrices.
        span: First segment, and one past the last.
        angles: Phases of the drives of all qubits of the chip, and 0 behind them, by binding and segment.
        matrices: One of each binding.
    """
    gate_segment, drives = staff.turned_by
    turned = (angles[:, gate_segment, drives], angles[:, *staff.channel_turned_by])
    channels = (staff.channel_starts, staff.channel_layout, staff.channel_jumps)

    def advance(part: slice) -> None:
        _mixed_kernels.advance_bindings(
            span, matrices[0][part], matrices[1][part], staff.templates, staff.which, staff.first,
            (turned[0][part], turned[1][part]), staff.groups, staff.gate_layout, channels, staff.layouts[0],
            staff.patterns, staff.blends, staff.pauli,
        )  # fmt: skip

    share(len(angles), advance)


def grow(matrices: Matrices, qubits: tuple[int, ...], more: tuple[int, ...], chip: Chip) -> Matrices:
    """Return density matrices of some qubits as those of more, the new ones in equilibrium; see ``states.extend``."""
    for qubit in sorted(set(more) - set(qubits)):
        position = sum(other < qubit for other in qubits)
        before, after = 2**position, 2 ** (len(qubits) - position)
        populations = chip.qubits[qubit].thermal[:2]
        whole = [np.zeros((len(part), *(before, 2, after) * 2)) for part in matrices]
        for level, population in enumerate(populations):
            for grown, part in zip(whole, matrices, strict=True):
                scaled = population / sum(populations) * part
                grown[:, :, level, :, :, level] = scaled.reshape(-1, before, after, before, after)
        dim = 2 * before * after
        real, imag = (grown.reshape(-1, dim, dim) for grown in whole)
        matrices, qubits = (real, imag), (*qubits[:position], qubit, *qubits[position:])
    return matrices
