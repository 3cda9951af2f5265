"""What a program's blocks put on the chip's lines, remembered from shot to shot, batch to batch and run to run."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from firmware_sim.physics.readout import Capture
from firmware_sim.shapes import Plays, Shapes
from qctrl.signal import Player, dequantise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from firmware_sim.wires import Wires
    from qctrl.protocol import Program, Setup
    from qctrl.signal import CaptureWindow, PlayerState

_MEMORY_BYTES: Final = 64 << 20
"""Samples of the blocks that are remembered."""


@dataclass(frozen=True, eq=False)
class Memories:
    """Registers of the sequencers and memory of the wires, at one moment of a path through the flow."""

    registers: PlayerState
    wires: Sequence[NDArray[Any]]

    @cached_property
    def content(self) -> bytes:
        """What two paths must share to go on as one."""
        parts = (self.registers.frames, *self.registers.filters, *self.wires)
        return b"".join(part.tobytes() for part in parts)


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """One block, or silence, as it reaches the chip."""

    lines: Sequence[NDArray[Any]]
    """By port."""
    captures: tuple[Capture, ...]
    plays: Plays | None
    after: Memories


class Renderer:
    """Plays the blocks of a program; what it played before, it has at hand.

    Args:
        program: A verified program.
        setup: The Setup it was made for.
        wires: What the samples pass on their way to the chip; ideal wires unless given.

    Attributes:
        shapes: What the program plays on drives.
    """

    def __init__(self, program: Program, setup: Setup, wires: Wires | None = None) -> None:
        self._program = program
        self._wires = wires
        self._player = Player(program, setup)
        self.shapes = Shapes(program, setup)
        self._words = b""
        self._known: OrderedDict[tuple[int, int, int, bytes], Rendered] = OrderedDict()
        self._bytes = 0

    def bind(self, words: NDArray[np.uint32] | None) -> None:
        """Take the words of a binding, shape ``(n_slots,)``; None for a program without open slots."""
        if words is not None and words.tobytes() != self._words:
            self._player.bind(words)
            self.shapes.bind(words)
            self._words = words.tobytes()
            self._known.clear()
            self._bytes = 0

    def begin(self) -> Memories:
        """Return the memories at the start of a shot."""
        self._player.reset()
        return Memories(self._player.state(), [] if self._wires is None else self._wires.settled())

    def play(self, block: int, start_ticks: int, before: Memories) -> Rendered:
        """Return a block from a tick of the shot on.

        Raises:
            ResourceError: A sample is out of range.
        """

        def make() -> Rendered:
            lines = self._player.play_block(block, start_ticks)
            captures = tuple(self._capture(window) for window in self._player.captures)
            return self._rendered(lines, start_ticks, before, (captures, self.shapes.plays(block, start_ticks)))

        return self._remembered((block, 0, start_ticks, before.content), before, make)

    def silence(self, length_ticks: int, start_ticks: int, before: Memories) -> Rendered:
        """Return silence from a tick of the shot on."""

        def make() -> Rendered:
            lines = self._player.play_silence(length_ticks, start_ticks)
            return self._rendered(lines, start_ticks, before, ((), Plays({})))

        return self._remembered((-1, length_ticks, start_ticks, before.content), before, make)

    def _remembered(self, key: tuple[int, int, int, bytes], before: Memories, make: Callable[[], Rendered]) -> Rendered:
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
            return found
        self._player.restore(before.registers)
        made = self._known[key] = make()
        self._bytes += _size(made)
        while self._bytes > _MEMORY_BYTES and len(self._known) > 1:
            self._bytes -= _size(self._known.popitem(last=False)[1])
        return made

    def _rendered(
        self,
        lines: Sequence[NDArray[Any]],
        start_ticks: int,
        before: Memories,
        content: tuple[tuple[Capture, ...], Plays | None],
    ) -> Rendered:
        wires: Sequence[NDArray[Any]] = before.wires
        if self._wires is not None:
            self._wires.restore(before.wires)
            lines = self._wires.apply(lines, start_ticks)
            wires = self._wires.state()
        return Rendered(lines, *content, after=Memories(self._player.state(), wires))

    def _capture(self, window: CaptureWindow) -> Capture:
        row = self._program.captures[window.capture]
        discriminator = self._program.discriminators[int(row["discriminator"])]
        envelope = int(row["weights"])
        return Capture(
            port=int(self._program.frames[int(row["frame"])]["port"]),
            first_tick=window.first_tick,
            length_ticks=window.length_ticks,
            ftw=window.ftw,
            phase_word=window.phase_word,
            weights=None if envelope < 0 else dequantise(self._program.envelope(envelope)),
            coef=discriminator["coef"],
            n_classes=int(discriminator["n_classes"]),
            clbit=int(row["clbit"]),
            index=int(row["index"]),
        )


def _size(rendered: Rendered) -> int:
    return sum(line.nbytes for line in rendered.lines)
