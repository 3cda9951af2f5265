"""The strict pydantic base of every file the stack reads, and its errors with places."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from qctrl.errors import QctrlError
from qctrl.strict_yaml.source import KeyPath, Source, dotted

Text = Annotated[str, Field(max_length=1000)]
"""Free text of bounded length."""

_SHOWN_PROBLEMS = 8
_SHOWN_CHARACTERS = 60
_Model = TypeVar("_Model", bound=BaseModel)


def problem(text: str, remedy: str, *at: str | int) -> PydanticCustomError:
    """Return the error a validator raises, to become ``file:line:column: path: text; remedy``.

    Args:
        text: What is wrong, with the value and the limit.
        remedy: The way out.
        at: Path of the guilty value below the one being validated.
    """
    return PydanticCustomError("problem", "{text}", {"text": text, "remedy": remedy, "at": at})


class StrictModel(BaseModel):
    """Frozen model without implicit conversions that names the nearest key for an unknown one."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in data:
            if key not in known:
                raise PydanticCustomError(
                    "unknown_key",
                    "unknown key",
                    {"at": (key,), "remedy": nearest(str(key), known)},
                )
        return data


def nearest(word: str, known: list[str]) -> str:
    """Return advice that names the entry of ``known`` most like ``word``, or all of them."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    close = close or [name for name in known if name.lower() == word.lower()]
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"


def validate(source: Source, model: type[_Model], error: type[QctrlError]) -> _Model:
    """Return the content of ``source`` as a ``model``.

    Args:
        source: The file as read.
        model: Pydantic model of the whole document.
        error: Class to raise.

    Raises:
        QctrlError: As ``error``; one line ``file:line:column: path: problem; remedy`` per problem, first to last.
    """
    try:
        return model.model_validate(source.content)
    except ValidationError as failure:
        found = sorted({_locate(source, details) for details in failure.errors(include_url=False)})
    lines = [text for _, text in found[:_SHOWN_PROBLEMS]]
    if len(found) > _SHOWN_PROBLEMS:
        lines.append(f"... and {len(found) - _SHOWN_PROBLEMS} more")
    raise error("\n".join(lines))


def _locate(source: Source, details: ErrorDetails) -> tuple[tuple[int, int], str]:
    context: dict[str, Any] = details.get("ctx", {})
    kind = details["type"]
    path = _path_in_file(source, (*details["loc"], *context.get("at", ())))
    at_key = kind == "unknown_key" or details["loc"][-1:] == ("[key]",)
    where = source.where(path, key=at_key)
    line, column = where.rsplit(":", 2)[1:]
    return (int(line), int(column)), f"{where}: {dotted(path)}: {_explain(details, context)}"


def _path_in_file(source: Source, location: KeyPath) -> KeyPath:
    """Drop what pydantic adds to a path: tags of unions, ``[key]``, the ``value`` of a bare number."""
    path: KeyPath = ()
    for part in location:
        if (*path, part) in source.values or (*path, part) in source.keys:
            path = (*path, part)
    return path


def _explain(details: ErrorDetails, context: dict[str, Any]) -> str:
    kind, shown = details["type"], _shorten(details["input"])
    if "remedy" in context:
        return f"{details['msg']}; {context['remedy']}"
    if kind == "missing":
        return f"key '{details['loc'][-1]}' is missing; add it"
    if kind == "literal_error":
        return f"value {shown} is not one of {context['expected']}; use one of these"
    if kind == "union_tag_invalid":
        return f"kind {context['tag']!r} is not supported; supported: {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"key {context['discriminator']} is missing; add it"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"value {shown} is not a mapping; write 'key: value' pairs"
    message = details["msg"].removeprefix("Input ")
    return f"value {shown} {message}; correct it"


def _shorten(value: object) -> str:
    # a large input must not be printed whole just to be cut off
    if isinstance(value, dict | tuple | list):
        return f"of {len(value)} entries"
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
