"""Read YAML 1.2 text into plain values that remember where they stood.

The values are built here from the parser's events, not by its constructor: that keeps one rule for
what a scalar means on every machine, refuses aliases and duplicate keys where they stand, and works
on any depth without recursion.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from qctrl.errors import QctrlError

Plain: TypeAlias = "bool | int | float | str | tuple[Plain, ...] | dict[str, Plain] | None"
KeyPath: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 8 * 2**20
MAX_DEPTH = 32

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LONGEST_INT = 40
_BYTE_ORDER_MARK = "\ufeff"

# The scanner of ruamel.yaml lets these out on malformed escapes and directives instead of a YAMLError.
_PARSER_FAILURES = (YAMLError, ValueError, OverflowError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Content of one YAML file, with the place of every key and value.

    Args:
        name: Path as the user wrote it, for error messages.
        content: The values; mappings are dicts, sequences tuples.
        keys: Place of each key, by its path.
        values: Place of each value, by its path; ``()`` is the whole document.
    """

    name: str
    content: Plain
    keys: dict[KeyPath, Place]
    values: dict[KeyPath, Place]

    def where(self, path: KeyPath, *, key: bool = False) -> str:
        """Return ``file:line:column`` of the longest known part of ``path``.

        Args:
            path: Keys and indices from the root.
            key: Point at the key instead of its value, where the whole path is known.
        """
        place = self.keys.get(path) if key else None
        while place is None:
            place = self.values.get(path)
            path = path[:-1]
        return f"{self.name}:{place.line}:{place.column}"


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not been read."""

    path: KeyPath
    items: dict[str, Plain] | list[Plain]
    key: str | None = None


@dataclass(slots=True)
class _Builder:
    name: str
    error: type[QctrlError]
    stack: list[_Open] = field(default_factory=list[_Open])
    root: list[Plain] = field(default_factory=list[Plain])
    keys: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])
    values: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])

    def refuse(self, place: Place, text: str) -> NoReturn:
        raise self.error(f"{self.name}:{place.line}:{place.column}: {text}")

    def consume(self, event: Event) -> None:
        place = _place(event)
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            self.refuse(place, f"{self._here()}: anchors and aliases are not accepted; write the value out")
        if isinstance(event, DocumentStartEvent):
            self._start_document(event, place)
        elif isinstance(event, ScalarEvent):
            self._scalar(event, place)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._open(event, place)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._close()

    def _here(self) -> str:
        return dotted(self._next_path()) if self.stack else "document"

    def _next_path(self) -> KeyPath:
        if not self.stack:
            return ()
        top = self.stack[-1]
        if isinstance(top.items, list):
            return (*top.path, len(top.items))
        return top.path if top.key is None else (*top.path, top.key)

    def _start_document(self, event: DocumentStartEvent, place: Place) -> None:
        if self.root:
            self.refuse(place, "a second document starts here; a file holds exactly one, remove '---'")
        if event.version not in (None, (1, 2)):
            self.refuse(place, f"YAML version {event.version} is not accepted; remove the %YAML line")

    def _scalar(self, event: ScalarEvent, place: Place) -> None:
        text = str(event.value)
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.items, dict) and top.key is None:
            self._key(top.path, top.items, text, place)
            top.key = text
            return
        self._check_tag(event, place)
        path = self._next_path()
        plain = bool(event.implicit[0])
        value: Plain = self._resolve(text, path, place) if plain else text
        self._put(value, path, place)

    def _key(self, path: KeyPath, items: dict[str, Plain], text: str, place: Place) -> None:
        full = (*path, text)
        if text in items:
            first = self.keys[full]
            self.refuse(place, f"{dotted(full)}: duplicate key, first at line {first.line}; remove one")
        self.keys[full] = place

    def _resolve(self, text: str, path: KeyPath, place: Place) -> Plain:
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.fullmatch(text):
            self.refuse(place, f"{dotted(path)}: value {text} is not finite; write a measured number")
        if _INT.fullmatch(text):
            if len(text) > _LONGEST_INT:
                self.refuse(place, f"{dotted(path)}: value {text[:20]}... is too long; write it with an exponent")
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _FLOAT.fullmatch(text):
            value = float(text)
            if not math.isfinite(value):
                self.refuse(place, f"{dotted(path)}: value {text[:40]} is not finite; write a measured number")
            return value
        return text

    def _check_tag(self, event: Event, place: Place) -> None:
        tag = getattr(event, "ctag", None)
        if tag is not None:
            self.refuse(place, f"{self._here()}: tag {tag} is not accepted; remove it, quote text instead")

    def _open(self, event: MappingStartEvent | SequenceStartEvent, place: Place) -> None:
        self._check_tag(event, place)
        if self.stack and isinstance(self.stack[-1].items, dict) and self.stack[-1].key is None:
            self.refuse(place, f"{self._here()}: a key must be text, not a mapping or sequence")
        if len(self.stack) >= MAX_DEPTH:
            self.refuse(place, f"{self._here()}: nested deeper than {MAX_DEPTH} levels; flatten the file")
        path = self._next_path()
        self.values[path] = place
        self.stack.append(_Open(path, {} if isinstance(event, MappingStartEvent) else []))

    def _close(self) -> None:
        done = self.stack.pop()
        value: Plain = tuple(done.items) if isinstance(done.items, list) else done.items
        self._put(value, done.path, self.values[done.path])

    def _put(self, value: Plain, path: KeyPath, place: Place) -> None:
        self.values[path] = place
        if not self.stack:
            self.root.append(value)
            return
        top = self.stack[-1]
        if isinstance(top.items, list):
            top.items.append(value)
        elif top.key is not None:
            top.items[top.key] = value
            top.key = None


def read_text(path: Path, error: type[QctrlError]) -> str:
    """Return the text of a file of at most ``MAX_BYTES`` bytes of UTF-8.

    Args:
        path: The file.
        error: Class to raise.

    Raises:
        QctrlError: As ``error``, if the file is missing, not a plain file, too large or not UTF-8.
    """
    start = f"{path}:1:1: document:"
    try:
        if not path.is_file():
            what = "is a folder, name the file in it" if path.is_dir() else "does not exist; check the path"
            raise error(f"{start} {what}")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise error(f"{start} size {size} bytes exceeds {MAX_BYTES}; this is not such a file, or split it")
        data = path.read_bytes()
    except (OSError, ValueError) as failure:
        raise error(f"{start} cannot be read: {failure}; check path and permissions") from failure
    try:
        return data.decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as failure:
        before = data[: failure.start]
        line, column = before.count(b"\n") + 1, failure.start - before.rfind(b"\n")
        raise error(
            f"{path}:{line}:{column}: document: byte 0x{data[failure.start]:02x} is not UTF-8 text; "
            "is this a YAML file? save it as UTF-8"
        ) from failure


def parse_text(text: str, name: str, error: type[QctrlError]) -> Source:
    """Return the content of YAML ``text`` with the place of every key and value.

    Accepts one document of YAML 1.2 core-schema scalars, mappings and sequences. Anchors, aliases, tags,
    duplicate keys, NaN and infinities are refused.

    Args:
        text: The YAML text.
        name: Name of the file, for error messages.
        error: Class to raise.

    Raises:
        QctrlError: As ``error``, with ``name:line:column``.
    """
    builder = _Builder(name, error)
    try:
        for event in _events(text):
            builder.consume(event)
    except MarkedYAMLError as failure:
        raise error(_syntax_message(failure, name)) from failure
    except _PARSER_FAILURES as failure:
        raise error(f"{name}:{_unmarked_place(failure, text)}: not YAML: {_brief(failure)}") from failure
    if not builder.root:
        raise error(f"{name}:1:1: document: the file is empty; it must be a mapping with 'schema:' first")
    return Source(name, builder.root[0], builder.keys, builder.values)


def dotted(path: Iterable[str | int]) -> str:
    """Return ``a.b[2].c`` for the path ``("a", "b", 2, "c")``; ``document`` for the empty one."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "document"


def _events(text: str) -> Iterator[Event]:
    # pure=True: the C scanner and the Python one disagree on some files, so only one may be used
    parser = YAML(typ="safe", pure=True)
    return iter(parser.parse(text))


def _place(event: Event) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1)


def _syntax_message(failure: MarkedYAMLError, name: str) -> str:
    mark = failure.problem_mark or failure.context_mark
    line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
    text = " ".join(str(part) for part in (failure.context, failure.problem) if part)
    return f"{name}:{line}:{column}: not YAML: {text}; check brackets, colons and indentation near here"


def _unmarked_place(failure: Exception, text: str) -> str:
    position = getattr(failure, "position", 0)
    before = text[:position] if isinstance(position, int) else ""
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def _brief(failure: Exception) -> str:
    first = str(failure).strip().splitlines()
    return f"{first[0] if first else type(failure).__name__}; check the characters near here"
