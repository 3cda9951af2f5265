"""Write a calibration as canonical YAML: one measured value per line, so that one change is one line of a diff."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from qctrl.calibration.document import Document
from qctrl.calibration.values import MatrixValue, Value

_PLAIN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9_./@-]*")
_WORDS = frozenset({"null", "true", "false"})
_FLOAT_DIGITS = 4


def dump(document: Document) -> str:
    """Return the YAML text of a document; ``loads(dump(d)).document == d``.

    Args:
        document: The calibration.
    """
    return "".join(f"{line}\n" for line in _block(document, ""))


def _block(model: BaseModel, indent: str) -> Iterator[str]:
    for key, value in _entries(model):
        yield from _lines(key, value, indent)


def _lines(key: str, value: Any, indent: str) -> Iterator[str]:
    if not _spreads(value):
        yield f"{indent}{_text(key)}: {_flow(value)}"
        return
    yield f"{indent}{_text(key)}:"
    if isinstance(value, BaseModel):
        yield from _block(value, indent + "  ")
        return
    for name, entry in value.items():
        yield from _lines(name, entry, indent + "  ")


def _spreads(value: Any) -> bool:
    """Say whether a value needs lines of its own below its key."""
    if isinstance(value, Value | MatrixValue):
        return False
    if isinstance(value, BaseModel):
        return any(isinstance(entry, BaseModel | dict) for _, entry in _entries(value))
    return isinstance(value, dict) and any(isinstance(entry, BaseModel) for entry in value.values())


def _entries(model: BaseModel) -> Iterator[tuple[str, Any]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        # defaults are written out: a file must not change its meaning with the version that reads it
        empty = not any(_entries(value)) if isinstance(value, BaseModel) else value in (None, "", (), {})
        if not empty or value != field.get_default(call_default_factory=True):
            yield field.alias or name, value


def _flow(value: Any) -> str:
    if isinstance(value, Value | MatrixValue) and set(value.model_dump(exclude_none=True)) == {"value"}:
        return _flow(value.value)
    if isinstance(value, BaseModel):
        return _flow(dict(_entries(value)))
    if isinstance(value, dict):
        inner = ", ".join(f"{_text(str(key))}: {_flow(entry)}" for key, entry in value.items())
        return f"{{{inner}}}"
    if isinstance(value, tuple):
        return f"[{', '.join(_flow(entry) for entry in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    return str(value) if isinstance(value, int) else _text(str(value))


def _number(value: float) -> str:
    """Return the shortest exact decimal, with an exponent where zeros would hide the size."""
    if value == 0 or 10**-_FLOAT_DIGITS < abs(value) < 10**_FLOAT_DIGITS:
        return repr(value)
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    exponent = Decimal(repr(value)).adjusted()
    mantissa = "".join(str(digit) for digit in digits)
    return f"{'-' if sign else ''}{mantissa[0]}.{mantissa[1:] or '0'}e{exponent}"


def _text(value: str) -> str:
    if _PLAIN_TEXT.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return '"' + "".join(_escaped(character) for character in value) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    code = ord(character)
    if 0x20 <= code <= 0x7E:
        return character
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
