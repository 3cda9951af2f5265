"""The tree: columns of pure states through a score, by one kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics import _chain_kernels, _tree_kernels
from firmware_sim.physics.columns import NUMBERS_PER_AMPLITUDE, Columns
from firmware_sim.physics.layouts import sheet_columns
from qctrl.errors import ResourceError

if TYPE_CHECKING:
    from firmware_sim.physics.random import Draws
    from firmware_sim.physics.staff import Score
    from firmware_sim.physics.tables import Reals


_MORE = 1.5
"""Factor by which the room for columns grows at least."""


def evolve_columns(score: Score, columns: Columns, draws: Draws, limit_bytes: int) -> Columns:
    """Return the columns after a score; shots jump, and columns are added as they do.

    Raises:
        ResourceError: The columns need more memory than they may take.
    """
    width, column = columns.n_columns, columns.column.copy()
    threshold, drawn, leaked = columns.threshold.copy(), columns.drawn.copy(), columns.leaked.copy()
    shots = draws.jump_header(threshold, drawn, leaked)
    dim = len(columns.real)
    sheet = sheet_columns(dim)
    real, imag = _to_sheets(columns.real, sheet), _to_sheets(columns.imag, sheet)
    each_bytes = NUMBERS_PER_AMPLITUDE * real.itemsize * dim
    value_real, value_imag = (part.astype(real.dtype, copy=False) for part in score.gates[3:])
    gates = (*score.gates[:3], value_real, value_imag)
    head = np.full(len(real) * sheet, -1, dtype=np.int64)
    _chain_kernels.chain_shots(column, np.argsort(threshold), shots[6], head)
    kinds = np.empty(max(len(score.jumps[1]), 1), dtype=np.int64)
    segment = ready = 0
    while True:
        book = (head, np.ones(len(head)), np.zeros(len(head), dtype=np.int64), kinds)
        kets = (real.ravel(), imag.ravel(), dim, sheet)
        segment, ready, width, needed = _tree_kernels.advance(
            (segment, ready, width), kets, score.groups, gates, score.channels, score.layouts, score.patterns,
            score.jumps, book, shots, columns.levels == 2,
        )  # fmt: skip
        if segment == score.n_segments:
            break
        _check_memory(dim, needed, each_bytes, limit_bytes)
        most = limit_bytes // each_bytes
        more = -(-max(needed, min(int(_MORE * needed), most)) // sheet) - len(real)
        empty = np.zeros((more, dim, sheet), real.dtype)
        real, imag = np.concatenate([real, empty]), np.concatenate([imag, empty])
        head = np.concatenate([head, np.full(more * sheet, -1, dtype=np.int64)])
    _chain_kernels.unchain_shots(column, width, shots, head)
    real, imag = _from_sheets(real, width), _from_sheets(imag, width)
    return Columns(columns.qubits, columns.levels, real, imag, column, threshold, drawn, leaked)


def _check_memory(dim: int, n_columns: int, each_bytes: int, limit_bytes: int) -> None:
    need = each_bytes * n_columns
    if need > limit_bytes:
        raise ResourceError(
            f"{n_columns} histories of {dim} amplitudes need {need >> 20} MiB, the emulator may take "
            f"{limit_bytes >> 20} MiB; raise memory_mib, ask for fewer shots at once, or for levels=2"
        )


def _to_sheets(part: Reals, sheet: int) -> Reals:
    """Return columns ``(dim, n)`` as sheets ``(n_sheets, dim, sheet)``, the last filled up with zeros."""
    n_sheets = -(-part.shape[1] // sheet)
    whole = np.zeros((len(part), n_sheets * sheet), part.dtype)
    whole[:, : part.shape[1]] = part
    return np.ascontiguousarray(whole.reshape(len(part), n_sheets, sheet).transpose(1, 0, 2))


def _from_sheets(part: Reals, width: int) -> Reals:
    """Return the first columns of sheets, shape ``(dim, width)``."""
    return np.ascontiguousarray(part.transpose(1, 0, 2).reshape(part.shape[1], -1)[:, :width])
