"""Programs that were compiled before, found again by everything that they depend on."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np
import xxhash

from qctrl.compiler.rack import rack_of
from qctrl.version import __version__

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.calibration import Calibration
    from qctrl.compiler.compile_options import CompileOptions
    from qctrl.compiler.program import CompiledProgram
    from qctrl.ir.gate_program import GateProgram
    from qctrl.protocol import Setup

_OBJECTS_BYTES: Final = 4096
"""What the Python objects of an entry take beside its arrays, about."""
_PER_OBJECT_BYTES: Final = 512
"""What an expression or an open value takes, about."""
_COPIED_BYTES: Final = 2**16
"""Up to here a copy is cheaper than a view."""
_COMPARED_BYTES: Final = 128
"""Up to here the bytes themselves are compared."""
_KEPT_BYTES: Final = 2**16
"""A program keeps its wire form up to this size."""


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache did since it was made, and what it holds."""

    hits: int
    misses: int
    """Programs that had to be made, those that are too large to keep among them."""
    evictions: int
    """Programs that were dropped to make room."""
    entries: int
    max_entries: int
    size_bytes: int
    max_bytes: int


class Content(NamedTuple):
    """Everything that scheduling and assembly read, as values that can be compared."""

    checksum: int
    """Of the values; it chooses the entry that is compared."""
    values: tuple[object, ...]


class _Entry(NamedTuple):
    values: tuple[object, ...]
    program: CompiledProgram
    size_bytes: int


class CompileCache:
    """The most recently used programs; safe to use from several threads.

    A circuit can be changed by its owner, so it is always read anew. What is remembered is the work behind that, and
    it is found by all that this work reads: columns, sites and custom gates, expressions, parameters and registers,
    the hashes of calibration and setup, the options and the version of the compiler. Columns of more than
    a few bytes are compared by a digest of 128 bits, everything else as it is.

    Args:
        max_bytes: Most bytes of programs and their contents; a program beyond an eighth of it is not kept.
        max_entries: Most programs.
    """

    def __init__(self, max_bytes: int = 2**28, max_entries: int = 4096) -> None:
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._size_bytes = self._hits = self._misses = self._evictions = 0

    def content(self, gates: GateProgram, calibration: Calibration, setup: Setup, options: CompileOptions) -> Content:
        """Return what a program is found by.

        Args:
            gates: The lowered circuit.
            calibration: What it was lowered against.
            setup: The rack that it is assembled for.
            options: How it is scheduled, and what idle qubits do.
        """
        values = (
            _identity(gates.instructions),
            _identity(gates.segments),
            _identity(gates.barrier_qubits),
            _identity(gates.flow),
            gates.sites,
            gates.expressions,
            gates.angles,
            gates.boxes,
            gates.n_qubits,
            gates.interface,
            calibration.hash,
            rack_of(setup).setup_hash,
            options,
            __version__,
        )
        return Content(hash(values), values)

    def get(self, content: Content, setup: Setup) -> CompiledProgram | None:
        """Return the program of this content, for this very setup; ``None`` if it is not known."""
        with self._lock:
            entry = self._entries.get(content.checksum)
            if entry is None or entry.values != content.values:
                self._misses += 1
                return None
            self._hits += 1
            self._entries.move_to_end(content.checksum)
        return entry.program if entry.program.setup is setup else msgspec.structs.replace(entry.program, setup=setup)

    def keep(self, content: Content, program: CompiledProgram) -> None:
        """Remember a program, and drop the ones not used for longest if that takes too much room."""
        size_bytes = _size_bytes(program)
        if size_bytes > self._max_bytes // 8:
            return
        with self._lock:
            replaced = self._entries.pop(content.checksum, None)
            self._size_bytes += size_bytes - (0 if replaced is None else replaced.size_bytes)
            self._entries[content.checksum] = _Entry(content.values, program, size_bytes)
            while self._size_bytes > self._max_bytes or len(self._entries) > self._max_entries:
                _, dropped = self._entries.popitem(last=False)
                self._size_bytes -= dropped.size_bytes
                self._evictions += 1

    def stats(self) -> CacheStats:
        """Return what happened so far."""
        with self._lock:
            return CacheStats(
                hits=self._hits,
                misses=self._misses,
                evictions=self._evictions,
                entries=len(self._entries),
                max_entries=self._max_entries,
                size_bytes=self._size_bytes,
                max_bytes=self._max_bytes,
            )

    def clear(self) -> None:
        """Forget all programs; the statistics go on."""
        with self._lock:
            self._entries.clear()
            self._size_bytes = 0


def _identity(column: NDArray[Any]) -> bytes:
    """Return the bytes of a short column, a digest of a longer one."""
    if column.nbytes > _COPIED_BYTES:
        return xxhash.xxh3_128_digest(np.ascontiguousarray(column).view(np.uint8).data)
    data = column.tobytes()
    return data if len(data) <= _COMPARED_BYTES else xxhash.xxh3_128_digest(data)


def _size_bytes(compiled: CompiledProgram) -> int:
    program = compiled.program
    packed = program.events.nbytes + program.envelope_samples.nbytes + program.flow.nbytes + program.captures.nbytes
    packed += program.blocks.nbytes + program.rows.nbytes + compiled.rows.nbytes
    n_objects = len(compiled.values) + len(compiled.expressions)
    bounds = sum([each.fixed.nbytes + each.share.nbytes for each in compiled.bounds]) if compiled.bounds else 0
    packed += 0 if compiled.owners is None else compiled.owners.plays.nbytes
    return packed + min(packed, _KEPT_BYTES) + bounds + _OBJECTS_BYTES + _PER_OBJECT_BYTES * n_objects
