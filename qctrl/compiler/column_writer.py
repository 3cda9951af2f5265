"""Collects the columns of a gate program, row by row and segment by segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qctrl.ir.gate_program import INSTRUCTION, SEGMENT, Opcode, SegmentKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qctrl.compiler.flow_writer import FlowWriter


class ColumnWriter:
    """Rows, their segments, and the qubits of barriers.

    Args:
        flow: Plays every segment that is begun; a decision there ends one.
    """

    def __init__(self, flow: FlowWriter) -> None:
        self._flow = flow
        self._rows: list[tuple[float, ...]] = []
        self._segments: list[tuple[int, SegmentKind]] = []
        self._reset_qubits: set[int] = set()
        self.barrier_qubits: list[int] = []

    @property
    def n_rows(self) -> int:
        """Rows so far."""
        return len(self._rows)

    @property
    def n_segments(self) -> int:
        """Segments so far."""
        return len(self._segments)

    @property
    def firsts(self) -> list[int]:
        """First row of each segment."""
        return [first for first, _ in self._segments]

    def append(  # noqa: PLR0913  (one keyword per column)
        self,
        source: int,
        opcode: Opcode,
        kind: SegmentKind = SegmentKind.BODY,
        *,
        qubit: int,
        site: int = -1,
        clbit: int = -1,
        expression: int = -1,
        count: int = 0,
        ticks: int = 0,
        angle_rad: float = 0.0,
    ) -> None:
        """Add a row; arguments as in ``qctrl.ir.INSTRUCTION``."""
        if not self._flow.is_playing or self._segments[-1][1] != kind:
            self._begin(kind)
        first = len(self.barrier_qubits)
        self._rows.append((opcode, site, qubit, clbit, expression, source, first, count, ticks, angle_rad))

    def barrier(self, source: int, qubits: Sequence[int]) -> None:
        """Add a barrier."""
        self.append(source, Opcode.BARRIER, qubit=-1, count=len(qubits))
        self.barrier_qubits += qubits

    def measured_reset(self, source: int, qubit: int, site: int) -> None:
        """Add a reset that measures, to the group before it if its qubit is not in there yet."""
        in_group = self._flow.is_playing and self._segments[-1][1] == SegmentKind.RESET
        if not in_group or qubit in self._reset_qubits:
            self._begin(SegmentKind.RESET)
            self._reset_qubits.clear()
        self._reset_qubits.add(qubit)
        self.append(source, Opcode.RESET, SegmentKind.RESET, qubit=qubit, site=site)

    def columns(self) -> tuple[NDArray[np.void], NDArray[np.void], NDArray[np.int32]]:
        """Return instructions, segments and the heap of barrier qubits; an empty circuit has one empty segment."""
        if not self._segments:
            self._begin(SegmentKind.BODY)
        instructions = np.array(self._rows, dtype=INSTRUCTION)
        counts = np.diff([*self.firsts, len(instructions)]).tolist()
        kinds = [int(kind) for _, kind in self._segments]
        segments = np.array(list(zip(self.firsts, counts, kinds, strict=True)), dtype=SEGMENT)
        return instructions, segments, np.array(self.barrier_qubits, dtype=np.int32)

    def _begin(self, kind: SegmentKind) -> None:
        self._flow.play(len(self._segments))
        self._segments.append((len(self._rows), kind))
