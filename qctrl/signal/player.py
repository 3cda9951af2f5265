"""``Player``: a packed Program and a Setup in, the samples of every port out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qctrl.errors import ProtocolError, TimingError
from qctrl.protocol import EventOp, RowField
from qctrl.signal import _kernels
from qctrl.signal._event_checks import check_program
from qctrl.signal.envelopes import dequantise
from qctrl.signal.setup_chain import SetupChain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qctrl.protocol import Program, Setup
    from qctrl.signal.setup_chain import Samples

_MASK_32: Final = 2**32 - 1
_FREQUENCY_ROW_SHIFT: Final = 16  # a frequency row counts 2**-32 turn per tick, a tuning word 2**-48


@dataclass(frozen=True, slots=True)
class CaptureWindow:
    """One capture of a block with the carrier it is demodulated with."""

    capture: int
    """Index into the Program's captures."""
    first_tick: int
    """From the start of the shot."""
    length_ticks: int
    ftw: int
    """Tuning word, 2**-48 turn per tick."""
    phase_word: int
    """Sum of event phase, row word and phase register, 2**-32 turn."""


@dataclass(frozen=True, slots=True, eq=False)
class PlayerState:
    """Registers and filter states between two blocks."""

    frames: NDArray[np.int64]
    filters: Sequence[NDArray[Any]]


class Player:
    """Plays the blocks of one shot in any order that the flow dictates.

    Phase registers, frequencies and filters run on from block to block until ``reset``.
    """

    def __init__(self, program: Program, setup: Setup, words: NDArray[np.uint32] | None = None) -> None:
        """Prepare a binding of a program.

        Args:
            program: A verified program for this setup.
            setup: A verified setup.
            words: One row of a Patch, shape ``(n_slots,)``; None for a program without open slots.

        Raises:
            ProtocolError: Program and Setup do not fit, or the words are not one row.
        """
        check_program(program, setup)
        self._program = program
        self._setup = setup
        self._samples = dequantise(program.envelope_samples)
        self._initial_frames = np.zeros((len(program.frames), _kernels.FRAME_COLUMNS), dtype=np.int64)
        self._initial_frames[:, _kernels.F_PORT] = program.frames["port"]
        self._initial_frames[:, _kernels.F_FTW] = program.frames["ftw"]
        self._frames = self._initial_frames.copy()
        self._chain = SetupChain(setup)
        self._captures: list[CaptureWindow] = []
        self.bind(np.zeros(program.n_slots, dtype=np.uint32) if words is None else words)

    def bind(self, words: NDArray[np.uint32]) -> None:
        """Take another row of a Patch, shape ``(n_slots,)``, and reset.

        Raises:
            ProtocolError: The words are not one row.
        """
        if words.shape != (self._program.n_slots,) or words.dtype != np.uint32:
            raise ProtocolError(
                f"words have shape {words.shape} and dtype {words.dtype}; "
                f"the program needs ({self._program.n_slots},) of uint32"
            )
        self._events = _resolve(self._program, words)
        self.reset()

    def reset(self) -> None:
        """Begin a shot: phase registers at zero, frequencies initial, filters settled at idle."""
        self._frames[:] = self._initial_frames
        self._captures = []
        self._chain.reset()

    def state(self) -> PlayerState:
        """Return the registers and filter states, to come back to with ``restore``."""
        return PlayerState(self._frames.copy(), self._chain.state())

    def restore(self, state: PlayerState) -> None:
        """Go back to where ``state`` was taken, as a branch of the flow needs."""
        self._frames[:] = state.frames
        self._chain.restore(state.filters)

    @property
    def captures(self) -> tuple[CaptureWindow, ...]:
        """Captures of the last block, in the order of its events."""
        return tuple(self._captures)

    def play_block(self, block: int, start_ticks: int) -> list[Samples]:
        """Return what the DAC of each port gets for a block, in the order of the Setup's ports.

        Complex128 for IQ ports, float64 for flux ports, in fractions of full scale and whole DAC codes; an acquire
        port has none.

        Args:
            block: Index of the block.
            start_ticks: Its first tick, from the start of the shot.

        Raises:
            TimingError: The start is off the block grid of the Setup.
            ResourceError: A sample is out of range or not a number; only ``reset`` may follow.
        """
        return self._chain.apply(self.baseband_block(block, start_ticks), start_ticks)

    def baseband_block(self, block: int, start_ticks: int) -> list[NDArray[Any]]:
        """Return the superposition of plays of each port, before the Setup is applied.

        Moves the registers on as ``play_block`` does, but not the filters.

        Args:
            block: Index of the block.
            start_ticks: Its first tick, from the start of the shot.

        Raises:
            TimingError: The start is off the block grid of the Setup.
        """
        grid = self._setup.block_granularity_ticks
        if start_ticks % grid or start_ticks < 0:
            raise TimingError(f"block {block} starts at tick {start_ticks}; blocks start on multiples of {grid}")
        row = self._program.blocks[block]
        first, length_ticks = int(row["first_event"]), int(row["length_ticks"])
        events = self._events[first : first + int(row["n_events"])]
        ports = self._port_table(length_ticks)
        out = np.zeros(int(ports[-1, _kernels.P_OFFSET]), dtype=np.float64)
        _kernels.render_block(events, start_ticks, ports[:-1], self._frames, self._samples, out)
        self._captures = self._windows(first, events, start_ticks)
        return [
            out[port[_kernels.P_OFFSET] : following[_kernels.P_OFFSET]].view(
                np.complex128 if port[_kernels.P_COMPLEX] else np.float64
            )
            for port, following in pairwise(ports)
        ]

    def _port_table(self, length_ticks: int) -> NDArray[np.int64]:
        """Return the kernel's port table and one closing row whose offset is the size of the buffer."""
        table = np.zeros((len(self._setup.ports) + 1, _kernels.PORT_COLUMNS), dtype=np.int64)
        offset = 0
        for index, port in enumerate(self._setup.ports):
            is_iq = port.kind != "flux"
            table[index] = port.sample_ticks, offset, is_iq
            if port.kind != "acquire":
                offset += length_ticks // port.sample_ticks * (2 if is_iq else 1)
        table[-1, _kernels.P_OFFSET] = offset
        return table

    def _windows(self, first: int, events: NDArray[np.int64], start_ticks: int) -> list[CaptureWindow]:
        found: list[CaptureWindow] = []
        for k in np.flatnonzero(events[:, _kernels.OP] == EventOp.CAPTURE):
            event = self._program.events[first + k]
            found.append(
                CaptureWindow(
                    capture=int(event["target"]),
                    first_tick=start_ticks + int(event["start_ticks"]),
                    length_ticks=int(event["length_ticks"]),
                    ftw=int(events[k, _kernels.FTW]),
                    phase_word=int(events[k, _kernels.WINDOW_PHASE]),
                )
            )
        return found


def _resolve(program: Program, words: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the events with rows and envelopes looked up, shape ``(n_events, EVENT_COLUMNS)``."""
    events = program.events
    table = np.zeros((len(events), _kernels.EVENT_COLUMNS), dtype=np.int64)
    is_play = events["op"] == EventOp.PLAY
    envelopes = program.envelopes[events["target"][is_play]]
    signed = words.view(np.int32).astype(np.int64)[events["value_row"]]
    phase, gain = events["phase"].astype(np.int64), events["gain"].astype(np.int64)
    table[:, _kernels.OP] = events["op"]
    table[:, _kernels.FRAME] = events["frame"]
    table[:, _kernels.START] = events["start_ticks"]
    table[is_play, _kernels.OFFSET] = envelopes["offset"]
    table[is_play, _kernels.LENGTH] = envelopes["length"]
    table[:, _kernels.GAIN] = np.where(events["row_field"] == RowField.GAIN, signed, gain)
    table[:, _kernels.PHASE] = (phase + words.astype(np.int64)[events["phase_row"]]) & _MASK_32
    table[:, _kernels.FTW] = np.where(
        events["row_field"] == RowField.FREQUENCY,
        signed << _FREQUENCY_ROW_SHIFT,
        (phase << 32) | (gain & _MASK_32),
    )
    return table
