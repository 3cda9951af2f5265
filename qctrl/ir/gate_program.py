"""The gate-level IR: a circuit as columns, resolved against a calibration, with no Qiskit object left."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np

from qctrl.errors import CompileError
from qctrl.protocol import FLOW, FlowOp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.ir.angle_bound import AngleBound
    from qctrl.ir.expression import Expression
    from qctrl.ir.interface import Interface
    from qctrl.pulse import CustomGate


class Opcode(IntEnum):
    """What an instruction does, as far as scheduling needs to know."""

    GATE = 0
    """Plays what its site says."""
    RZ = 1
    """Virtual Z: adds ``angle_rad``, or its expression, to the qubit's frames."""
    DELAY = 2
    """Keeps its qubit idle for ``ticks``."""
    BARRIER = 3
    """Aligns the qubits ``barrier_qubits[first : first + count]``."""
    MEASURE = 4
    """Plays what its site says and writes ``clbit``."""
    RESET = 5
    """Returns the qubit to its ground state."""


class SegmentKind(IntEnum):
    """How a run of instructions becomes blocks."""

    BODY = 0
    """One block."""
    RESET = 1
    """Measured resets on distinct qubits: one capture block, then one branch per qubit."""


INSTRUCTION: Final = np.dtype(
    [
        ("opcode", "<u4"),
        ("site", "<i4"),  # -1: barrier, delay
        ("qubit", "<i4"),  # first qubit; -1: barrier
        ("clbit", "<i4"),  # -1: writes none
        ("expression", "<i4"),  # -1: angle_rad holds
        ("source", "<u4"),  # index of the instruction in the circuit
        ("first", "<u4"),
        ("count", "<u4"),
        ("ticks", "<i8"),  # of a delay; of a barrier the grid on which it is placed, 0: none
        ("angle_rad", "<f8"),
    ]
)
SEGMENT: Final = np.dtype([("first", "<u4"), ("count", "<u4"), ("kind", "<u4")])


class GateSite(NamedTuple):
    """A gate on certain qubits, known to be in the calibration, or the user's own."""

    name: str
    qubits: tuple[int, ...]
    custom: CustomGate | None = None
    """What it plays, if it is not the calibration that says so."""
    arguments: tuple[float | Expression, ...] = ()
    """Of a custom or fractional gate: values, or expressions of the circuit's parameters."""


class TimedBox(NamedTuple):
    """A box that lasts exactly so long: barrier, wait, barrier, contents, barrier, wait, barrier, all in one segment.

    The scheduler says how long the waits are: only the first one is used, or only the second.
    """

    source: int
    """Instruction of the circuit that is the box, or has it in its bodies."""
    front: int
    """Row of the wait before the contents."""
    back: int
    """Row of the wait behind them."""
    ticks: int


_NO_DECISIONS: Final = np.frombuffer(b"", dtype=FLOW)


class GateProgram(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A circuit in the order in which it was written."""

    # One is made per circuit, and a dataclass of as many frozen fields takes eight times as long.

    instructions: NDArray[np.void]
    """dtype ``INSTRUCTION``, shape ``(n_instructions,)``, read-only."""
    segments: NDArray[np.void]
    """dtype ``SEGMENT``, covering the instructions in order, read-only."""
    barrier_qubits: NDArray[np.int32]
    """Heap of qubit indices that barriers refer to, read-only."""
    sites: tuple[GateSite, ...]
    """Distinct sites, in order of first use."""
    expressions: tuple[Expression, ...]
    """Distinct parameter expressions, in order of first use."""
    n_qubits: int
    """Qubits of the device, which is what qubit indices refer to."""
    interface: Interface
    """Parameters and registers."""
    flow: NDArray[np.void] = _NO_DECISIONS
    """dtype ``qctrl.protocol.FLOW``, read-only: its blocks are segments, each named once. Empty: all in order."""
    angles: tuple[AngleBound, ...] = ()
    """What binding must check of the angles of fractional gates."""
    boxes: tuple[TimedBox, ...] = ()
    """Boxes with a duration, inner ones before those around them."""

    def verify(self) -> None:
        """State what the scheduler may rely on.

        Raises:
            CompileError: A column refers to something that does not exist.
        """
        rows, segments = self.instructions, self.segments
        ends = segments["first"].astype(np.int64) + segments["count"]
        barriers = rows[rows["opcode"] == Opcode.BARRIER]
        plays = self.flow["operand"][self.flow["op"] == FlowOp.PLAY_BLOCK]
        checks: dict[str, Any] = {
            "segments cover the instructions in order": np.array_equal(
                np.append(segments["first"], len(rows)), np.append(0, ends)
            ),
            "sites exist": np.all((rows["site"] >= -1) & (rows["site"] < len(self.sites))),
            "expressions exist": np.all((rows["expression"] >= -1) & (rows["expression"] < len(self.expressions))),
            "qubits exist": np.all((rows["qubit"] >= -1) & (rows["qubit"] < self.n_qubits)),
            "barrier qubits exist": np.all((self.barrier_qubits >= 0) & (self.barrier_qubits < self.n_qubits))
            and np.all(barriers["first"] + barriers["count"] <= len(self.barrier_qubits)),
            "clbits exist": np.all((rows["clbit"] >= -1) & (rows["clbit"] < self.interface.n_clbits)),
            "boxes lie in the instructions": all(0 < box.front < box.back < len(rows) - 1 for box in self.boxes),
            "delays are not negative": np.all(rows["ticks"] >= 0),
            "the flow plays every segment once": len(self.flow) == 0
            or np.array_equal(np.sort(plays), np.arange(len(segments))),
            "angles are finite": np.all(np.isfinite(rows["angle_rad"])),
        }
        for what, holds in checks.items():
            if not holds:
                raise CompileError(f"gate program is inconsistent: not true that {what}")
        for expression in self.expressions:
            expression.verify(len(self.interface.parameters))
