"""``Program``: frames, envelopes, events in blocks, flow, captures and open slots, as columns."""

from __future__ import annotations

import struct
from enum import IntEnum
from fractions import Fraction
from functools import cached_property
from operator import attrgetter
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from qctrl.errors import ProtocolError
from qctrl.protocol import _container, _program_checks, flow
from qctrl.protocol._program_text import program_text
from qctrl.protocol.envelope_memory import ENVELOPE, played

KIND: Final = b"PROG"

FRAME: Final = np.dtype([("port", "<u4"), ("zero", "<u4"), ("ftw", "<i8")])
"""Port that the frame drives or demodulates; tuning word in 2**-48 turn per tick."""
EVENT: Final = np.dtype(
    [
        ("start_ticks", "<u4"),
        ("length_ticks", "<u4"),
        ("op", "u1"),
        ("row_field", "u1"),
        ("frame", "<u2"),
        ("target", "<u4"),
        ("gain", "<i4"),
        ("phase", "<u4"),
        ("phase_row", "<u4"),
        ("value_row", "<u4"),
    ]
)
"""32 bytes; see ``EventOp`` for what ``target``, ``gain`` and ``phase`` mean."""
BLOCK: Final = np.dtype([("first_event", "<u4"), ("n_events", "<u4"), ("length_ticks", "<u8")])
CAPTURE: Final = np.dtype(
    [
        ("frame", "<u4"),
        ("weights", "<i4"),
        ("discriminator", "<u4"),
        ("clbit", "<u4"),
        ("index", "<u4"),
        ("zero", "<u4"),
    ]
)
"""``weights`` is an envelope index, or -1 for flat; ``index`` orders the captures of a shot in the results."""
DISCRIMINATOR: Final = np.dtype([("n_classes", "<u4"), ("zero", "<u4"), ("coef", "<f8", (3, 3))])
"""The class is the row k with the largest ``coef[k] @ (I, Q, 1)``; class 2 writes bit 1."""
ROW: Final = np.dtype([("kind", "<u4"), ("zero", "<u4")])

_HEAD: Final = struct.Struct("<32s32sQQII")
_COLUMNS: Final = (
    (b"FRAM", "frames", FRAME),
    (b"ENVL", "envelopes", ENVELOPE),
    (b"EVNT", "events", EVENT),
    (b"BLCK", "blocks", BLOCK),
    (b"FLOW", "flow", flow.FLOW),
    (b"CAPT", "captures", CAPTURE),
    (b"DISC", "discriminators", DISCRIMINATOR),
    (b"ROWS", "rows", ROW),
)
_KEPT_BYTES: Final = 2**16
"""Wire forms up to this size are kept, because they are asked for again."""
_TAGS: Final = (b"HEAD", *(tag for tag, _, _ in _COLUMNS), b"SAMP")
_columns_of: Final = attrgetter(*(name for _, name, _ in _COLUMNS))


class EventOp(IntEnum):
    """What an event does."""

    PLAY = 0
    """Add envelope ``target`` times ``gain`` at phase ``phase`` to the frame's port."""
    CAPTURE = 1
    """Open capture ``target`` for ``length_ticks``."""
    SHIFT_PHASE = 2
    """Add ``phase`` (and the row ``phase_row``) to the frame's phase register."""
    SET_FREQUENCY = 3
    """Make ``gain`` (low 32 bits) and ``phase`` (high 32 bits) the frame's tuning word."""


class RowField(IntEnum):
    """Which field of an event its ``value_row`` replaces."""

    NONE = 0
    GAIN = 1
    FREQUENCY = 2
    START = 3
    """Reserved, refused, as the next two."""
    LENGTH = 4
    WAVEFORM = 5


class RowKind(IntEnum):
    """What the words of a row are."""

    PHASE = 1
    """2**-32 turn; added."""
    GAIN = 2
    """Two's complement Q1.30; replaces."""
    FREQUENCY = 3
    """Two's complement 2**-32 turn per tick; replaces."""


class Program(msgspec.Struct, frozen=True, eq=False, kw_only=True, dict=True):
    """A compiled pulse program; every column is read-only.

    ``verify()`` states what players may rely on; ``from_bytes`` calls it.
    """

    setup_hash: bytes
    """Identity of the one ``Setup`` that this program may run on, 32 bytes."""
    calibration_hash: bytes
    """Identity of the calibration it was compiled against, 32 bytes."""
    tick_num: int
    tick_den: int
    n_clbits: int
    frames: NDArray[np.void]
    """dtype ``FRAME``, shape ``(n_frames,)``."""
    envelopes: NDArray[np.void]
    """dtype ``ENVELOPE``."""
    envelope_samples: NDArray[np.int16]
    """Shape ``(n_samples, 2)``: rint(32767 w), real and imaginary."""
    events: NDArray[np.void]
    """dtype ``EVENT``; inside a block sorted by (port, start, shifts first, frame)."""
    blocks: NDArray[np.void]
    """dtype ``BLOCK``."""
    flow: NDArray[np.void]
    """dtype ``flow.FLOW``."""
    captures: NDArray[np.void]
    """dtype ``CAPTURE``."""
    discriminators: NDArray[np.void]
    """dtype ``DISCRIMINATOR``."""
    rows: NDArray[np.void]
    """dtype ``ROW``, shape ``(n_slots,)``; row 0 always exists and its word is 0."""

    @property
    def tick_s(self) -> Fraction:
        """Length of a tick in seconds."""
        return Fraction(self.tick_num, self.tick_den)

    @property
    def n_slots(self) -> int:
        """Number of rows, row 0 included."""
        return len(self.rows)

    @property
    def has_branches(self) -> bool:
        """Whether the flow is more than one block after the other."""
        return bool(np.isin(self.flow["op"], flow.BRANCHES).any())

    @property
    def is_straight(self) -> bool:
        """Whether every shot plays the same blocks, each at a time known beforehand."""
        op = self.flow["op"]
        begun = np.logical_or.accumulate(op == flow.FlowOp.PLAY_BLOCK)
        # What touches bits between blocks may wait for them.
        waits = begun & np.isin(op, (flow.FlowOp.READ_BITS, flow.FlowOp.WRITE_BITS))
        return not self.has_branches and not bool(waits.any())

    @property
    def n_registers(self) -> int:
        """Number of the flow's registers."""
        return flow.count_registers(self.flow)

    def block_events(self, block: int) -> NDArray[np.void]:
        """Return the events of one block."""
        first = int(self.blocks[block]["first_event"])
        return self.events[first : first + int(self.blocks[block]["n_events"])]

    def envelope(self, index: int) -> NDArray[np.int16]:
        """Return what one envelope plays, shape ``(n_samples, 2)``."""
        return played(self.envelopes[index], self.envelope_samples)

    def verify(self) -> None:
        """Check every index, range and order that players rely on.

        Raises:
            ProtocolError: The program is inconsistent or beyond the limits.
        """
        _program_checks.verify(self)

    def to_bytes(self) -> bytes:
        """Return the wire form; equal programs have equal bytes."""
        packed = self._kept_bytes()
        if packed is None:
            packed = _container.pack(KIND, self._sections())
            if len(packed) <= _KEPT_BYTES:
                vars(self)["bytes"] = packed  # columns never change; a changed copy does not inherit it
        return packed

    def _kept_bytes(self) -> bytes | None:
        return vars(self).get("bytes")

    def _sections(self) -> list[tuple[bytes, bytes | NDArray[np.generic]]]:
        head = _HEAD.pack(
            self.setup_hash, self.calibration_hash, self.tick_num, self.tick_den, self.n_clbits, self.n_slots
        )
        return list(zip(_TAGS, (head, *_columns_of(self), self.envelope_samples), strict=True))

    @classmethod
    def from_bytes(cls, data: bytes) -> Program:
        """Return the program in ``data``, verified.

        Raises:
            ProtocolError: The bytes are damaged or the program is inconsistent.
        """
        sections = _container.unpack(KIND, data, _TAGS)
        if len(sections[b"HEAD"]) != _HEAD.size:
            raise ProtocolError(f"PROG: section HEAD has {len(sections[b'HEAD'])} bytes, not {_HEAD.size}")
        setup_hash, calibration_hash, tick_num, tick_den, n_clbits, n_slots = _HEAD.unpack(sections[b"HEAD"])
        columns = {name: _container.column(sections, tag, dtype) for tag, name, dtype in _COLUMNS}
        if len(sections[b"SAMP"]) % 4:
            raise ProtocolError("PROG: section SAMP is no whole number of 4-byte samples")
        program = cls(
            setup_hash=setup_hash,
            calibration_hash=calibration_hash,
            tick_num=tick_num,
            tick_den=tick_den,
            n_clbits=n_clbits,
            envelope_samples=np.frombuffer(sections[b"SAMP"], dtype="<i2").reshape(-1, 2),
            **columns,
        )
        if program.n_slots != n_slots:
            raise ProtocolError(f"PROG: header says {n_slots} rows, section ROWS has {program.n_slots}")
        program.verify()
        return program

    @cached_property
    def hash(self) -> bytes:
        """Identity: 32-byte blake2b of the canonical body."""
        packed = self._kept_bytes()
        return _container.identity_of(self._sections()) if packed is None else _container.identity(packed)

    def text(self) -> str:
        """Return one line per frame, event and flow instruction."""
        return program_text(self)
