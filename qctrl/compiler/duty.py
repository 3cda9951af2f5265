"""Refuse programs that keep a port on for too much of the time, and say which instruction does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qctrl.errors import ResourceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qctrl.protocol import Program, Setup


class PlayOwners(msgspec.Struct, frozen=True, eq=False):
    """Which instruction of the circuit each play is of; kept only for racks that limit how long a port plays."""

    plays: NDArray[np.void]
    """dtype ``qctrl.ir.PLAY``, read-only."""
    frame_port: NDArray[np.int64]
    """Port of each frame."""
    ratio: int
    """The rack's ticks per tick of the plays."""

    def check(self, program: Program, setup: Setup, rep_delay_ticks: int | None) -> None:
        """Refuse a program that keeps a port on for too long.

        Args:
            program: The packed program.
            setup: The rack.
            rep_delay_ticks: Silence behind every shot; ``None`` if any may follow, so that only loops can be too much.

        Raises:
            ResourceError: A port plays for too much of the time; the longest play is to blame.
        """
        from qctrl.signal.duty import find_overuse  # most racks have no such limit

        found = find_overuse(program, setup, rep_delay_ticks)
        if found is not None:
            there = (self.plays["block"] == found.block) & (self.plays["start_ticks"] * self.ratio == found.start_ticks)
            there &= self.frame_port[self.plays["frame"]] == found.port
            raise ResourceError(found.text, instruction=int(self.plays["source"][there][0]))
