"""Which plays of a program share a cached response, and the memory for the responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from qctrl.protocol import EventOp
from qctrl.protocol.envelope_memory import unfold
from qctrl.signal import _dense_kernels, _line_kernels
from qctrl.signal.envelopes import dequantise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qctrl.protocol import Program
    from qctrl.signal._line_kernels import Bank
    from qctrl.signal.line import OutputLine

_Scalar = TypeVar("_Scalar", bound=np.generic)
_MAX_STORE: Final = 2**26
"""Floats of all responses together; what has no room is worked out at every play. Untouched memory costs nothing."""
_LINE_FLOATS: Final = 8


class Responses:
    """Slots for the responses to every (frame, envelope) that a program plays.

    Args:
        program: A verified program.
        lines: Output line of each port, None for acquire ports.

    Attributes:
        slot_of: Slot of each event, int32, shape ``(n_events,)``.
        banks: Envelopes and responses of each port.
    """

    def __init__(self, program: Program, lines: Sequence[OutputLine | None]) -> None:
        envelopes, samples = unfold(program.envelopes, program.envelope_samples)
        self._envelopes = read_only(envelopes)
        self._samples = dequantise(samples)
        self._limit = _MAX_STORE // max(len(lines), 1)
        self.slot_of = np.full(len(program.events), _dense_kernels.SCRATCH, dtype=np.int32)
        pairs, which = _pairs(program)
        ports = program.frames["port"][pairs[:, 0]]
        slots = np.full(len(pairs), _dense_kernels.SCRATCH, dtype=np.int32)
        self.banks: list[Bank | None] = []
        for port, line in enumerate(lines):
            if line is None:
                self.banks.append(None)
                continue
            own = np.flatnonzero(ports == port)
            slots[own], bank = self._bank(line, pairs[own, 1])
            self.banks.append(bank)
        self.slot_of[program.events["op"] == EventOp.PLAY] = slots[which]

    def _bank(self, line: OutputLine, targets: NDArray[np.int64]) -> tuple[NDArray[np.int32], Bank]:
        """Return the slot of each (frame, envelope) of a port, and its bank."""
        lengths = self._envelopes["length"][targets].astype(np.int64)
        count, owed = len(line.state.sections), len(line.state.tail)
        sizes = 2 * line.width * (lengths + owed) + 4 * count + 2 * owed
        sizes += -sizes % _LINE_FLOATS
        ends = np.cumsum(sizes)
        fits = ends <= self._limit
        stored = int(ends[fits][-1]) if fits.any() else 0
        slots = np.where(fits, np.arange(1, len(targets) + 1), _dense_kernels.SCRATCH).astype(np.int32)
        table = np.full((int(fits.sum()) + 1, _dense_kernels.SLOT_COLUMNS), _dense_kernels.STALE, dtype=np.int64)
        table[_dense_kernels.SCRATCH, _dense_kernels.PLACE] = stored
        table[1:, _dense_kernels.PLACE] = (ends - sizes)[fits]
        longest = int(lengths.max(initial=0))
        bank = _line_kernels.Bank(
            envelopes=self._envelopes,
            samples=self._samples,
            slots=table,
            peaks=np.zeros((len(table), 2), dtype=np.float64),
            store=aligned(stored + int(sizes[~fits].max(initial=0))),
            work=np.empty(longest + owed + count, dtype=np.complex128),
        )
        return slots, bank


def aligned(n_floats: int) -> NDArray[np.float64]:
    """Return fresh memory that begins with a line of the cache: vectors across two of them take twice the time."""
    memory = np.empty(n_floats + _LINE_FLOATS, dtype=np.float64)
    first = -(memory.ctypes.data // memory.itemsize) % _LINE_FLOATS
    return memory[first : first + n_floats]


def read_only(column: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """Return a contiguous read-only view: one type for the kernels, so that they are compiled once."""
    view = np.ascontiguousarray(column).view()
    view.flags.writeable = False
    return view


def _pairs(program: Program) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct (frame, envelope) of all plays, shape ``(n_pairs, 2)``, and which of them each play is."""
    plays = program.events[program.events["op"] == EventOp.PLAY]
    count = max(len(program.envelopes), 1)
    keys = plays["frame"].astype(np.int64) * count + plays["target"]
    distinct, which = np.unique(keys, return_inverse=True)
    return np.stack((distinct // count, distinct % count), axis=1), which
