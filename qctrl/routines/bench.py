"""A device under tune-up: its document so far, its wiring, and the runner that plays on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qctrl.calibration import Calibration, Document
from qctrl.compiler import CompiledProgram, compile_circuit
from qctrl.config import Wiring
from qctrl.errors import CalibrationError
from qctrl.execution import JobSpec, Runner, Work, WorkResult
from qctrl.execution.setup import build_setup
from qctrl.protocol import CaptureMode, Setup, SimOptions
from qctrl.routines.fidelity import LEVELS, computational

Path: TypeAlias = tuple[str, ...]
"""Where a value stands in the document, such as ``("qubits", "q0", "t1")``."""

_AUTHOR: Final = "bootstrap"


@dataclass(frozen=True, slots=True)
class Bench:
    """What a tuning step needs; steps return a new bench with the values that they found."""

    document: Document
    wiring: Wiring
    runner: Runner
    seed: int
    stamp: str
    """UTC time that new values carry."""

    @property
    def calibration(self) -> Calibration:
        """The indexed view of the document."""
        return Calibration.from_document(self.document, "bootstrap")

    def measured(self, value: float, unc: float | None = None) -> dict[str, Any]:
        """Return a value with its provenance, as the document writes it."""
        provenance = {"at": self.stamp, "by": _AUTHOR, "method": "simulated"}
        rounded = {"value": significant(value)} | ({} if unc is None else {"unc": significant(unc, 3)})
        return rounded | provenance

    def changed(self, values: Mapping[Path, Any]) -> Bench:
        """Return a bench whose document has other values at these places.

        Raises:
            CalibrationError: A place does not exist, or a value is not one that the schema allows.
        """
        data = self.document.model_dump(by_alias=True, exclude_unset=True)
        for path, value in values.items():
            place = data
            for key in path[:-1]:
                if key not in place:
                    raise CalibrationError(f"{'.'.join(path)}: there is no {key!r} to tune; add it to the nominal file")
                place = place[key]
            place[path[-1]] = value
        return dataclasses.replace(self, document=Document.model_validate(data))

    def compile(self, circuit: QuantumCircuit) -> tuple[Setup, CompiledProgram]:
        """Return the setup and the packed program of a circuit under the present values."""
        calibration = self.calibration
        setup = build_setup(calibration, self.wiring)
        return setup, compile_circuit(circuit, calibration, setup)

    def circuit(self) -> QuantumCircuit:
        """Return an empty circuit with as many qubits and bits as the device has qubits."""
        n_qubits = self.calibration.num_qubits
        return QuantumCircuit(n_qubits, n_qubits)

    def channel(self, circuit: QuantumCircuit, qubits: Sequence[int], *, noise: bool) -> NDArray[np.complex128]:
        """Return the channel of a circuit without captures, seen in the frames of its qubits.

        Args:
            circuit: What to play; all other qubits start in their ground state.
            qubits: One or two qubits, the left one first.
            noise: Whether relaxation and dephasing act.
        """
        setup, compiled = self.compile(circuit)
        kets = np.eye(LEVELS ** len(qubits), dtype=np.complex128)[computational(len(qubits))]
        operators = np.einsum("ia,jb->ijab", kets, kets)
        body = {
            "op": "channel",
            "qubits": list(qubits),
            "frames_hz": [self.frequency_hz(qubit) for qubit in qubits],
            "noise": noise,
        }
        inputs = operators if noise else kets
        _, (data,) = self.runner.debug(setup, body, [compiled.to_bytes(), b"", inputs.tobytes()])
        found = np.frombuffer(data, dtype="<c16")
        if noise:
            return found.reshape(operators.shape)
        made = found.reshape(kets.shape)
        return np.einsum("ia,jb->ijab", made, made.conj())

    def shots(
        self, circuits: Sequence[QuantumCircuit], shots: int, mode: CaptureMode
    ) -> list[tuple[CompiledProgram, WorkResult]]:
        """Return the programs and the raw results of ``shots`` shots of each circuit."""
        compiled = [self.compile(circuit) for circuit in circuits]
        works = tuple(
            Work(program.program, None, shots, capture_mode=mode, pub_index=index)
            for index, (_, program) in enumerate(compiled)
        )
        spec = JobSpec(_AUTHOR, self.calibration.name, compiled[0][0], works, SimOptions(seed=self.seed))
        results = self.runner.submit(spec).result()
        return [(program, result) for (_, program), result in zip(compiled, results.works, strict=True)]

    def frequency_hz(self, qubit: int) -> float:
        """Return the frame frequency of a qubit under the present values."""
        frequency = self.calibration.live_qubit(qubit).frequency
        if frequency is None:
            raise CalibrationError(f"qubits.{self.name(qubit)}.frequency is missing; give the nominal one")
        return frequency.value

    def name(self, qubit: int) -> str:
        """Return the name of a qubit."""
        return self.calibration.qubit_names[qubit] or f"q{qubit}"


def significant(value: float, digits: int = 9) -> float:
    """Return ``value`` with so many significant digits, so that files stay readable."""
    return float(f"{value:.{digits}g}")
