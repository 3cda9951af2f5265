"""What was measured of a device, by the names of the older interface."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qctrl.calibration import Calibration
from qctrl.errors import CalibrationError
from qctrl.provider.measured import Measured, MeasuredGate


@dataclass(frozen=True, slots=True)
class Properties:
    """Coherence, errors and lengths of a calibration; times in seconds, frequencies in Hz."""

    calibration: Calibration

    @property
    def backend_name(self) -> str:
        """Name of the device."""
        return self.calibration.name

    @property
    def backend_version(self) -> str:
        """Id of the calibration."""
        return self.calibration.id

    @property
    def last_update_date(self) -> datetime | None:
        """When the calibration was made; ``None`` if it does not say."""
        created = self.calibration.document.created
        return None if created is None else datetime.fromisoformat(created)

    def t1(self, qubit: int) -> float | None:
        """Return T1; ``None`` if it was not measured."""
        return self.calibration.coherence(qubit).t1_s

    def t2(self, qubit: int) -> float | None:
        """Return the echo T2; ``None`` if it was not measured."""
        return self.calibration.coherence(qubit).t2_s

    def frequency(self, qubit: int) -> float | None:
        """Return the frequency of a qubit; ``None`` if it was not measured."""
        frequency = self.calibration.live_qubit(qubit).frequency
        return None if frequency is None else frequency.value

    def readout_error(self, qubit: int) -> float | None:
        """Return the mean of both wrong readings; ``None`` if they were not measured."""
        return self.gate_error("measure", qubit)

    def prob_meas1_prep0(self, qubit: int) -> float | None:
        """Return how often 0 reads as 1."""
        return self._misread(qubit, 1, 0)

    def prob_meas0_prep1(self, qubit: int) -> float | None:
        """Return how often 1 reads as 0."""
        return self._misread(qubit, 0, 1)

    def readout_length(self, qubit: int) -> float:
        """Return the length of a measurement."""
        return self.gate_length("measure", qubit)

    def gate_error(self, gate: str, qubits: int | Iterable[int]) -> float | None:
        """Return the error of an operation; ``None`` if it was not measured."""
        return self.calibration.error(gate, _tuple(qubits))

    def gate_length(self, gate: str, qubits: int | Iterable[int]) -> float:
        """Return the length of an operation.

        Raises:
            CalibrationError: The device has no such operation on these qubits.
        """
        return float(self.calibration.duration_ticks(gate, _tuple(qubits)) * self.calibration.dt_s)

    def is_qubit_operational(self, qubit: int) -> bool:
        """Return whether a qubit can be used."""
        return qubit in self.calibration.live_qubits

    def is_gate_operational(self, gate: str, qubits: int | Iterable[int]) -> bool:
        """Return whether an operation can be used on these qubits."""
        try:
            self.gate_length(gate, qubits)
        except CalibrationError:
            return False
        return True

    def faulty_qubits(self) -> list[int]:
        """Return the qubits that cannot be used."""
        return [index for index in range(self.calibration.num_qubits) if not self.is_qubit_operational(index)]

    def faulty_gates(self) -> list[MeasuredGate]:
        """Return nothing: a gate that cannot be used is not there."""
        return []

    @property
    def qubits(self) -> list[list[Measured]]:
        """All that was measured of each qubit; nothing of one that cannot be used."""
        return [
            self._of_qubit(index) if self.is_qubit_operational(index) else []
            for index in range(self.calibration.num_qubits)
        ]

    @property
    def gates(self) -> list[MeasuredGate]:
        """All that was measured of each gate."""
        return [
            MeasuredGate(gate, list(qubits), self._of_gate(gate, qubits))
            for gate, qubits in self.calibration.operations()
        ]

    @property
    def general(self) -> list[Measured]:
        """Nothing: every number belongs to a qubit or a gate."""
        return []

    def qubit_property(self, qubit: int, name: str | None = None) -> Any:
        """Return all that is known of a qubit, by name, or what has this name: pairs of value and date.

        Raises:
            CalibrationError: There is no such qubit, it cannot be used, or the number was not measured.
        """
        return _named(self._of_qubit(qubit), name, f"qubit {qubit}")

    def gate_property(self, gate: str, qubits: int | Iterable[int] | None = None, name: str | None = None) -> Any:
        """Return all that is known of a gate, by qubits and name, or a part of it: pairs of value and date.

        Raises:
            CalibrationError: There is no such gate, a number of it was not measured, or a name is given without qubits.
        """
        found = {pair: self._of_gate(gate, pair) for other, pair in self.calibration.operations() if other == gate}
        if not found or (qubits is None and name is not None):
            wrong = "name its qubits too" if found else "the device has no such gate"
            raise CalibrationError(f"{self.calibration.name}: no {name or 'property'} of {gate}; {wrong}")
        if qubits is None:
            return {pair: _named(parameters, None, gate) for pair, parameters in found.items()}
        chosen = _tuple(qubits)
        return _named(found.get(chosen) or self._of_gate(gate, chosen), name, f"{gate} on qubits {chosen}")

    def to_dict(self) -> dict[str, Any]:
        """Return it all as nested dicts."""
        return {
            "backend_name": self.backend_name,
            "backend_version": self.backend_version,
            "last_update_date": self.last_update_date,
            "qubits": [[each.to_dict() for each in qubit] for qubit in self.qubits],
            "gates": [gate.to_dict() for gate in self.gates],
            "general": [],
        }

    def _of_qubit(self, qubit: int) -> list[Measured]:
        return self._measured(
            ("T1", self.t1(qubit), "s"),
            ("T2", self.t2(qubit), "s"),
            ("frequency", self.frequency(qubit), "Hz"),
            ("readout_error", self.readout_error(qubit), ""),
            ("prob_meas0_prep1", self.prob_meas0_prep1(qubit), ""),
            ("prob_meas1_prep0", self.prob_meas1_prep0(qubit), ""),
            ("readout_length", self.readout_length(qubit), "s"),
        )

    def _of_gate(self, gate: str, qubits: tuple[int, ...]) -> list[Measured]:
        return self._measured(
            ("gate_error", self.gate_error(gate, qubits), ""),
            ("gate_length", self.gate_length(gate, qubits), "s"),
        )

    def _measured(self, *numbers: tuple[str, float | None, str]) -> list[Measured]:
        date = self.last_update_date
        return [Measured(name, value, unit, date) for name, value, unit in numbers if value is not None]

    def _misread(self, qubit: int, read: int, prepared: int) -> float | None:
        readout = self.calibration.live_qubit(qubit).readout
        if readout is None or readout.assignment is None:
            return None
        return readout.assignment.value[read][prepared]


def _tuple(qubits: int | Iterable[int] | Sequence[int]) -> tuple[int, ...]:
    return (qubits,) if isinstance(qubits, int) else tuple(qubits)


def _named(numbers: Iterable[Measured], name: str | None, owner: str) -> Any:
    found = {each.name: (each.value, each.date) for each in numbers}
    if name is None:
        return found
    if name not in found:
        raise CalibrationError(f"{owner} has no {name!r}; measured of it are {', '.join(found)}")
    return found[name]
