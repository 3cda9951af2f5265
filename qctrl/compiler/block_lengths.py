"""How long blocks last on a rack: its grids, and the waits for bits that decide what is played next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qctrl.compiler.waits import awaited_bits
from qctrl.errors import CompileError, TimingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.compiler.rack import Rack
    from qctrl.ir.pulse_program import PulseProgram


def tick_ratio(pulses: PulseProgram, rack: Rack) -> int:
    """Return the setup's ticks per tick of the pulses, once both are known to belong together."""
    setup = rack.setup
    if setup.calibration_id != pulses.interface.calibration_hash.hex():
        raise CompileError(
            f"the setup of {setup.device} was derived from another calibration than "
            f"{pulses.interface.calibration_id}; derive it again"
        )
    if pulses.tick_s == rack.tick_s:
        return 1
    ratio = pulses.tick_s / rack.tick_s
    if ratio.denominator != 1:
        raise TimingError(
            f"the setup's tick of {rack.tick_s} s does not divide the calibration's dt of {pulses.tick_s} s; "
            "choose a finer tick in the wiring"
        )
    return ratio.numerator


def block_lengths(pulses: PulseProgram, rack: Rack, ratio: int) -> NDArray[np.int64]:
    """Return lengths on all grids; a block whose bit decides a branch lasts until the bit is readable."""
    ticks = pulses.block_ticks if ratio == 1 else pulses.block_ticks * ratio
    pulse_grid = pulses.block_grid_ticks * ratio
    grid = math.lcm(rack.block_grid_ticks, pulse_grid)
    if len(pulses.flow) > len(ticks) + 1:  # more than to play the blocks and end
        ticks = _readable(pulses, rack, ratio, ticks)
    ticks = ticks if grid == pulse_grid and ticks is pulses.block_ticks else -(-ticks // grid) * grid
    ticks.setflags(write=False)
    return ticks


def _readable(pulses: PulseProgram, rack: Rack, ratio: int, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return lengths of blocks that last until the bits that are read right behind them can be read."""
    awaited = awaited_bits(pulses.flow)
    # The bits of the compiler's own, those of resets, are read one by one behind the block that captures them all.
    own = pulses.interface.n_clbits
    pairs = zip(pulses.captures["block"].tolist(), pulses.captures["clbit"].tolist(), strict=True)
    chosen = [clbit >= own or (block, clbit) in awaited for block, clbit in pairs]
    captures = pulses.captures[np.array(chosen, dtype=np.bool_)]
    port_grid = rack.grid_ticks[[rack.port_index[name] for name in pulses.ports]]
    grid = port_grid[pulses.frames["port"][captures["frame"]]]
    length = -(-captures["length_ticks"] * ratio // grid) * grid
    readable = captures["start_ticks"] * ratio + length + rack.setup.bit_latency_ticks
    ticks = ticks.copy()
    np.maximum.at(ticks, captures["block"], readable)
    return ticks
