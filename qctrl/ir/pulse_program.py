"""The pulse-level IR: what is played and captured at which tick, before any hardware limit is applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qctrl.errors import CompileError

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from qctrl.ir.expression import Expression
    from qctrl.ir.interface import Interface
    from qctrl.signal.envelopes import Envelope

PLAY: Final = np.dtype(
    [
        ("block", "<u4"),
        ("frame", "<u4"),
        ("start_ticks", "<i8"),  # from block start
        ("length_ticks", "<i8"),
        ("amplitude", "<f8"),
        ("envelope", "<u4"),
        ("phase", "<u4"),  # word of 2**-32 turn, counted from block entry
        ("phase_row", "<u4"),  # 0: none
        ("source", "<u4"),  # instruction of the circuit
    ]
)
CAPTURE: Final = np.dtype(
    [
        ("block", "<u4"),
        ("frame", "<u4"),
        ("start_ticks", "<i8"),
        ("length_ticks", "<i8"),
        ("discriminator", "<u4"),
        ("clbit", "<u4"),
        ("weights", "<i4"),  # envelope index, -1: flat
        ("source", "<u4"),
    ]
)
SHIFT: Final = np.dtype([("block", "<u4"), ("frame", "<u4"), ("phase", "<u4"), ("phase_row", "<u4")])
FRAME: Final = np.dtype([("port", "<u4"), ("group", "<i4"), ("frequency_hz", "<f8")])
ROW: Final = np.dtype([("previous", "<u4"), ("expression", "<i4")])
DISCRIMINATOR: Final = np.dtype([("n_classes", "<u4"), ("coef", "<f8", (3, 3))])


@dataclass(frozen=True, slots=True, eq=False)
class PulseProgram:
    """Timed output of the scheduler. Every array is read-only."""

    plays: NDArray[np.void]
    """dtype ``PLAY``, in block order, then in the order of the circuit."""
    captures: NDArray[np.void]
    """dtype ``CAPTURE``, in the same order."""
    shifts: NDArray[np.void]
    """dtype ``SHIFT``: what a block leaves on a frame when it ends."""
    block_ticks: NDArray[np.int64]
    """Length of each block in ticks."""
    block_grid_ticks: int
    """Blocks begin and end on multiples of this, so that every alignment of the calibration holds in the shot."""
    flow: NDArray[np.void]
    """dtype ``qctrl.protocol.FLOW``."""
    rows: NDArray[np.void]
    """dtype ``ROW``; word of a row = word of ``previous`` + quantised expression. Row 0 is the zero row."""
    ports: tuple[str, ...]
    """Names of the ports in use."""
    frames: NDArray[np.void]
    """dtype ``FRAME``; frames of one group share all phase shifts, group -1 has none."""
    envelopes: tuple[Envelope, ...]
    """Distinct envelopes."""
    discriminators: NDArray[np.void]
    """dtype ``DISCRIMINATOR``, distinct."""
    expressions: tuple[Expression, ...]
    """Distinct parameter expressions that rows refer to."""
    n_clbits: int
    """Classical bits with the scratch bits of resets."""
    tick_s: Fraction
    """Length of a tick."""
    interface: Interface
    """Parameters and registers."""

    def verify(self) -> None:
        """State what the assembler may rely on.

        Raises:
            CompileError: A column refers to something that does not exist, or lies outside its block.
        """
        n_blocks, n_frames, n_rows = len(self.block_ticks), len(self.frames), len(self.rows)
        checks: dict[str, Any] = {
            "frames have ports": np.all(self.frames["port"] < len(self.ports)),
            "envelopes exist": np.all(self.plays["envelope"] < len(self.envelopes)),
            "discriminators exist": np.all(self.captures["discriminator"] < len(self.discriminators)),
            "clbits exist": np.all(self.captures["clbit"] < self.n_clbits),
            "row 0 is the zero row": n_rows > 0 and self.rows["expression"][0] == -1,
            "rows follow their predecessors": np.all(self.rows["previous"][1:] < np.arange(1, n_rows)),
            "rows have expressions": np.all(
                (self.rows["expression"][1:] >= 0) & (self.rows["expression"][1:] < len(self.expressions))
            ),
        }
        for name, table in (("plays", self.plays), ("captures", self.captures), ("shifts", self.shifts)):
            checks[f"{name} have blocks"] = np.all(table["block"] < n_blocks)
            checks[f"{name} have frames"] = np.all(table["frame"] < n_frames)
        for name, table in (("plays", self.plays), ("shifts", self.shifts)):
            checks[f"{name} have rows"] = np.all(table["phase_row"] < n_rows)
        _raise_first(checks)
        self._verify_times()

    def _verify_times(self) -> None:
        checks: dict[str, Any] = {"blocks are on their grid": np.all(self.block_ticks % self.block_grid_ticks == 0)}
        for name, table in (("plays", self.plays), ("captures", self.captures)):
            ends = table["start_ticks"] + table["length_ticks"]
            inside = (table["start_ticks"] >= 0) & (ends <= self.block_ticks[table["block"]])
            checks[f"{name} lie inside their block"] = np.all(inside)
            order = np.lexsort((table["start_ticks"], table["frame"], table["block"]))
            first, second = table[order[:-1]], table[order[1:]]
            same = (first["block"] == second["block"]) & (first["frame"] == second["frame"])
            checks[f"{name} on one frame do not overlap"] = np.all(~same | (ends[order[:-1]] <= second["start_ticks"]))
        _raise_first(checks)


def _raise_first(checks: dict[str, Any]) -> None:
    for what, holds in checks.items():
        if not holds:
            raise CompileError(f"pulse program is inconsistent: not true that {what}")
