"""A tree of options that refuses what it does not know."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from qctrl.errors import UnknownOptionError


def whole(value: Any) -> bool:
    """Return whether a value is an integer, and no bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def positive_integer(value: Any) -> bool:
    """Return whether a value is an integer above 0."""
    return whole(value) and value > 0


def seed(value: Any) -> bool:
    """Return whether a value can seed random numbers."""
    return whole(value) and 0 <= value < 2**63


def finite(value: Any, least: float) -> bool:
    """Return whether a value is a finite real number, at least ``least``."""
    real = whole(value) or isinstance(value, float | np.floating)
    return real and math.isfinite(value) and bool(value >= least)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a leaf of the tree accepts."""

    accepts: Callable[[Any], bool]
    says: str


@dataclass(frozen=True, slots=True)
class Alias:
    """Where an option stands that Qiskit's own primitives call otherwise."""

    path: tuple[str, ...]
    """Groups and name."""
    takes: Mapping[Any, Any] = field(default_factory=dict[Any, Any])
    """Values of Qiskit's and what they are here; empty if they are the same."""
    gives: Mapping[Any, Any] = field(default_factory=dict[Any, Any])
    """Values here and what they are there."""

    def get(self, tree: Options) -> Any:
        """Return the value as Qiskit says it."""
        value: Any = functools.reduce(getattr, self.path, tree)
        return self.gives[value] if self.gives else value

    def set(self, tree: Options, name: str, value: Any) -> None:
        """Set the option to a value of Qiskit's.

        Raises:
            ValueError: The value is not allowed.
        """
        if self.takes and value not in self.takes:
            raise ValueError(f"option {name} is {value!r}; it must be one of {', '.join(map(repr, self.takes))}")
        *groups, last = self.path
        setattr(functools.reduce(getattr, groups, tree), last, self.takes[value] if self.takes else value)


_Node = TypeVar("_Node", bound="Options")


class Options:
    """A node of the tree: attributes, nested dicts and the constructor all check names and values."""

    RULES: ClassVar[Mapping[str, Rule]] = {}
    ABSENT: ClassVar[Mapping[str, str]] = {}
    """Why there is no such option, by names that users may know."""
    ALIASES: ClassVar[Mapping[str, Alias]] = {}

    def __new__(cls, *_values: Any, **options: Any) -> Self:
        """Make a node with its default options.

        Raises:
            UnknownOptionError: There is no such option; the message gives the reason or the nearest name.
        """
        for name in options.keys() - _fields(cls).keys():
            raise UnknownOptionError(cls._unknown(name))
        return super().__new__(cls)

    def __getattr__(self, name: str) -> Any:
        """Return an option by its name elsewhere, and refuse what is not there.

        Raises:
            UnknownOptionError: There is no such option; the message gives the reason or the nearest name.
        """
        if name in self.ALIASES:
            return self.ALIASES[name].get(self)
        raise UnknownOptionError(self._unknown(name))

    def __setattr__(self, name: str, value: Any) -> None:
        """Set one option.

        Raises:
            UnknownOptionError: There is no such option; the message suggests the nearest.
            ValueError: The value is not allowed.
            TypeError: A group of options is given something else than a group or a mapping.
        """
        if name in self.ALIASES:
            self.ALIASES[name].set(self, name, value)
            return
        known = _fields(type(self))
        if name not in known:
            raise UnknownOptionError(self._unknown(name))
        group = _group(known[name])
        if group is not None and not isinstance(value, group):
            if not isinstance(value, Mapping):
                raise TypeError(f"option {name} is a group: give a dict or {group.__name__}, not {value!r}")
            self.__dict__.setdefault(name, group()).update(value)
            return
        rule = self.RULES.get(name)
        if rule is not None and not rule.accepts(value):
            raise ValueError(f"option {name} is {value!r}; it must be {rule.says}")
        object.__setattr__(self, name, value)

    def update(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Set several options, in groups or not.

        Args:
            values: Options by name; groups are nested mappings.
            **more: The same as keywords.
        """
        for name, value in {**(values or {}), **more}.items():
            setattr(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Return the tree as nested dicts."""
        return {name: value.to_dict() if isinstance(value, Options) else value for name, value in self._items()}

    def _items(self) -> Iterator[tuple[str, Any]]:
        for name in _fields(type(self)):
            yield name, getattr(self, name)

    @classmethod
    def _unknown(cls, name: str) -> str:
        return f"{cls.__name__} has no option {name!r}; {cls.ABSENT.get(name) or cls._hint(name)}"

    @classmethod
    def _hint(cls, name: str) -> str:
        known = sorted(_fields(cls))
        last = name.rsplit(".", 1)[-1]
        places = [path for path in _paths(cls) if path.endswith(f".{last}")]
        if places:
            return f"did you mean {places[0]!r}? A dict is nested, group by group"
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        return f"did you mean {nearest[0]!r}?" if nearest else f"it has {', '.join(known)}"


def _fields(tree: type[Options]) -> dict[str, Field[Any]]:
    return {option.name: option for option in fields(tree)}  # pyright: ignore[reportArgumentType]


def _group(option: Field[Any]) -> type[Options] | None:
    """Return the class of an option that is a group of options."""
    made_by: Any = option.default_factory
    return made_by if isinstance(made_by, type) and issubclass(made_by, Options) else None


def _paths(tree: type[Options]) -> Iterator[str]:
    """Yield the names of all options of a tree, with those of their groups."""
    for name, option in _fields(tree).items():
        group = _group(option)
        yield from (name,) if group is None else (f"{name}.{path}" for path in _paths(group))


def make_options(cls: type[_Node], given: _Node | Mapping[str, Any] | None) -> _Node:
    """Return a tree with what the constructor of a primitive was given.

    Raises:
        UnknownOptionError: An option is unknown.
        TypeError: ``given`` is neither a tree of this kind nor a mapping.
        ValueError: A value is not allowed.
    """
    if isinstance(given, cls):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"options must be a dict or {cls.__name__}, not {type(given).__name__}")
    options = cls()
    options.update(given)
    return options
