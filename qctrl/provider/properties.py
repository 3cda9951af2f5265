"""What was measured of a device, by the names of the older interface."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qctrl.calibration import Calibration
from qctrl.errors import CalibrationError


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

    def qubit_property(self, qubit: int) -> dict[str, float]:
        """Return all that is known of a qubit, by name."""
        found = {
            "T1": self.t1(qubit),
            "T2": self.t2(qubit),
            "frequency": self.frequency(qubit),
            "readout_error": self.readout_error(qubit),
            "prob_meas0_prep1": self.prob_meas0_prep1(qubit),
            "prob_meas1_prep0": self.prob_meas1_prep0(qubit),
            "readout_length": self.readout_length(qubit),
        }
        return {name: value for name, value in found.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return it all as nested dicts."""
        return {
            "backend_name": self.backend_name,
            "backend_version": self.backend_version,
            "last_update_date": None if self.last_update_date is None else self.last_update_date.isoformat(),
            "qubits": {index: self.qubit_property(index) for index in self.calibration.live_qubits},
            "gates": [
                {
                    "gate": name,
                    "qubits": list(qubits),
                    "gate_error": self.gate_error(name, qubits),
                    "gate_length": self.gate_length(name, qubits),
                }
                for name, qubits in self.calibration.operations()
            ],
        }

    def _misread(self, qubit: int, read: int, prepared: int) -> float | None:
        readout = self.calibration.live_qubit(qubit).readout
        if readout is None or readout.assignment is None:
            return None
        return readout.assignment.value[read][prepared]


def _tuple(qubits: int | Iterable[int] | Sequence[int]) -> tuple[int, ...]:
    return (qubits,) if isinstance(qubits, int) else tuple(qubits)
