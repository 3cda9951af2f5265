"""``Results``: the final classical registers of every shot, and captures on request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from qctrl.errors import ProtocolError
from qctrl.protocol import _container

KIND: Final = b"RSLT"
_TAGS: Final = (b"HEAD", b"BITS", b"IQ__", b"TRAC")


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    run_id: str
    epoch: int
    chunk: int
    first_binding: int
    first_shot: int
    setup_hash: str
    program_hash: str
    status: Literal["ok", "aborted"]
    bits_shape: tuple[int, ...]
    iq_shape: tuple[int, ...] | None
    traces_shape: tuple[int, ...] | None
    statistics: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """One chunk of results: a (binding range, shot range) block."""

    run_id: str
    epoch: int
    chunk: int
    first_binding: int
    first_shot: int
    setup_hash: str
    program_hash: str
    status: Literal["ok", "aborted"]
    bits: NDArray[np.uint8]
    """Shape ``(bindings, shots, nbytes)``; classical bit k is byte ``k >> 3``, bit ``k & 7``."""
    iq: NDArray[np.complex64] | None = None
    """Integrated captures in fractions of the ADC's full scale, ``(bindings, shots, captures)``;
    ``(bindings, captures)`` in mode ``iq_mean``."""
    traces: NDArray[np.complex64] | None = None
    """Raw samples ``(bindings, shots, captures, samples)``; without shots in mode ``trace_mean``."""
    statistics: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the firmware says of the run: timing, and an emulator's own error estimate."""

    def to_bytes(self) -> bytes:
        """Return the wire form."""
        head = _Head(
            self.run_id,
            self.epoch,
            self.chunk,
            self.first_binding,
            self.first_shot,
            self.setup_hash,
            self.program_hash,
            self.status,
            self.bits.shape,
            None if self.iq is None else self.iq.shape,
            None if self.traces is None else self.traces.shape,
            self.statistics,
        )
        parts = [b"" if a is None else _container.read_only(a) for a in (self.iq, self.traces)]
        body = zip(_TAGS, (msgspec.json.encode(head), _container.read_only(self.bits), *parts), strict=True)
        return _container.pack(KIND, list(body))

    @classmethod
    def from_bytes(cls, data: bytes) -> Results:
        """Return the results in ``data``.

        Raises:
            ProtocolError: The bytes are damaged or shapes and sizes disagree.
        """
        sections = _container.unpack(KIND, data, _TAGS)
        try:
            head = msgspec.json.decode(sections[b"HEAD"], type=_Head)
        except msgspec.MsgspecError as error:
            raise ProtocolError(f"RSLT: {error}") from error
        return cls(
            head.run_id,
            head.epoch,
            head.chunk,
            head.first_binding,
            head.first_shot,
            head.setup_hash,
            head.program_hash,
            head.status,
            _shaped(sections[b"BITS"], np.dtype("u1"), head.bits_shape),
            None if head.iq_shape is None else _shaped(sections[b"IQ__"], np.dtype("<c8"), head.iq_shape),
            None if head.traces_shape is None else _shaped(sections[b"TRAC"], np.dtype("<c8"), head.traces_shape),
            head.statistics,
        )


def _shaped(view: memoryview, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    size = dtype.itemsize
    for length in shape:
        if length < 0:
            raise ProtocolError(f"RSLT: shape {shape} has a negative length")
        size *= length
    if size != len(view):
        raise ProtocolError(f"RSLT: {len(view)} bytes do not fill shape {shape}")
    return np.frombuffer(view, dtype=dtype).reshape(shape)
