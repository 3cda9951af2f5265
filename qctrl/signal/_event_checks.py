"""What must hold between a Program and a Setup before one can play the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.errors import ProtocolError
from qctrl.protocol import EventOp
from qctrl.protocol.envelope_memory import played_lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.protocol import Program, Setup

_GROUP_SPAN: Final = 2**33  # larger than any tick of a block


def check_program(program: Program, setup: Setup) -> None:
    """Check that every event fits its port.

    Raises:
        ProtocolError: The tick differs, a frame has no port, an event is off its port's sample grid or of the wrong
            kind, a play is shorter than its envelope, or a frame changes during one of its plays.
    """
    if program.tick_s != setup.tick_s:
        raise ProtocolError(f"the program's tick is {program.tick_s} s, the setup's {setup.tick_s} s; compile it anew")
    n_ports = len(setup.ports)
    _refuse(program.frames["port"] >= n_ports, f"frame {{}} is on a port beyond the setup's {n_ports}")
    grid = setup.block_granularity_ticks
    _refuse(program.blocks["length_ticks"] % grid != 0, f"block {{}} is not a multiple of {grid} ticks")
    _check_events(program, setup)
    _refuse(_inside_a_play(program), "event {} changes a frame during one of its plays")


def _refuse(mask: NDArray[np.bool_], text: str) -> None:
    if mask.any():
        raise ProtocolError("program: " + text.format(int(np.argmax(mask))))


def _check_events(program: Program, setup: Setup) -> None:
    events = program.events
    port = program.frames["port"][events["frame"]]
    ticks = np.array([p.sample_ticks for p in setup.ports], dtype=np.int64)[port]
    granularity = np.array([p.granularity_ticks for p in setup.ports], dtype=np.int64)[port]
    is_acquire = np.array([p.kind == "acquire" for p in setup.ports])[port]
    is_play, is_capture = events["op"] == EventOp.PLAY, events["op"] == EventOp.CAPTURE
    on_grid = (events["start_ticks"] % granularity == 0) & (events["length_ticks"] % granularity == 0)
    _refuse((is_play | is_capture) & ~on_grid, "event {} is off its port's grid")
    _refuse((is_play & is_acquire) | (is_capture & ~is_acquire), "event {} does not suit the kind of its port")
    samples = played_lengths(program.envelopes)[events["target"][is_play]]
    too_short = np.zeros(len(events), dtype=np.bool_)
    too_short[is_play] = samples * ticks[is_play] > events["length_ticks"][is_play]
    _refuse(too_short, "play {} is shorter than its envelope")


def _inside_a_play(program: Program) -> NDArray[np.bool_]:
    """Return which events change a frame while it plays; what such a play would mean is left undefined."""
    events = program.events
    block = np.repeat(np.arange(len(program.blocks), dtype=np.int64), program.blocks["n_events"])
    order = np.lexsort((np.arange(len(events)), events["frame"], block))
    group = block[order] * len(program.frames) + events["frame"][order]
    is_play = events["op"][order] == EventOp.PLAY
    ends = np.where(is_play, events["start_ticks"].astype(np.int64)[order] + events["length_ticks"][order], 0)
    rank = np.cumsum(np.diff(group, prepend=-1) != 0)
    busy_until = np.maximum.accumulate(rank * _GROUP_SPAN + ends) - rank * _GROUP_SPAN
    inside = np.zeros(len(events), dtype=np.bool_)
    changes = events["op"][order] >= EventOp.SHIFT_PHASE
    inside[order] = changes & (events["start_ticks"][order] < busy_until)
    return inside
