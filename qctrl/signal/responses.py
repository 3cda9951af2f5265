"""Which plays of a program share a cached response, and the memory for the responses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.protocol import EventOp
from qctrl.protocol.envelope_memory import unfold
from qctrl.signal import _kernels
from qctrl.signal._dense_kernels import FTW, LENGTH, MOST_SECTIONS, NOTHING, PLACE, ROW, SLOT_COLUMNS, STALE, TAIL
from qctrl.signal._kernels import CHUNK
from qctrl.signal.demodulate import carrier
from qctrl.signal.envelopes import dequantise
from qctrl.signal.memory import LINE_FLOATS, aligned, read_only

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qctrl.protocol import Program
    from qctrl.signal.line import OutputLine

_MAX_STORE: Final = 2**26
"""Floats of all responses together; what has no room is played stage by stage. Untouched memory costs nothing."""
MANY_PLAYS: Final = 256
"""Plays for each response of a port from which on responses pay for being worked out, and their kernels for being
loaded."""


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Envelopes of a program, and the responses of one line to them."""

    envelopes: NDArray[np.void]
    samples: NDArray[np.complex128]
    slots: NDArray[np.int64]
    """Shape ``(n_slots, SLOT_COLUMNS)``."""
    peaks: NDArray[np.float64]
    """Largest level that each response can reach at gain 1, and the tail it owes, shape ``(n_slots, 2)``."""
    store: NDArray[np.float64]
    """Per response of L samples: I and Q of the response, then of i times the response, rows of which begin ``ROW``
    apart, or L on a line without filters; the same of the K samples that follow; then as (re, im) the states after the
    L samples, what the K owed inputs make of them, and these inputs (K). A flux port has no Q."""

    def renew(self, line: OutputLine, slot: int, target: int, ftw: int) -> None:
        """Work out the response to envelope ``target`` on a carrier that starts at phase 0."""
        first, length = int(self.envelopes["offset"][target]), int(self.envelopes["length"][target])
        x = self.samples[first : first + length]
        x = x.real.astype(np.complex128) if line.width == 1 else x * carrier(ftw, 0, 0, line.port.sample_ticks, length)
        tail = np.zeros_like(line.state.tail)
        if len(line.numbers.taps):
            both = np.empty(length + len(tail), dtype=np.complex128)
            _kernels.predistort_fir(line.numbers.taps, tail, x, both)
            x = both[:length]
        self._put(line, slot, x, tail)
        self.slots[slot, FTW] = ftw

    def owe_tail(self, line: OutputLine) -> None:
        """Turn the inputs that the FIR filter still owes into the end of a response of no samples."""
        if line.state.tail.any():
            self._put(line, TAIL, np.empty(0, dtype=np.complex128), line.state.tail)
            line.state.tail[:] = 0.0
            line.state.owing[:] = TAIL
            line.state.factor[:] = 1.0, self.peaks[TAIL, 1]

    def settle_tail(self, line: OutputLine) -> None:
        """Turn the end of a response that is still owed into inputs of the FIR filter."""
        slot, owed = int(line.state.owing[0]), len(line.state.tail)
        if slot != NOTHING:
            inputs = int(self.slots[slot, PLACE]) + 4 * line.width * ROW + 4 * len(line.state.sections)
            line.state.tail[:] = line.state.factor[0] * self.store[inputs : inputs + 2 * owed].view(np.complex128)
            line.state.owing[:] = NOTHING

    def _put(self, line: OutputLine, slot: int, x: NDArray[np.complex128], tail: NDArray[np.complex128]) -> None:
        """Write the response to inputs ``x`` of the sections that ``tail`` follows; may overwrite ``x``."""
        place, length = self.slots[slot, [PLACE, LENGTH]].tolist()
        n_rows, row = 2 * line.width, _row(line, length)
        states = np.zeros((2, len(line.state.sections)), dtype=np.complex128)
        for column, (inputs, state) in enumerate(zip((x, tail.copy()), states, strict=True)):
            _kernels.predistort_iir(line.numbers.sections, state, inputs)
            rows = np.concatenate((_levels(line, inputs), _levels(line, 1j * inputs)))
            self.peaks[slot, column] = np.hypot(rows[: line.width], rows[line.width :]).max(initial=0.0)
            first = place + column * n_rows * row
            self.store[first : first + n_rows * row].reshape(n_rows, row)[:, : len(inputs)] = rows
        left = np.concatenate((states.view(np.float64).ravel(), tail.view(np.float64)))
        self.store[place + 2 * n_rows * row :][: len(left)] = left


def _row(line: OutputLine, length: int) -> int:
    """Return the floats from one row of a response to the next."""
    return ROW if line.is_filtered else length


def _levels(line: OutputLine, x: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return I and Q after the mixer matrix, in codes; of a flux port only I."""
    matrix = line.numbers.numbers[[_kernels.M00, _kernels.M01, _kernels.M10, _kernels.M11]].reshape(2, 2)
    return matrix[: line.width] @ np.stack((x.real, x.imag))


class Responses:
    """Slots for the responses to every (frame, envelope) that a program plays.

    Args:
        program: A verified program.
        lines: Output line of each port, None for acquire ports.

    Attributes:
        slot_of: Slot of each event, int32, shape ``(n_events,)``.
        banks: Envelopes and responses of each port.
        pay: Whether a port plays each of its responses often enough.
    """

    def __init__(self, program: Program, lines: Sequence[OutputLine | None]) -> None:
        envelopes, samples = unfold(program.envelopes, program.envelope_samples)
        self._envelopes = read_only(envelopes)
        self._samples = dequantise(samples)
        self._limit = _MAX_STORE // max(len(lines), 1)
        self.slot_of = np.full(len(program.events), TAIL, dtype=np.int32)
        pairs, which = _pairs(program)
        ports = program.frames["port"][pairs[:, 0]]
        slots = np.full(len(pairs), TAIL, dtype=np.int32)
        plays = np.bincount(which, minlength=len(pairs))
        self.banks: list[Bank | None] = []
        self.pay: list[bool] = []
        for port, line in enumerate(lines):
            own = np.flatnonzero(ports == port)
            is_short = (
                line is not None and len(line.numbers.sections) <= MOST_SECTIONS and len(line.state.tail) <= CHUNK
            )
            self.pay.append(is_short and len(own) > 0 and int(plays[own].sum()) >= MANY_PLAYS * len(own))
            if line is None:
                self.banks.append(None)
                continue
            own = own if self.pay[port] else own[:0]
            slots[own], bank = self._bank(line, pairs[own, 1])
            self.banks.append(bank)
        self.slot_of[program.events["op"] == EventOp.PLAY] = slots[which]

    def _bank(self, line: OutputLine, targets: NDArray[np.int64]) -> tuple[NDArray[np.int32], Bank]:
        """Return the slot of each (frame, envelope) of a port, and its bank."""
        lengths = np.concatenate(([0], self._envelopes["length"][targets].astype(np.int64)))  # the first of TAIL
        count, owed = len(line.state.sections), len(line.state.tail)
        rows = np.array([_row(line, length) for length in lengths.tolist()], dtype=np.int64)
        served = lengths <= (CHUNK if line.is_filtered else self._limit)
        sizes = np.where(served, 4 * line.width * rows + 4 * count + 2 * owed, 0)
        sizes += -sizes % LINE_FLOATS
        ends = np.cumsum(sizes)
        fits = served & (ends <= self._limit)
        fits[TAIL] = True
        slots = np.where(fits, np.arange(len(lengths)), TAIL).astype(np.int32)[1:]
        table = np.full((len(lengths), SLOT_COLUMNS), STALE, dtype=np.int64)
        table[:, PLACE], table[:, LENGTH] = ends - sizes, lengths
        bank = Bank(
            envelopes=self._envelopes,
            samples=self._samples,
            slots=table,
            peaks=np.zeros((len(table), 2), dtype=np.float64),
            store=aligned(int(ends[fits].max())),
        )
        return slots, bank


def _pairs(program: Program) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct (frame, envelope) of all plays, shape ``(n_pairs, 2)``, and which of them each play is."""
    plays = program.events[program.events["op"] == EventOp.PLAY]
    count = max(len(program.envelopes), 1)
    keys = plays["frame"].astype(np.int64) * count + plays["target"]
    distinct, which = np.unique(keys, return_inverse=True)
    return np.stack((distinct // count, distinct % count), axis=1), which
