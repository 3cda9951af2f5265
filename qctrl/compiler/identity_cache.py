"""What was derived from an immutable object, remembered for as long as the object is in use."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class IdentityCache(Generic[T]):
    """Results by the identity of the objects that they were made from.

    Hashing a calibration or a table would cost more than compiling a small circuit. An entry holds its objects, so
    that their identities stay theirs; the oldest entries are dropped, so that nothing is held for ever. Two threads
    may both make an entry, which costs time and changes nothing.

    Args:
        size: Most entries.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[tuple[int, ...], tuple[tuple[object, ...], T]] = OrderedDict()

    def get(self, objects: tuple[object, ...], make: Callable[[], T]) -> T:
        """Return the result for these objects, made now if it is not known.

        Args:
            objects: Immutable objects; the result depends on nothing else.
            make: Makes the result.
        """
        key = tuple(map(id, objects))
        entry = self._entries.get(key)
        if entry is None:
            entry = (objects, make())
            self._entries[key] = entry
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)
        return entry[1]
