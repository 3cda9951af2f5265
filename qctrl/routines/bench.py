"""A device under tune-up: its document so far, its wiring, and the runner that plays on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
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
_SILENT: Final = frozenset({"index", "position", "flux", "ports"})
"""What is left of a qubit that has nothing to play."""


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
        data = _data(self.document)
        for path, value in values.items():
            place = data
            for key in path[:-1]:
                if key not in place:
                    raise CalibrationError(f"{'.'.join(path)}: there is no {key!r} to tune; add it to the nominal file")
                place = place[key]
            place[path[-1]] = value
        return dataclasses.replace(self, document=Document.model_validate(data))

    def apart(self, names: Collection[str], step: Callable[[Bench], Bench]) -> dict[Path, Any]:
        """Return what a step finds about some qubits and their edges while all others rest, for ``changed``.

        The step is given a device that has these qubits only, so it costs as little on a large device as on a small
        one. What rests away from zero stays, as do ports that share crosstalk: the step sees their levels.
        """
        part = self._part(frozenset(names))
        found = _data(step(part).document)
        places: list[Path] = [("qubits", name) for name in names]
        places += [("edges", edge) for edge in part.document.edges if set(edge.split("-")) <= set(names)]
        return {place: found[place[0]][place[1]] for place in places}

    def _part(self, names: frozenset[str]) -> Bench:
        known, data = self.document, _data(self.document)
        mine = {edge for edge in known.edges if set(edge.split("-")) <= names}
        away = {name for name, qubit in known.qubits.items() if qubit.flux.idle.value}
        biased = {edge for edge, each in known.edges.items() if each.coupler and each.coupler.idle_bias.value}
        kept = names | away | {end for edge in biased for end in edge.split("-")}
        data["qubits"] = {name: each for name, each in data["qubits"].items() if name in kept}
        data["edges"] = {edge: each for edge, each in data["edges"].items() if edge in mine | biased}
        for name in kept - names:
            data["qubits"][name] = {key: each for key, each in data["qubits"][name].items() if key in _SILENT}
        for edge in biased - mine:
            data["edges"][edge].pop("gates", None)
        document = Document.model_validate(data)
        ports = {port: wired for port, wired in self.wiring.ports.items() if port in _ports(document)}
        wiring = self.wiring.model_copy(update={"ports": ports})
        return dataclasses.replace(self, document=document, wiring=wiring)

    def compile(self, circuit: QuantumCircuit) -> tuple[Setup, CompiledProgram]:
        """Return the setup and the packed program of a circuit under the present values."""
        calibration = self.calibration
        setup = build_setup(calibration, self.wiring)
        return setup, compile_circuit(circuit, calibration, setup)

    def circuit(self) -> QuantumCircuit:
        """Return an empty circuit with as many qubits and bits as the device has qubits."""
        n_qubits = max(qubit.index for qubit in self.document.qubits.values()) + 1
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
        name = self.name(qubit)
        frequency = self.document.qubits[name].frequency
        if frequency is None:
            raise CalibrationError(f"qubits.{name}.frequency is missing; give the nominal one")
        return frequency.value

    def name(self, qubit: int) -> str:
        """Return the name of a qubit."""
        return next(name for name, each in self.document.qubits.items() if each.index == qubit)


def _data(document: Document) -> dict[str, Any]:
    return document.model_dump(by_alias=True, exclude_unset=True)


def _ports(document: Document) -> set[str]:
    """Return every port that a document names."""
    found = set(document.ports)
    for matrix in document.crosstalk.values():
        found |= set(matrix.ports)
    for qubit in document.qubits.values():
        found |= {port for port in qubit.ports.model_dump().values() if port is not None}
    return found | {edge.coupler.port for edge in document.edges.values() if edge.coupler is not None}


def significant(value: float, digits: int = 9) -> float:
    """Return ``value`` with so many significant digits, so that files stay readable."""
    return float(f"{value:.{digits}g}")
