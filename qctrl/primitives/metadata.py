"""Metadata of results: the keys of Qiskit's own primitives, and more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MORE: Final = frozenset({"execution", "qctrl"})


class Metadata(dict[str, Any]):
    """A dict whose ``execution`` and ``qctrl`` count in a comparison only if the other has them too.

    Programs and test suites compare metadata with exactly what Qiskit's own primitives give; execution spans and
    shots per group are additions and must not break them.
    """

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return {name: value for name, value in self.items() if name not in _MORE or name in other} == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # as of every dict

    def copy(self) -> Metadata:
        """Return a shallow copy."""
        return Metadata(self)
