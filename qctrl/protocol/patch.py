"""``Patch``: words for a program's open slots, one row of words per binding."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from qctrl.errors import ProtocolError
from qctrl.protocol import _container, limits
from qctrl.protocol.program import Program, RowKind
from qctrl.units import GAIN_ONE

KIND: Final = b"PTCH"
_HEAD: Final = struct.Struct("<32sII")
_TAGS: Final = (b"HEAD", b"WORD")


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Numbers that change from binding to binding; never structure."""

    program_hash: bytes
    """Identity of the program that these words are for, 32 bytes."""
    words: NDArray[np.uint32]
    """Shape ``(n_bindings, n_slots)``; column 0 is zero; gain and frequency words are int32 viewed as uint32."""

    @property
    def n_bindings(self) -> int:
        """Number of parameter sets."""
        return self.words.shape[0]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the words, so that NumPy takes a patch for its array."""
        return np.array(self.words, dtype=self.words.dtype if dtype is None else dtype, copy=copy)

    def verify(self) -> None:
        """Check shape and the fixed column.

        Raises:
            ProtocolError: The patch is inconsistent or beyond the limits.
        """
        if self.words.ndim != 2 or self.words.shape[1] < 1 or len(self.program_hash) != 32:
            raise ProtocolError(f"patch: words of shape {self.words.shape} or a short hash")
        if self.n_bindings > limits.MAX_BINDINGS or self.words.shape[1] > limits.MAX_SLOTS:
            raise ProtocolError(f"patch: shape {self.words.shape} is beyond the limits")
        if self.words[:, 0].any():
            raise ProtocolError("patch: row 0 must be zero")

    def verify_for(self, program: Program) -> None:
        """Check that these words fit a program: its hash, its rows, and the range of every gain.

        Raises:
            ProtocolError: The patch is for another program or a word is out of range.
        """
        if self.program_hash != program.hash:
            raise ProtocolError("patch: made for another program; bind again")
        if self.words.shape[1] != program.n_slots:
            raise ProtocolError(
                f"patch: {self.words.shape[1]} words per binding, the program has {program.n_slots} rows"
            )
        gains = self.words[:, program.rows["kind"] == RowKind.GAIN].view(np.int32)
        if gains.size and np.abs(gains.astype(np.int64)).max() > GAIN_ONE:
            raise ProtocolError("patch: a gain is beyond full scale")

    def to_bytes(self) -> bytes:
        """Return the wire form."""
        head = _HEAD.pack(self.program_hash, *self.words.shape)
        return _container.pack(KIND, [(b"HEAD", head), (b"WORD", _container.read_only(self.words))])

    @classmethod
    def from_bytes(cls, data: bytes) -> Patch:
        """Return the patch in ``data``.

        Raises:
            ProtocolError: The bytes are damaged or inconsistent.
        """
        sections = _container.unpack(KIND, data, _TAGS)
        if len(sections[b"HEAD"]) != _HEAD.size:
            raise ProtocolError("PTCH: section HEAD has a wrong length")
        program_hash, n_bindings, n_slots = _HEAD.unpack(sections[b"HEAD"])
        if len(sections[b"WORD"]) != 4 * n_bindings * n_slots:
            raise ProtocolError(f"PTCH: {len(sections[b'WORD'])} bytes are not {n_bindings} x {n_slots} words")
        patch = cls(program_hash, np.frombuffer(sections[b"WORD"], dtype="<u4").reshape(n_bindings, n_slots))
        patch.verify()
        return patch

    @property
    def hash(self) -> bytes:
        """Identity: 32-byte blake2b of the canonical body."""
        return _container.identity(self.to_bytes())
