"""Measured numbers with name, unit and date, by the names of the older interface."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of a qubit or gate."""

    name: str
    value: float
    unit: str
    """``s``, ``Hz``, or nothing for a probability."""
    date: datetime | None
    """When the calibration was made; ``None`` if it does not say."""

    def to_dict(self) -> dict[str, Any]:
        """Return it by name."""
        return {"name": self.name, "value": self.value, "unit": self.unit, "date": self.date}


@dataclass(frozen=True, slots=True)
class MeasuredGate:
    """What was measured of one gate on its qubits."""

    gate: str
    qubits: list[int]
    parameters: list[Measured]
    """``gate_length``, and ``gate_error`` if it was measured."""

    @property
    def name(self) -> str:
        """Gate and qubits in one word."""
        return self.gate + "_".join(map(str, self.qubits))

    def to_dict(self) -> dict[str, Any]:
        """Return it as nested dicts."""
        return {
            "gate": self.gate,
            "qubits": self.qubits,
            "parameters": [each.to_dict() for each in self.parameters],
            "name": self.name,
        }
