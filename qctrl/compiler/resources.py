"""What a program takes of a sequencer's memories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.protocol import CAPTURE, EVENT, FRAME, EventOp, limits

if TYPE_CHECKING:
    from qctrl.ir.interface import Interface
    from qctrl.protocol import Program, Setup

_WORD_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Use:
    """One memory."""

    memory: str
    need: int
    have: int


@dataclass(frozen=True, slots=True)
class PortUse:
    """One port."""

    port: str
    plays: int
    captures: int
    frames: int
    envelope_samples: int
    """Stored samples of the distinct envelopes that this port plays; of a plateau it is one."""
    words: int
    """Words of 32 bits that its events, captures, frames and samples take."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Memories against their limits, then the share of every port in use."""

    memories: tuple[Use, ...]
    ports: tuple[PortUse, ...]
    parameters: tuple[str, ...] = ()
    """Parameters that are bound without compiling again."""
    structure: tuple[str, ...] = ()
    """Arguments for whose values the program was compiled: another value is another program."""

    def text(self) -> str:
        """Return one line per memory and port."""
        lines = [f"{use.memory}: {use.need} of {use.have}" for use in self.memories]
        lines += [
            f"{use.port}: {use.plays} plays, {use.captures} captures, {use.frames} frames, "
            f"{use.envelope_samples} samples, {use.words} words"
            for use in self.ports
        ]
        lines += [f"bound without compiling again: {', '.join(self.parameters)}"] if self.parameters else []
        lines += [f"compiled for {each}; another value is another program" for each in self.structure]
        return "\n".join(lines)


def count_resources(program: Program, setup: Setup, interface: Interface) -> Resources:
    """Return what a program takes; ``interface`` says what is bound later, and for which arguments it was compiled."""
    memories = (
        Use("frames", len(program.frames), limits.MAX_FRAMES),
        Use("events", len(program.events), limits.MAX_EVENTS),
        Use("envelopes", len(program.envelopes), limits.MAX_ENVELOPES),
        Use("envelope samples", len(program.envelope_samples), limits.MAX_ENVELOPE_SAMPLES),
        Use("captures", len(program.captures), limits.MAX_CAPTURES),
        Use("discriminators", len(program.discriminators), limits.MAX_DISCRIMINATORS),
        Use("blocks", len(program.blocks), limits.MAX_BLOCKS),
        Use("flow instructions", len(program.flow), limits.MAX_FLOW),
        Use("classical bits", program.n_clbits, limits.MAX_CLBITS),
        Use("registers", program.n_registers, limits.MAX_REGISTERS),
        Use("parameter rows", program.n_slots, limits.MAX_SLOTS),
        Use("ticks of the longest block", int(program.blocks["length_ticks"].max()), limits.MAX_TICKS),
    )
    port_of = program.frames["port"][program.events["frame"]]
    used = tuple(_port_use(program, setup, number, port_of == number) for number in np.unique(port_of).tolist())
    return Resources(memories, used, interface.parameters, interface.structure)


def _port_use(program: Program, setup: Setup, number: int, mine: np.ndarray) -> PortUse:
    op = program.events["op"]
    plays = mine & (op == EventOp.PLAY)
    envelopes = np.unique(program.events["target"][plays])
    captures = int(np.count_nonzero(mine & (op == EventOp.CAPTURE)))
    frames = int(np.count_nonzero(program.frames["port"] == number))
    stored = np.unique(program.envelopes[["offset", "length"]][envelopes])
    samples = int(stored["length"].sum())
    n_bytes = int(np.count_nonzero(mine)) * EVENT.itemsize + captures * CAPTURE.itemsize + frames * FRAME.itemsize
    return PortUse(
        port=setup.ports[number].name,
        plays=int(np.count_nonzero(plays)),
        captures=captures,
        frames=frames,
        envelope_samples=samples,
        words=n_bytes // _WORD_BYTES + samples,
    )
