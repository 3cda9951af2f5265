"""``Player``: a packed Program and a Setup in, the samples of every port out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from qctrl.errors import ProtocolError, TimingError
from qctrl.protocol import FlowOp
from qctrl.signal import _kernels
from qctrl.signal._event_checks import check_program
from qctrl.signal.capture_windows import CaptureWindow, capture_windows
from qctrl.signal.memory import aligned, read_only
from qctrl.signal.one_port import Stretch, play_dense, play_stages, superpose
from qctrl.signal.responses import Responses
from qctrl.signal.setup_chain import SetupChain
from qctrl.signal.slew import SlewWatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qctrl.protocol import Program, Setup
    from qctrl.signal.setup_chain import Group, Samples


@dataclass(frozen=True, slots=True, eq=False)
class PlayerState:
    """Registers, filter states and last samples of ports with limited slew between two blocks."""

    frames: NDArray[np.int64]
    filters: Sequence[NDArray[Any]]


class Player:
    """Plays the blocks of one shot in any order that the flow dictates.

    Phase registers, frequencies and filters run on from block to block until ``reset``. Ports that crosstalk joins go
    through the Setup one correction after the other, and so does every other that plays little; one that plays much is
    played in one pass from cached responses.
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
        self._grid_ticks = setup.block_granularity_ticks
        self._events = read_only(program.events)
        self._bounds = _port_bounds(program, len(setup.ports))
        self._initial_frames = np.zeros((len(program.frames), _kernels.FRAME_COLUMNS), dtype=np.int64)
        self._initial_frames[:, _kernels.F_PORT] = program.frames["port"]
        self._initial_frames[:, _kernels.F_FTW] = program.frames["ftw"]
        self._frames = self._initial_frames.copy()
        self._chain = SetupChain(setup)
        self._slew = SlewWatch(setup, self._chain.lines)
        self._grouped = {index: group for group in self._chain.groups for index in group.members}
        self._responses = Responses(program, self._chain.lines)
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
        self._words = read_only(words)
        self.reset()

    def reset(self) -> None:
        """Begin a shot: phase registers at zero, frequencies initial, filters settled at idle."""
        self._frames[:] = self._initial_frames
        self._captures = []
        self._chain.reset()
        self._slew.reset()

    def state(self) -> PlayerState:
        """Return the registers and filter states, to come back to with ``restore``."""
        last = [sample.copy() for sample in self._slew.last.values()]
        return PlayerState(self._frames.copy(), [*self._chain.state(), *last])

    def restore(self, state: PlayerState) -> None:
        """Go back to where ``state`` was taken, as a branch of the flow needs."""
        self._frames[:] = state.frames
        n_last = len(self._slew.last)
        self._chain.restore(state.filters[: len(state.filters) - n_last])
        self._slew.load(state.filters[len(state.filters) - n_last :])

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
        self._check_start(block, start_ticks)
        self._captures = []
        out: list[Samples] = [self._empty(port, self._length_ticks(block)) for port in range(len(self._setup.ports))]
        for port, samples in enumerate(out):
            if port not in self._grouped:
                self._play_alone(block, port, start_ticks, samples)
        for group in self._chain.groups:
            mixed = self._mixed(block, group, start_ticks)
            for port, x in zip(group.members, mixed, strict=True):
                out[port] = self._line(port).apply(x, start_ticks)
        self._watch(out, start_ticks)
        return out

    def play_silence(self, length_ticks: int, start_ticks: int) -> list[Samples]:
        """Return what the DACs get while nothing is played; the filters run on.

        Args:
            length_ticks: A multiple of the Setup's block grid.
            start_ticks: The first tick, from the start of the shot.
        """
        self._captures = []
        out = [self._empty(port, length_ticks) for port in range(len(self._setup.ports))]
        for port, samples in enumerate(out):
            line = self._chain.lines[port]
            if line is not None:
                line.idle(samples, start_ticks)
        self._watch(out, start_ticks)
        return out

    def render(self, port: str, out: Samples | None = None) -> Samples:
        """Return what the DAC of one port gets over a whole shot; resets before and after.

        Args:
            port: Name of an output port.
            out: Array to write to, as returned; saves the time that fresh memory takes.

        Raises:
            ProtocolError: The program branches or waits, the port does not exist, or ``out`` does not fit.
            ResourceError: A sample is out of range or not a number.
        """
        blocks, index = self._blocks, self._setup.port_index(port)
        if blocks is None:
            raise ProtocolError("the program branches or waits for bits, so its samples differ from shot to shot")
        out = self._checked_out(index, sum(length_ticks for _, length_ticks in blocks), out)
        self.reset()
        sample_ticks, tick = self._setup.ports[index].sample_ticks, 0
        for block, length_ticks in blocks:
            part = out[tick // sample_ticks : (tick + length_ticks) // sample_ticks]
            group = self._grouped.get(index)
            if group is None:
                self._play_alone(block, index, tick, part)
            else:
                x = self._mixed(block, group, tick)[group.members.index(index)]
                part[:] = self._line(index).apply(x, tick)
            self._slew.check(index, part, tick)
            tick += length_ticks
        self.reset()
        return out

    def baseband_block(self, block: int, start_ticks: int) -> list[NDArray[Any]]:
        """Return the superposition of plays of each port, before the Setup is applied.

        Moves the registers on as ``play_block`` does, but not the filters.

        Args:
            block: Index of the block.
            start_ticks: Its first tick, from the start of the shot.

        Raises:
            TimingError: The start is off the block grid of the Setup.
        """
        self._check_start(block, start_ticks)
        self._captures = []
        return [self._superpose(block, port, start_ticks) for port in range(len(self._setup.ports))]

    @cached_property
    def _blocks(self) -> list[tuple[int, int]] | None:
        """Blocks in the order of play and their lengths in ticks; None if shots may differ."""
        flow = self._program.flow
        if not self._program.is_straight:
            return None
        blocks: list[int] = flow["operand"][flow["op"] == FlowOp.PLAY_BLOCK].tolist()
        return [(block, self._length_ticks(block)) for block in blocks]

    def _watch(self, out: Sequence[Samples], start_ticks: int) -> None:
        for port in self._slew.last:
            self._slew.check(port, out[port], start_ticks)

    def _check_start(self, block: int, start_ticks: int) -> None:
        if start_ticks % self._grid_ticks or start_ticks < 0:
            raise TimingError(
                f"block {block} starts at tick {start_ticks}; blocks start on multiples of {self._grid_ticks}"
            )

    def _checked_out(self, port: int, length_ticks: int, out: Samples | None) -> Samples:
        if out is None:
            return self._empty(port, length_ticks)
        line = self._chain.lines[port]
        dtype = np.dtype(np.float64 if line is not None and line.width == 1 else np.complex128)
        n_samples = 0 if line is None else length_ticks // line.port.sample_ticks
        if out.shape != (n_samples,) or out.dtype != dtype or not out.flags.c_contiguous or not out.flags.writeable:
            raise ProtocolError(
                f"port {self._setup.ports[port].name}: out has shape {out.shape} and dtype {out.dtype}; "
                f"it must be a contiguous array of {n_samples} {dtype}, free to write"
            )
        return out

    def _length_ticks(self, block: int) -> int:
        return int(self._program.blocks["length_ticks"][block])

    def _line(self, port: int) -> Any:
        return self._chain.lines[port]

    def _empty(self, port: int, length_ticks: int) -> Samples:
        line = self._chain.lines[port]
        if line is None:
            return np.empty(0, dtype=np.complex128)
        memory = aligned(length_ticks // line.port.sample_ticks * line.width)
        return memory if line.width == 1 else memory.view(np.complex128)

    def _span(self, block: int, port: int) -> slice:
        return slice(int(self._bounds[block, port]), int(self._bounds[block, port + 1]))

    def _play_alone(self, block: int, port: int, start_ticks: int, out: Samples) -> None:
        """Play a port that no crosstalk touches, or open its captures."""
        line, bank = self._chain.lines[port], self._responses.banks[port]
        if line is None or bank is None:
            self._open_captures(block, port, start_ticks)
            return
        play = play_dense if self._responses.pay[port] else play_stages
        play(line, bank, self._stretch(block, port, start_ticks, out))

    def _stretch(self, block: int, port: int, start_ticks: int, out: Samples) -> Stretch:
        span, flat = self._span(block, port), out.view(np.float64)
        slots = self._responses.slot_of[span]
        return Stretch(self._events[span], slots, self._words, self._frames, start_ticks, flat)

    def _mixed(self, block: int, group: Group, start_ticks: int) -> NDArray[Any]:
        return group.mix([self._superpose(block, port, start_ticks) for port in group.members], start_ticks)

    def _superpose(self, block: int, port: int, start_ticks: int) -> NDArray[Any]:
        out = self._empty(port, self._length_ticks(block))
        line, bank = self._chain.lines[port], self._responses.banks[port]
        if line is None or bank is None:
            self._open_captures(block, port, start_ticks)
            return out
        superpose(line, bank, self._stretch(block, port, start_ticks, out))
        return out

    def _open_captures(self, block: int, port: int, start_ticks: int) -> None:
        events = self._events[self._span(block, port)]
        self._captures += capture_windows(events, self._words, self._frames, start_ticks)


def _port_bounds(program: Program, n_ports: int) -> NDArray[np.int64]:
    """Return where each port's events begin in each block, and end, shape ``(n_blocks, n_ports + 1)``."""
    n_blocks = len(program.blocks)
    block = np.repeat(np.arange(n_blocks, dtype=np.int64), program.blocks["n_events"])
    keys = block * n_ports + program.frames["port"][program.events["frame"]]
    wanted = np.arange(n_blocks)[:, None] * n_ports + np.arange(n_ports + 1)
    return np.searchsorted(keys, wanted)
