"""The pulse-level IR: what is played and captured at which tick, before any hardware limit is applied."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np

from qctrl.errors import CompileError

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from qctrl.ir.angle_bound import AngleBound
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
TUNE: Final = np.dtype(
    [
        ("block", "<u4"),
        ("frame", "<u4"),
        ("start_ticks", "<i8"),
        ("frequency_hz", "<f8"),  # NaN: back to that of the frame
        ("value", "<i4"),  # index of the value that replaces it, -1: none
        ("source", "<u4"),
    ]
)
DISCRIMINATOR: Final = np.dtype([("n_classes", "<u4"), ("coef", "<f8", (3, 3))])


class ValueKind(IntEnum):
    """What an open value replaces."""

    GAIN = 2
    """The amplitude of plays. The numbers are those of ``qctrl.protocol.RowKind``."""
    FREQUENCY = 3
    """The frequency of tunes, in Hz."""


class OpenValue(NamedTuple):
    """A number that is known when parameters are bound; it becomes a row behind the phase rows."""

    kind: ValueKind
    expression: int
    """Index into the program's expressions."""
    port: int
    """Index into the program's ports."""
    what: str
    """Where it comes from, for messages."""


_NO_TUNES: Final = np.frombuffer(b"", dtype=TUNE)
_NO_VALUES: Final = np.frombuffer(b"", dtype="<i4")


@dataclass(frozen=True, slots=True, eq=False)
class Voices:
    """What plays and captures refer to: one object for all programs of the same gates. Every array is read-only."""

    ports: tuple[str, ...]
    """Names of the ports in use."""
    frames: NDArray[np.void]
    """dtype ``FRAME``; frames of one group share all phase shifts, group -1 has none."""
    envelopes: tuple[Envelope, ...]
    """Distinct envelopes."""
    pairs: NDArray[np.int64]
    """Distinct (envelope, frame) of all plays, shape ``(n_pairs, 2)``."""
    discriminators: NDArray[np.void]
    """dtype ``DISCRIMINATOR``, distinct."""


class PulseProgram(msgspec.Struct, frozen=True, eq=False, kw_only=True):
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
    voices: Voices
    """Ports, frames, envelopes and discriminators."""
    expressions: tuple[Expression, ...]
    """Distinct parameter expressions that rows refer to."""
    n_clbits: int
    """Classical bits with the scratch bits of resets."""
    tick_s: Fraction
    """Length of a tick."""
    interface: Interface
    """Parameters and registers."""
    values: tuple[OpenValue, ...] = ()
    """Open amplitudes and frequencies of custom and fractional gates."""
    play_values: NDArray[np.int32] = _NO_VALUES
    """Index of the value that is each play's amplitude, -1 for none; empty: none of them has one."""
    tunes: NDArray[np.void] = _NO_TUNES
    """dtype ``TUNE``, in block order, then in the order of the circuit."""
    angles: tuple[AngleBound, ...] = ()
    """What binding must check of the angles of fractional gates."""

    @property
    def ports(self) -> tuple[str, ...]:
        """Names of the ports in use."""
        return self.voices.ports

    @property
    def frames(self) -> NDArray[np.void]:
        """Carriers on ports, dtype ``FRAME``."""
        return self.voices.frames

    @property
    def envelopes(self) -> tuple[Envelope, ...]:
        """Distinct envelopes."""
        return self.voices.envelopes

    @property
    def discriminators(self) -> NDArray[np.void]:
        """Distinct discriminators, dtype ``DISCRIMINATOR``."""
        return self.voices.discriminators

    def _pairs(self) -> set[tuple[int, int]]:
        return set(zip(self.plays["envelope"].tolist(), self.plays["frame"].tolist(), strict=True))

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
        n_values = len(self.values)
        checks["values have expressions"] = all(0 <= each.expression < len(self.expressions) for each in self.values)
        checks["values exist"] = np.all(self.play_values < n_values) and np.all(self.tunes["value"] < n_values)
        checks["every play has a value or none"] = len(self.play_values) in (0, len(self.plays))
        for name, table in (
            ("plays", self.plays),
            ("captures", self.captures),
            ("shifts", self.shifts),
            ("tunes", self.tunes),
        ):
            checks[f"{name} have blocks"] = np.all(table["block"] < n_blocks)
            checks[f"{name} have frames"] = np.all(table["frame"] < n_frames)
        for name, table in (("plays", self.plays), ("shifts", self.shifts)):
            checks[f"{name} have rows"] = np.all(table["phase_row"] < n_rows)
        checks["the voices know every pair"] = self._pairs() <= set(map(tuple, self.voices.pairs.tolist()))
        _raise_first(checks)
        self._verify_times()

    def _verify_times(self) -> None:
        checks: dict[str, Any] = {"blocks are on their grid": np.all(self.block_ticks % self.block_grid_ticks == 0)}
        at = self.tunes["start_ticks"]
        checks["tunes lie inside their block"] = np.all((at >= 0) & (at <= self.block_ticks[self.tunes["block"]]))
        for name, table in (("plays", self.plays), ("captures", self.captures)):
            ends = table["start_ticks"] + table["length_ticks"]
            inside = (table["start_ticks"] >= 0) & (ends <= self.block_ticks[table["block"]])
            checks[f"{name} lie inside their block"] = np.all(inside)
            order = np.lexsort((table["start_ticks"], table["frame"], table["block"]))
            first, second = table[order[:-1]], table[order[1:]]
            same = (first["block"] == second["block"]) & (first["frame"] == second["frame"])
            checks[f"{name} on one frame do not overlap"] = np.all(~same | (ends[order[:-1]] <= second["start_ticks"]))
        checks["the voices know every pair"] = self._pairs() <= set(map(tuple, self.voices.pairs.tolist()))
        _raise_first(checks)


def _raise_first(checks: dict[str, Any]) -> None:
    for what, holds in checks.items():
        if not holds:
            raise CompileError(f"pulse program is inconsistent: not true that {what}")
