"""What custom gates leave open, taken out of what the kernels wrote: open amplitudes, frequencies and shifts.

Kernels see a tune as a play of a mark, and an open amplitude as one that no play can have, so that programs without
custom gates pay nothing for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from qctrl.compiler import _kernels
from qctrl.compiler.tables import OPEN_AMPLITUDE, TUNE_MARK
from qctrl.ir.pulse_program import TUNE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.compiler.tables import CustomTables, SiteTables
    from qctrl.ir.expression import Expression
    from qctrl.ir.pulse_program import OpenValue

_NO_VALUES: Final = np.frombuffer(b"", dtype=np.int32)
_NO_TUNES: Final = np.frombuffer(b"", dtype=TUNE)


class Opened(NamedTuple):
    """Columns of a ``PulseProgram``."""

    plays: NDArray[np.void]
    expressions: tuple[Expression, ...]
    values: tuple[OpenValue, ...]
    play_values: NDArray[np.int32]
    tunes: NDArray[np.void]


def count_open_shifts(instructions: NDArray[np.void], tables: SiteTables) -> int:
    """Return how many rows the custom gates of a program open."""
    if tables.custom is None or not tables.custom.has_open_shifts:
        return 0
    site = instructions["site"]
    return int(tables.custom.open_shifts[site[site >= 0]].sum())


def open_plays(
    plays: NDArray[np.void], rows: NDArray[np.void], expressions: tuple[Expression, ...], custom: CustomTables | None
) -> Opened:
    """Return plays without marks, and what the marks stood for.

    Args:
        plays: dtype ``qctrl.ir.PLAY``, as the kernels wrote them.
        rows: dtype ``qctrl.ir.ROW``; marks of expressions are replaced in place.
        expressions: Of the circuit; those of the custom gates come behind.
        custom: What the marks stand for.
    """
    if custom is None:
        return Opened(plays, expressions, (), _NO_VALUES, _NO_TUNES)
    n_expressions = len(expressions)
    if custom.has_open_shifts:
        numbers = rows["expression"]
        marked = numbers <= _kernels.FIRST_OF_SITES
        numbers[marked] = n_expressions + _kernels.FIRST_OF_SITES - numbers[marked]
    tunes, play_values = _NO_TUNES, _NO_VALUES
    if len(custom.tunes):
        is_tune = plays["envelope"] == TUNE_MARK
        tunes, plays = _tunes(plays[is_tune], custom), plays[~is_tune]
    amplitudes = plays["amplitude"]
    is_open = amplitudes >= OPEN_AMPLITUDE
    if is_open.any():
        play_values = np.where(is_open, amplitudes - OPEN_AMPLITUDE, -1).astype(np.int32)
        amplitudes[is_open] = 0.0
    for column in (tunes, play_values):
        column.setflags(write=False)
    values = tuple(value._replace(expression=n_expressions + value.expression) for value in custom.values)
    return Opened(plays, (*expressions, *custom.expressions), values, play_values, tunes)


def _tunes(marks: NDArray[np.void], custom: CustomTables) -> NDArray[np.void]:
    tunes = custom.tunes[marks["amplitude"].astype(np.int64)]
    for name in ("block", "frame", "start_ticks", "source"):
        tunes[name] = marks[name]
    return tunes
