"""A memory of operators, bounded in bytes and keyed by the content that made them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numpy as np
from xxhash import xxh3_128

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray


class Sized(Protocol):
    """What knows its size in memory."""

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        ...


_OVERHEAD_BYTES = 1024
"""Measured: what the key, the places in the dictionary and the objects of a small entry take beside its numbers."""

Entry = TypeVar("Entry", bound="tuple[NDArray[Any], ...] | Sized")


class OperatorCache:
    """Least recently used tuples of arrays, which are returned read-only, or objects made of arrays."""

    def __init__(self, limit_bytes: int = 512 * 2**20) -> None:
        self._limit_bytes = limit_bytes
        self._entries: OrderedDict[Hashable, tuple[NDArray[Any], ...] | Sized] = OrderedDict()
        self._bytes = 0
        self.hits = 0
        self.misses = 0

    @property
    def nbytes(self) -> int:
        """What it may take in memory, where it is an entry of another."""
        return self._limit_bytes

    def get(self, key: Hashable, build: Callable[[], Entry]) -> Entry:
        """Return the entry of ``key``, built on first use; a key says what its entry is made of, and how."""
        found = self._entries.get(key)
        if found is not None:
            self.hits += 1
            self._entries.move_to_end(key)
            return cast("Entry", found)
        self.misses += 1
        made = build()
        if isinstance(made, tuple):
            for array in made:
                array.setflags(write=False)
        self._entries[key] = made
        self._bytes += _size(made)
        while self._bytes > self._limit_bytes and len(self._entries) > 1:
            self._bytes -= _size(self._entries.popitem(last=False)[1])
        return made

    def peek(self, key: Hashable) -> object:
        """Return the entry of ``key``, None if there is none."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found


def content_key(*parts: bytes | str | int | float | bool | tuple[int, ...] | NDArray[Any]) -> bytes:
    """Return a hash of the parts, their types and their shapes."""
    digest = xxh3_128()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(repr((part.shape, part.dtype.str)).encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(repr(part).encode())
        digest.update(b";")
    return digest.digest()


def _size(entry: tuple[NDArray[Any], ...] | Sized) -> int:
    numbers = sum(array.nbytes for array in entry) if isinstance(entry, tuple) else entry.nbytes
    return numbers + _OVERHEAD_BYTES
