"""Which measured values are older than they may be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from qctrl.calibration.document import Document, Validity
from qctrl.calibration.values import MatrixValue, Value

_CLASSES = {
    "frequency": frozenset({"frequency", "anharmonicity", "chi", "kappa", "max_frequency", "frequency_idle", "zz"}),
    "coherence": frozenset({"t1", "t2_echo", "t2_star", "thermal_population"}),
    "fidelity": frozenset({"error", "leakage", "conditional_phase"}),
}


def stale(document: Document, now: datetime) -> tuple[str, ...]:
    """Return the path of every value older than its time to live; none if ``on_stale`` is ``ignore``.

    A value without a time was entered by hand and is never stale.

    Args:
        document: The calibration file.
        now: The present, with a time zone.
    """
    if document.validity.on_stale == "ignore":
        return ()
    return tuple(
        ".".join(path)
        for path, value in _values(document, ())
        if value.at is not None and _age_s(value.at, now) > _time_to_live_s(document.validity, path, value)
    )


def _values(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Value | MatrixValue]]:
    if isinstance(node, Value | MatrixValue):
        yield path, node
    elif isinstance(node, BaseModel):
        for name in type(node).model_fields:
            yield from _values(getattr(node, name), (*path, name))
    elif isinstance(node, dict):
        for name, entry in node.items():
            yield from _values(entry, (*path, str(name)))


def _age_s(at: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(at)).total_seconds()


def _time_to_live_s(validity: Validity, path: tuple[str, ...], value: Value | MatrixValue) -> float:
    if value.ttl is not None:
        return value.ttl
    if "readout" in path:
        return validity.readout
    kind = next((name for name, keys in _CLASSES.items() if path[-1] in keys), "default")
    return {
        "frequency": validity.frequency,
        "coherence": validity.coherence,
        "fidelity": validity.fidelity,
        "default": validity.default,
    }[kind]
